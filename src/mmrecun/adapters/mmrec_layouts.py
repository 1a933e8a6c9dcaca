"""Map parameters of MMRec's MGCN, FREEDOM, BM3, LightGCN and VBPR to ours, by their names and shapes."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from pydantic import Field, NonNegativeInt, PositiveInt

from mmrecun.adapters.adapter import AdapterConfig, Tables
from mmrecun.adapters.mmrec_models import BiasedBM3, EvenFREEDOM, JoinedVBPR
from mmrecun.errors import ConfigError
from mmrecun.forget.request import Target
from mmrecun.models.base import ModelConfig, Recommender
from mmrecun.models.bm3 import BM3Config
from mmrecun.models.freedom import FREEDOMConfig
from mmrecun.models.lightgcn import LightGCN, LightGCNConfig
from mmrecun.models.mgcn import MGCN, MGCNConfig
from mmrecun.models.vbpr import VBPRConfig

Shapes = Mapping[str, tuple[int, ...]]
Names = Mapping[str, str]


class MMRecConfig(AdapterConfig):
    """Settings of reading a state dict of MMRec, which holds parameters and no settings.

    Attributes:
        image, text: modalities of the data that the model calls image and text.
        layers: hops over the user-item graph: n_ui_layers of MGCN and FREEDOM, 2 unless you set it; n_layers of
            LightGCN and BM3, always required; 0 by default for a model of which only the tables are read.
        item_layers: hops over the item graphs.
        neighbours: knn_k.
        image_share: mm_image_weight of FREEDOM.
        tables: names of the tables of users and items, for models of which only the tables are read.
    """

    image: str = "image"
    text: str = "text"
    layers: NonNegativeInt | None = None
    item_layers: PositiveInt = 1
    neighbours: PositiveInt = 10
    image_share: float = Field(default=0.1, ge=0, le=1)
    tables: Tables = ("user_embedding.weight", "item_id_embedding.weight")


class Part(NamedTuple):
    """One of our parameters and its place in the state dict.

    Attributes:
        ours, theirs: names; ours is empty for trained features that no score reads, which are reset to raw ones.
        side: "users" or "items" for tables of rows, "" for shared parameters.
        modality: the modality whose raw features the foreign table also holds; "" for none.
        columns: columns of the foreign parameter; all by default.
    """

    ours: str
    theirs: str
    side: str = ""
    modality: str = ""
    columns: slice = slice(None)


class Layout(NamedTuple):
    """The mapping of a model of MMRec to one of ours.

    Attributes:
        model: our class.
        config: makes its settings, or refuses if one is missing.
        parts: all its parameters.
        unread: parameters without effect on any score.
        forgets: targets that the state dict can express.
    """

    model: type[Recommender]
    config: Callable[[], ModelConfig]
    parts: tuple[Part, ...]
    unread: frozenset[str] = frozenset()
    forgets: frozenset[Target] = frozenset(Target)

    def fits(self, shapes: Shapes) -> bool:
        """Say whether a state dict has these parameters and no others."""
        return set(shapes) == {part.theirs for part in self.parts} | self.unread


_IDS = (
    Part("users.weight", "user_embedding.weight", "users"),
    Part("items.weight", "item_id_embedding.weight", "items"),
)
_NO_ABSENCE = frozenset(Target) - {Target.MODALITIES}  # in MMRec every item has every modality


def features_of(shapes: Shapes, config: MMRecConfig) -> Names:
    """Return "image" and "text", if a state dict has a table of them, with the modality of the data."""
    given = {"image": config.image, "text": config.text}
    return {of: ours for of, ours in given.items() if f"{of}_embedding.weight" in shapes}


def layouts(shapes: Shapes, widths: Mapping[str, int], config: MMRecConfig) -> Iterator[Layout]:
    """Yield all layouts for a state dict.

    Args:
        shapes: shapes of its parameters by name.
        widths: F of the modalities of the data.
        config: settings of the reading.
    """
    names = features_of(shapes, config)
    yield _mgcn(shapes, names, config)
    yield _freedom(shapes, names, config)
    yield _bm3(shapes, names, config)
    yield _lightgcn(shapes, config)
    yield _vbpr(shapes, widths, config)


def _mgcn(shapes: Shapes, names: Names, config: MMRecConfig) -> Layout:
    gates = {"image": "gate_v.0", "text": "gate_t.0"}
    own = [
        part
        for of, ours in names.items()
        for part in (
            *_linear(f"gates.{ours}", gates[of]),
            *_linear(f"preferences.{ours}", f"gate_{of}_prefer.0"),
        )
    ]
    attention = *_linear("attention.0", "query_common.0"), *_linear("attention.2", "query_common.2", bias=False)
    graph = {"layers": config.layers or 2, "item_layers": config.item_layers, "neighbours": config.neighbours}
    return Layout(
        MGCN,
        lambda: MGCNConfig(dim=_width(shapes), l2=1e-4, **graph),
        (*_IDS, *_features(names), *own, *attention),
        forgets=_NO_ABSENCE,
    )


def _freedom(shapes: Shapes, names: Names, config: MMRecConfig) -> Layout:
    shares = {"image": config.image_share, "text": 1 - config.image_share}
    graph = {"layers": config.layers or 2, "item_layers": config.item_layers, "neighbours": config.neighbours}
    mixed = {ours: shares[of] for of, ours in names.items()} if len(names) > 1 else {}
    return Layout(
        EvenFREEDOM,
        lambda: FREEDOMConfig(dim=_width(shapes), shares=mixed, l2=0.0, **graph),
        (*_IDS, *_features(names, read=False, bias=False)),
        frozenset(f"{of}_trs.bias" for of in names),  # cancels in the difference of two items
        _NO_ABSENCE,
    )


def _bm3(shapes: Shapes, names: Names, config: MMRecConfig) -> Layout:
    return Layout(
        BiasedBM3,
        lambda: BM3Config(dim=_width(shapes), layers=_required_layers(config.layers), alignment=2.0),
        (*_IDS, *_linear("predictor", "predictor"), *_features(names, read=False)),
    )


def _lightgcn(shapes: Shapes, config: MMRecConfig) -> Layout:
    users, items = "embedding_dict.user_emb", "embedding_dict.item_emb"
    return Layout(
        LightGCN,
        lambda: LightGCNConfig(dim=_width(shapes, items), layers=_required_layers(config.layers)),
        (Part("users.weight", users, "users"), Part("items.weight", items, "items")),
    )


def _vbpr(shapes: Shapes, widths: Mapping[str, int], config: MMRecConfig) -> Layout:
    """Lay out VBPR: text stands before image in the one layer; its width shows which of the two there are."""
    columns = shapes.get("item_linear.weight", (0, 0))[-1]
    both = [name for name in (config.text, config.image) if name in widths]
    there = next((some for some in (both, both[:1], both[1:]) if sum(widths[name] for name in some) == columns), [])
    parts, start = [], 0
    for name in there:
        where = slice(start, start + widths[name])
        parts.append(Part(f"projections.{name}.weight", "item_linear.weight", columns=where))
        start = where.stop
    dim = shapes.get("i_embedding", (0, 0))[-1]
    tables = (
        Part("users.weight", "u_embedding", "users", columns=slice(dim)),
        Part("tastes.weight", "u_embedding", "users", columns=slice(dim, None)),
        Part("items.weight", "i_embedding", "items"),
    )
    return Layout(
        JoinedVBPR,
        lambda: VBPRConfig(dim=dim),
        (*tables, *parts, Part("bias", "item_linear.bias")),
    )


def _linear(ours: str, theirs: str, bias: bool = True) -> tuple[Part, ...]:
    weight = Part(f"{ours}.weight", f"{theirs}.weight")
    return (weight, Part(f"{ours}.bias", f"{theirs}.bias")) if bias else (weight,)


def _features(names: Names, read: bool = True, bias: bool = True) -> list[Part]:
    """Lay out trained features, which scores may read, and their projection."""
    return [
        part
        for of, ours in names.items()
        for part in (
            Part(f"offsets.{ours}.weight" if read else "", f"{of}_embedding.weight", "items", ours),
            *_linear(f"projections.{ours}", f"{of}_trs", bias),
        )
    ]


def _width(shapes: Shapes, table: str = "item_id_embedding.weight") -> int:
    return shapes[table][-1]


def _required_layers(layers: int | None) -> int:
    if not layers:
        raise ConfigError("a state dict does not say how many layers the model has; give layers=N, its n_layers")
    return layers

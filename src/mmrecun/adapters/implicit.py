"""Models of `implicit` (ALS, BPR, logistic MF): from the `.npz` that they save, or in memory."""

import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from mmrecun.adapters.adapter import Adapter, AdapterConfig
from mmrecun.adapters.als import UnlearnALS
from mmrecun.adapters.biased import LAST
from mmrecun.adapters.embeddings import HISTORIES, SERVED_ITEMS, as_recommender, rows_of
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.further_rows import FurtherRows
from mmrecun.adapters.interactions import opened_data
from mmrecun.adapters.logistic import UnlearnLogistic
from mmrecun.adapters.row_map import Array, Ids, RowMap
from mmrecun.adapters.row_order import in_order
from mmrecun.atomic import replace_file
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ArtifactError
from mmrecun.models.base import Recommender
from mmrecun.unlearning.base import Unlearner

_FACTORS = ("user_factors", "item_factors")
_CLASSES = {
    "AlternatingLeastSquares": "als",
    "BayesianPersonalizedRanking": "bpr",
    "LogisticMatrixFactorization": "lmf",
}
# implicit draws negatives as often as they occur: an epoch with even draws would begin to train another model
_SUITED_TO_BPR = {"epochs": 0}
_CLASS_OF_SETTING = {"neg_prop": "lmf", "alpha": "als", "learning_rate": "bpr"}  # a setting that only this model saves


@dataclass(frozen=True)
class ImplicitFile:
    """All arrays of the file.

    Attributes:
        arrays: factors and settings, by the names that implicit gives them.
        kind: "als", "bpr" or "lmf". BPR has the item's bias as its last column, at which users hold 1; logistic MF has
            it last but one, and the user's bias last, at which items hold 1.
    """

    arrays: dict[str, Array]
    kind: str
    name: str = "implicit"
    suffix: str = ".npz"

    @property
    def further(self) -> FurtherRows:
        """Arrays that a program added to the file, such as the ids of the rows."""
        return FurtherRows.of({name: array.shape for name, array in self.arrays.items()}, _FACTORS)

    @property
    def limits(self) -> tuple[str, ...]:
        """Limits of forgetting in this format, one sentence each."""
        items = (SERVED_ITEMS,) if self.kind == "als" else ()
        return (
            *self.further.limits,
            *items,
            "cached norms are not saved, but a model in memory has them: load the file anew",
            HISTORIES,
        )

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return the factors of the users and items that stay, in their rows."""
        users, items = rows_of(model)
        if self.kind == "bpr":
            users = np.concatenate([users[:, :-1], np.ones((len(users), 1), dtype=users.dtype)], axis=1)
        first = row_map.put_users(self.arrays["user_factors"], users)
        second = row_map.put_items(self.arrays["item_factors"], items)
        if self.kind == "bpr":
            first[row_map.empty_users, -1] = 1.0
            second[row_map.empty_items, -1] = LAST
        if self.kind == "lmf":
            second[row_map.empty_items, -2:] = LAST, 1.0
            first[row_map.empty_users, -2] = 1.0
        further = self.further
        emptied = {name: further.emptied(name, self.arrays[name], row_map) for name in further.owned}
        return replace(self, arrays=self.arrays | emptied | {"user_factors": first, "item_factors": second})

    def write(self, path: Path) -> None:
        """Write it as `model.save` does."""
        buffer = BytesIO()
        np.savez(buffer, **self.arrays)  # type: ignore[arg-type]
        replace_file(path, buffer.getvalue())


class ImplicitConfig(AdapterConfig):
    """Settings of reading a model of implicit.

    Attributes:
        kind: "als", "bpr" or "lmf"; read from the settings in the file if not given.
    """

    kind: str | None = None


class ImplicitFiles(Adapter):
    """The `.npz` that `model.save` writes."""

    Config = ImplicitConfig
    config: ImplicitConfig

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read it; see `load`."""
        return load(path, data, users, items, self.config.kind)


def load(
    model: str | Path | Any,
    data: Dataset | str | Path,
    users: Ids | None = None,
    items: Ids | None = None,
    kind: str | None = None,
) -> ForeignModel:
    """Read a model of implicit, with the pairs it was trained on.

    Args:
        model: the `.npz` that `model.save` wrote, or the fitted model itself.
        data: its training pairs, with their confidences as `weight`; `dataset_of(user_items)` makes them from a matrix.
        users, items: ids in row and column order, or files that list them, one a line; by default those of the
            dataset, in order.
        kind: "als", "bpr" or "lmf"; read from the settings if not given.

    Raises:
        ArtifactError: when it is not such a model.
        DataError: when rows and ids do not fit together.
    """
    dataset = opened_data(data)
    arrays, found = _arrays(model)
    kind = kind or found
    if kind not in _CLASSES.values():
        raise ArtifactError(
            f"{_name_of(model)}: of implicit's models ALS, BPR and logistic MF are known; say kind=als, bpr or lmf"
        )
    first, second = (arrays[name] for name in _FACTORS)
    row_map = RowMap.of(dataset, users, items, (len(first), len(second)))
    artifact = ImplicitFile(arrays, kind)
    if kind != "bpr":
        method: type[Unlearner] = UnlearnALS if kind == "als" else UnlearnLogistic
        settings: dict[str, Any] = {
            name: arrays[name].item() for name in ("regularization", "alpha", "neg_prop") if name in arrays
        }
        exact = method(method.Config.of(settings, _name_of(model)))
        mine = ForeignModel(dataset, as_recommender(first, second, row_map), artifact, row_map, exact)
        return in_order(mine, users, items)
    l2 = float(arrays.get("regularization", np.array(0.01)))
    biased = as_recommender(first, second, row_map, l2=l2, biased=True)
    return in_order(ForeignModel(dataset, biased, artifact, row_map, suited=_SUITED_TO_BPR), users, items)


def _name_of(model: object) -> str:
    return str(model) if isinstance(model, str | Path) else type(model).__name__


# what NumPy and zipfile raise for damaged archives; NotImplementedError is a RuntimeError
_UNREADABLE = (
    *(ValueError, BadZipFile, OSError, EOFError, AttributeError, TypeError, RuntimeError, zlib.error),
    *(SyntaxError, TokenError, MemoryError, OverflowError, KeyError),
)


def _arrays(model: object) -> tuple[dict[str, Array], str]:
    if not isinstance(model, str | Path):
        return _arrays_of_object(model)
    try:
        # opened here, since NumPy leaves a damaged file open
        with Path(model).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = dict(file)
    except FileNotFoundError:
        raise ArtifactError(f"{model}: no such file") from None
    except _UNREADABLE:
        # NumPy's own words advise to load a file that holds pickles unsafely
        raise ArtifactError(
            f"{model}: not an .npz file of implicit, or one that holds pickled objects, which are never loaded; save "
            "the model again with model.save(path)"
        ) from None
    if not set(_FACTORS) <= set(arrays):
        raise ArtifactError(f"{model}: not a file of implicit; it has {', '.join(sorted(arrays)) or 'nothing'}")
    return arrays, next((kind for name, kind in _CLASS_OF_SETTING.items() if name in arrays), "")


def _arrays_of_object(model: object) -> tuple[dict[str, Array], str]:
    """Return the same arrays as in its file, made by the model itself in memory."""
    name = type(model).__name__
    if name not in _CLASSES or not hasattr(model, "save"):
        raise ArtifactError(f"{name} is neither a file nor a fitted model of implicit on the CPU")
    buffer = BytesIO()
    model.save(buffer)
    buffer.seek(0)
    with np.load(buffer, allow_pickle=False) as file:
        return dict(file), _CLASSES[name]

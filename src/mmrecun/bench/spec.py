"""The spec of a bench: datasets x backbones x requests x methods x seeds, read from TOML and checked before use."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import as_file
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BeforeValidator, Field, PositiveInt, ValidationError, model_validator

from mmrecun.bench.datasets import DatasetSpec
from mmrecun.bench.scenarios import RequestSpec
from mmrecun.bench.shipped import is_file, spec_folder
from mmrecun.errors import ConfigError, MMRecUnError
from mmrecun.models.base import ModelConfig
from mmrecun.models.registry import model_class
from mmrecun.settings import Settings, load_toml, split_settings
from mmrecun.text import unknown_name
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.base import UnlearnConfig
from mmrecun.unlearning.registry import method_class

ORIGINAL, GOLD = "original", "gold"  # methods of the rows of references
REFERENCES = (ORIGINAL, GOLD)
GOLD_SEED = 1000  # of the first Gold; the others follow
_TABLE = "should be a table of names and values"
_SHAPES = {  # what TOML calls the types of Python
    "tuple_type": "should be a list in brackets; tables of a list are written [[{0}]]",
    "too_short": "is empty",
    "model_type": _TABLE,
    "dict_type": _TABLE,
}
_ALTERNATIVES = ("tuple[str, ...]", "path")  # as pydantic names those of `RequestSpec.items`
_TABLES = ("datasets", "backbones", "requests", "methods")


class Backbone(Settings):
    """A recommender with the settings of its model and of its training in one table.

    Attributes:
        model: registered name.
        name: label of its rows; the model's name by default.
        settings: settings of the model and of `TrainConfig` together, as `mmrecun train --set` takes them.
    """

    model: str
    name: str = ""
    settings: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """The label of its rows."""
        return self.name or self.model

    def configs(self) -> tuple[ModelConfig, TrainConfig]:
        """Return the full settings of model and training."""
        return split_settings(model_class(self.model).Config, TrainConfig, self.settings)


class Method(Settings):
    """An unlearning method with its settings.

    Attributes:
        method: registered name.
        name: label of its rows; the method's name by default.
        settings: its settings, as `mmrecun unlearn --set` takes them.
    """

    method: str
    name: str = ""
    settings: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """The label of its rows."""
        return self.name or self.method

    def config(self) -> UnlearnConfig:
        """Return the full settings."""
        return method_class(self.method).Config.of(self.settings, f"method '{self.method}'")


def _named(key: str) -> BeforeValidator:
    """Return an entry with that name alone, if a name is given in place of an entry."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number")
    return value


SeedNumber = Annotated[int, Field(ge=0, lt=1 << 63), BeforeValidator(_refuse_truth)]


class BenchSpec(Settings):
    """A whole bench.

    Attributes:
        name: name of the bench.
        seeds: seeds of Originals and methods; a method with seed s starts from the Original of seed s.
        golds: number of Golds of every request, shared by all methods and seeds.
        request_seed: seed of the draw of what is forgotten, and of nothing else.
        keep_runs: keep the run folder of every row, audited, below `runs/`.
        datasets, backbones, requests, methods: what is combined; a model or method with default settings may be given
            by its name alone.
    """

    name: str
    seeds: Annotated[tuple[SeedNumber, ...], Field(min_length=1)] = (0, 1, 2)
    golds: PositiveInt = 3
    request_seed: SeedNumber = 11
    keep_runs: bool = False
    datasets: Annotated[tuple[DatasetSpec, ...], Field(min_length=1)]
    backbones: Annotated[tuple[Annotated[Backbone, _named("model")], ...], Field(min_length=1)]
    requests: Annotated[tuple[RequestSpec, ...], Field(min_length=1)]
    methods: Annotated[tuple[Annotated[Method, _named("method")], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for table in _TABLES:
            _refuse_repeated(table, (entry.label for entry in getattr(self, table)))
        _refuse_repeated("seeds", map(str, self.seeds))
        for seed in self.seeds:
            if GOLD_SEED <= seed < GOLD_SEED + self.golds:
                raise ValueError(f"seeds: {seed} is that of a Gold, which would not be independent; choose another")
        for method in self.methods:
            if method.label in REFERENCES:
                raise ValueError(f"'{method.label}' is the name of a reference; give the method another name")
        return self


def _refuse_repeated(table: str, labels: Iterable[str]) -> None:
    again = [label for label, count in Counter(labels).items() if count > 1]
    if again:
        raise ValueError(f"'{again[0]}' occurs more than once in {table}; give each entry a name of its own")


def load(spec: str) -> tuple[BenchSpec, Path]:
    """Return the spec in a TOML file, or a shipped one by its name; and the folder its relative paths start from.

    Raises:
        ConfigError: naming file and key of the first thing that is wrong.
    """
    if is_file(spec):
        return parse(load_toml(Path(spec)), spec), Path(spec).parent
    with as_file(spec_folder() / f"{spec}.toml") as place:
        return parse(load_toml(place), spec), Path()


def parse(values: Mapping[str, Any], where: str) -> BenchSpec:
    """Check `values`; `where` names their source in errors.

    Raises:
        ConfigError: naming `where` and the key of the first thing that is wrong.
    """
    try:
        spec = BenchSpec.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{where}: {_one_line(error)}") from None
    for key, check in _checks(spec):
        try:
            check()
        except MMRecUnError as error:
            raise ConfigError(f"{where}: {key}: {error}") from None
    return spec


def _checks(spec: BenchSpec) -> Iterator[tuple[str, Callable[[], object]]]:
    for place, backbone in enumerate(spec.backbones):
        yield f"backbones[{place}]", backbone.configs
    for place, method in enumerate(spec.methods):
        yield f"methods[{place}]", method.config


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    place = tuple(part for part in first["loc"] if part not in _ALTERNATIVES)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    if first["type"] == "extra_forbidden":
        return f"{key}: {unknown_name('key', str(place[-1]), _fields_at(place[:-1]))}"
    if first["type"] == "missing":
        return f"{key}: is missing"
    if first["type"] in _SHAPES:
        return f"{key}: {_SHAPES[first['type']].format(key)}"
    return f"{key}: {reason[0].lower()}{reason[1:]}" if key else reason


def _fields_at(place: tuple[int | str, ...]) -> list[str]:
    """Return the names of the fields that are possible at `place`."""
    cls: type[Settings] = BenchSpec
    for part in place:
        if isinstance(part, str):
            cls = _settings_in(cls.model_fields[part].annotation) or cls
    return list(cls.model_fields)


def _settings_in(annotation: Any) -> type[Settings] | None:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next(filter(None, map(_settings_in, get_args(annotation))), None)

"""Typed, frozen settings, each declared once. An unknown name is refused with the nearest known one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from mmrecun.errors import ConfigError
from mmrecun.text import unknown_name


class Settings(BaseModel):
    """Base of every settings class: immutable, and strict about names and finite numbers.

    Attributes:
        renamed: earlier name of a setting -> its current name; both are read, so old manifests stay readable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
    renamed: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_names(cls, values: Any) -> Any:
        if not cls.renamed or not isinstance(values, Mapping):
            return values
        for earlier, now in cls.renamed.items():
            if earlier in values and now in values:
                raise ValueError(f"'{earlier}' is the earlier name of '{now}', and both are given; keep '{now}'")
        return {cls.renamed.get(name, name): value for name, value in values.items()}

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "settings") -> Self:
        """Validate `values`; `where` names their source in the error.

        Raises:
            ConfigError: with the setting's name, what was given and what would do.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(f"{where}: {first_mistake(cls, error)}") from None

    def json_text(self) -> str:
        """Return the settings as indented JSON that ends with a line end, as files have it."""
        return self.model_dump_json(indent=2) + "\n"


class Hyperparameters(Settings):
    """Base of settings that users tune: those of models, trainings and methods.

    Attributes:
        largest: upper limit of fractions, rates and weights. It catches slips such as 1e30 for 1e-3, which would
            overflow on large data only and go unnoticed elsewhere.
        most: upper limit of whole numbers, which have to fit the machine's own.
    """

    largest: ClassVar[float] = 1e6
    most: ClassVar[int] = 10**15

    @model_validator(mode="before")
    @classmethod
    def _refuse_truth_for_number(cls, values: Any) -> Any:
        for name, value in values.items() if isinstance(values, Mapping) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and field.annotation in (int, float):
                raise ValueError(f"{name} = {value}: should be a number")
        return values

    @model_validator(mode="after")
    def _refuse_larger(self) -> Self:
        for name, value in self:
            if isinstance(value, float) and abs(value) > self.largest:
                raise ValueError(f"{name} = {value:g}: should not be beyond {self.largest:,.0f}")
            if isinstance(value, int) and abs(value) > self.most:
                raise ValueError(f"{name} = {value}: should not be beyond {self.most:,}")
        return self


def first_mistake(cls: type[BaseModel], error: ValidationError) -> str:
    """Describe the first mistake in one line: the setting's name, what was given and what would do."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_name("setting", name, cls.model_fields)
    reason = first["msg"].removeprefix("Value error, ")
    if not name:  # a mistake that concerns several settings
        return reason
    return f"{name} = {first['input']!r}: {reason[0].lower()}{reason[1:]}"


def first_fault(error: ValidationError) -> str:
    """Describe the first mistake in a file in one line: its place and what would do, without the value."""
    first = error.errors()[0]
    place, reason = ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason[0].lower()}{reason[1:]}" if place else reason


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: when it is missing or not TOML, with the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


First = TypeVar("First", bound=Settings)
Second = TypeVar("Second", bound=Settings)


def split_settings(first: type[First], second: type[Second], values: Mapping[str, Any]) -> tuple[First, Second]:
    """Split one flat list of settings between two classes; refuse a name that neither has.

    Raises:
        ConfigError: naming the nearest known setting.
    """
    known = [{*cls.model_fields, *cls.renamed} for cls in (first, second)]
    for name in values:
        if name not in known[0] and name not in known[1]:
            raise ConfigError(unknown_name("setting", name, [*first.model_fields, *second.model_fields]))
    return (
        first.of({name: value for name, value in values.items() if name in known[0]}),
        second.of({name: value for name, value in values.items() if name in known[1]}),
    )

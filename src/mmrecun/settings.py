"""Typed, frozen settings, each declared once; unknown names are refused with the nearest known one."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mmrecun.errors import ConfigError


class Settings(BaseModel):
    """Base of every settings class: immutable, and strict about names and finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "settings") -> Self:
        """Validate `values`; `where` names their source in the error.

        Raises:
            ConfigError: with the setting's name, what was given and what would do.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(f"{where}: {first_line(cls, error)}") from None


def first_line(cls: type[BaseModel], error: ValidationError) -> str:
    """The first of the mistakes in one line: the setting's name, what was given and what would do."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_name("setting", name, cls.model_fields)
    return f"{name} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"


def unknown_name(kind: str, name: str, known: Mapping[str, object] | list[str]) -> str:
    """One line for a name that is not known, with the nearest known ones.

    >>> unknown_name("model", "lightgnc", ["bprmf", "lightgcn"])
    "unknown model 'lightgnc'; did you mean 'lightgcn'? known: bprmf, lightgcn"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown {kind} '{name}'; {hint}known: {', '.join(sorted(known))}"


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """`["layers=3", "form=swapped"]` as a dictionary; values are read as TOML, bare words as text.

    >>> parse_assignments(["layers=3", "form=swapped"])
    {'layers': 3, 'form': 'swapped'}
    """
    parsed: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator or not name.strip():
            raise ConfigError(f"--set {assignment}: write it as name=value, for example --set layers=3")
        try:
            parsed[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[name.strip()] = text.strip()
    return parsed


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

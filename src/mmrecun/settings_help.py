"""Describe the settings of a class: name, default, range and meaning of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mmrecun.settings import Settings
from mmrecun.text import alternatives

_WORDS = {int: "integer", float: "number", str: "text"}


@dataclass(frozen=True)
class SettingHelp:
    """One setting.

    Attributes:
        name: as `--set` takes it.
        default: as text; "none" where there is none, "required" where it must be given.
        range: the values that it takes, such as "integer > 0".
        meaning: one phrase, with the paper's symbol where there is one.
    """

    name: str
    default: str
    range: str
    meaning: str


def settings_help(cls: type[Settings]) -> list[SettingHelp]:
    """Describe every setting of `cls`, in the order of the class.

    >>> from pydantic import Field
    >>> class Walk(Settings):
    ...     hops: int = Field(default=2, gt=0, le=9, description="edges to follow")
    >>> settings_help(Walk)
    [SettingHelp(name='hops', default='2', range='0 < integer <= 9', meaning='edges to follow')]
    """
    return [
        SettingHelp(name, _default(field), _range(field.annotation, field.metadata), field.description or "")
        for name, field in cls.model_fields.items()
    ]


def own_settings(cls: type[Settings], shared: type[Settings]) -> list[SettingHelp]:
    """Describe the settings of `cls` that `shared` does not describe in the same words."""
    known = settings_help(shared)
    return [setting for setting in settings_help(cls) if setting not in known]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return shown(field.get_default(call_default_factory=True))


def shown(value: object) -> str:
    """Return a default as a person would type it.

    >>> [shown(value) for value in (0.001, True, None, {}, ("image", "audio"), "")]
    ['0.001', 'true', 'none', '{}', '["image", "audio"]', '""']
    """
    if value is None:
        return "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str) and value:
        return value
    return json.dumps(value)


def _range(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    origin = get_origin(annotation)
    arguments = [part for part in get_args(annotation) if part is not Ellipsis]
    if hasattr(annotation, "__metadata__"):  # Annotated, inside of another type
        return _range(arguments[0], annotation.__metadata__)
    if origin in (Union, UnionType):
        return " or ".join(_range(part, metadata) for part in arguments if part is not NoneType)
    if isinstance(origin, type):
        return f"{'table' if issubclass(origin, Mapping) else 'list'} of {_range(arguments[-1])}"
    if annotation is bool:
        return "true or false"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return alternatives([str(member.value) for member in annotation])
    return _bounded(_WORDS.get(annotation, getattr(annotation, "__name__", "any")), metadata)


def _bounded(word: str, metadata: Sequence[Any]) -> str:
    """Return `word` with its bounds; a lower one alone comes after it, as in "number > 0"."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    bounds = [
        (shown(value), sign)
        for constraint in metadata
        for name, sign in signs.items()
        if (value := getattr(constraint, name, None)) is not None
    ]
    lower = next((bound for bound in bounds if bound[1].startswith(">")), ("", ""))
    upper = next((bound for bound in bounds if bound[1].startswith("<")), ("", ""))
    if lower[1] and upper[1]:
        return f"{lower[0]} {lower[1].replace('>', '<')} {word} {upper[1]} {upper[0]}"
    bound = lower if lower[1] else upper
    return f"{word} {bound[1]} {bound[0]}" if bound[1] else word

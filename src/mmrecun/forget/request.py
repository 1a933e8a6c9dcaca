"""Forget requests: what is to be forgotten, by external ids."""

from collections.abc import Iterable, Mapping, Set
from enum import StrEnum
from numbers import Integral
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, ValidationError

from mmrecun.errors import ForgetError
from mmrecun.settings import Settings, first_mistake
from mmrecun.text import unknown_name

_LONGEST = 80  # of a value in a message
_NO_LIST = (str, bytes, bytearray, memoryview, Mapping)  # can be iterated, but not over ids


class Target(StrEnum):
    """Kinds of data that a request can name."""

    USERS = "users"
    ITEMS = "items"
    INTERACTIONS = "interactions"
    MODALITIES = "modalities"


def as_id(value: object) -> str:
    """Return an id as text; whole numbers and UUIDs are converted.

    >>> as_id("u3"), as_id(3)
    ('u3', '3')

    Raises:
        ForgetError: for anything else.
    """
    if isinstance(value, str | UUID) or (isinstance(value, Integral) and not isinstance(value, bool)):
        return _as_utf8(str(value))
    raise ForgetError(f"{_shown(value)} is not an id; ids are text or whole numbers")


def _as_utf8(text: str) -> str:
    """Return a text that a terminal of another encoding passed on byte by byte, as UTF-8; any other unchanged.

    Raises:
        ForgetError: when it is not text.
    """
    try:
        return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise ForgetError(f"{text!r} is not UTF-8 text; put the id into a file") from None


def _shown(value: object) -> str:
    """Return how a value is written, in one short line."""
    return text if len(text := " ".join(repr(value).split())) <= _LONGEST else f"{text[:_LONGEST]}..."


def _refuse_frame(values: object) -> None:
    """Refuse a data frame, since iterating over one yields columns or their names, not rows."""
    if hasattr(type(values), "columns"):  # of the type, since a lazy frame warns when asked for its columns
        raise ForgetError(
            "a data frame is not a list; give one column of it for ids, such as frame['user'], and for pairs "
            "list(zip(frame['user'], frame['item']))"
        )


def _ids(values: object) -> tuple[str, ...]:
    _refuse_frame(values)
    if isinstance(values, _NO_LIST) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        raise ForgetError(f"{_shown(values)} is not a list of ids; give one, such as ['u1', 'u2']")
    return tuple(as_id(value) for value in values)


def _pairs(values: object) -> tuple[tuple[str, ...], ...]:
    _refuse_frame(values)
    if isinstance(values, _NO_LIST) or not isinstance(values, Iterable):
        raise ForgetError(f"{_shown(values)} is not a list of pairs; write [(user, item), ...]")
    entries = list(values)
    if wrong := [pair for pair in entries if isinstance(pair, (*_NO_LIST, Set)) or not isinstance(pair, Iterable)]:
        raise ForgetError(f"{_shown(wrong[0])} is not a pair; write [(user, item), ...]")
    listed = tuple(_ids(pair) for pair in entries)
    if wrong := [pair for pair in listed if len(pair) != 2]:
        raise ForgetError(f"{wrong[0]!r} is not a pair of a user and an item")
    return listed


def _modalities(values: object) -> dict[str, tuple[str, ...] | None]:
    if not isinstance(values, Mapping):
        raise ForgetError(
            f"{values!r} is not a mapping of modalities; write {{name: None}} for all items or {{name: [item, ...]}}"
        )
    return {str(name): None if names is None else _ids(names) for name, names in values.items()}


class ForgetRequest(Settings):
    """The users, items, pairs and modalities to forget, by external id.

    Attributes:
        users: these users and all their interactions.
        items: these items, their interactions and their features.
        pairs: single (user, item) interactions.
        modalities: modality name -> the items that lose it, or None for the modality as a whole.
    """

    users: Annotated[tuple[str, ...], BeforeValidator(_ids)] = ()
    items: Annotated[tuple[str, ...], BeforeValidator(_ids)] = ()
    pairs: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_pairs)] = ()
    modalities: Annotated[Mapping[str, tuple[str, ...] | None], BeforeValidator(_modalities)] = {}

    def __init__(self, **values: Any) -> None:
        """Take lists, arrays or columns of ids.

        Raises:
            ForgetError: for an unknown target, or a value that is not a list of ids.
        """
        for name in values:
            if name not in type(self).model_fields:
                raise ForgetError(unknown_name("target", name, list(type(self).model_fields)))
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ForgetError(f"forget request: {first_mistake(type(self), error)}") from None

    @classmethod
    def coerce(cls, request: "ForgetRequest | Mapping[str, Any]") -> "ForgetRequest":
        """Return a request unchanged, or build it from a mapping with its fields.

        Raises:
            ForgetError: for anything else.
        """
        if isinstance(request, ForgetRequest):
            return request
        if not isinstance(request, Mapping):
            raise ForgetError(f"{request!r} is not a forget request; write ForgetRequest(users=[...])")
        return cls(**request)

    def empty(self) -> bool:
        """Whether nothing is requested."""
        return not (self.users or self.items or self.pairs or self.modalities)

"""Thrift's compact protocol, as far as the headers of Parquet need it: structures as dictionaries by field number.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Callable
from typing import Any, Protocol

Struct = dict[int, Any]
_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


class Content(Protocol):
    """Bytes, or a mapped file."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: Any, /) -> Any: ...


def read_struct(content: Content, place: int) -> tuple[Struct, int]:
    """Return the structure at `place`, and where it ends.

    Texts are bytes, lists are lists; values of maps and floating point numbers are passed over, as None.

    Raises:
        ValueError: when the bytes are not such a structure.
    """
    reader = _Reader(content, place)
    return reader.struct(0), reader.place


class _Reader:
    def __init__(self, content: Content, place: int) -> None:
        if not 0 <= place < len(content):
            raise ValueError("a header lies beyond the end of the file")
        self._content, self.place = content, place
        self._readers: dict[int, Callable[[int], Any]] = {
            _BYTE: lambda _: self._take(1)[0],
            **dict.fromkeys((_I16, _I32, _I64), lambda _: self._number()),
            _DOUBLE: lambda _: self._take(8) and None,
            _BINARY: lambda _: self._take(self._varint()),
            **dict.fromkeys((_LIST, _SET), self._list),
            _STRUCT: self.struct,
        }

    def struct(self, depth: int) -> Struct:
        """Read fields up to the stop byte; a field number is a difference to the last, or follows where it is large."""
        found: Struct = {}
        field = 0
        while head := self._take(1)[0]:
            field = field + (head >> 4) if head >> 4 else self._number()
            kind = head & 15
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth + 1)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind not in self._readers or depth > _DEEPEST:
            raise ValueError("a header is damaged")
        return self._readers[kind](depth)

    def _list(self, depth: int) -> list[Any]:
        head = self._take(1)[0]
        size = head >> 4 if head >> 4 < 15 else self._varint()
        kind = head & 15
        if size > len(self._content) - self.place:  # each element has one byte or more
            raise ValueError("a header is damaged")
        return [self._value(_BYTE if kind in (_TRUE, _FALSE) else kind, depth + 1) for _ in range(size)]

    def _number(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _varint(self) -> int:
        number = shift = 0
        while shift < 70:
            byte = self._take(1)[0]
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
        raise ValueError("a header is damaged")

    def _take(self, count: int) -> bytes:
        start, self.place = self.place, self.place + count
        if self.place > len(self._content):
            raise ValueError("a header is cut off")
        return bytes(self._content[start : self.place])

"""Bytes that are text or UUIDs without saying so, as Parquet and Arrow files may hold them."""

import uuid
from collections.abc import Iterable

import polars as pl

_UUID = 16  # bytes


class Bytes:
    """What the bytes of a column can be, told from all of its rows: text, UUIDs, or neither."""

    def __init__(self) -> None:
        self._text = self._uuids = True

    def see(self, values: pl.Series) -> None:
        """Look at some rows of the column, Binary."""
        given: list[bytes] = values.drop_nulls().to_list()
        self._text = self._text and all(_is_text(value) for value in given)
        self._uuids = self._uuids and all(len(value) == _UUID for value in given)

    def read(self, values: pl.Series) -> pl.Series:
        """Return some rows as String, or as they are where the column holds neither text nor UUIDs."""
        if self._text:
            return values.cast(pl.String)
        if not self._uuids:
            return values
        names = [None if value is None else str(uuid.UUID(bytes=value)) for value in values.to_list()]
        return pl.Series(values.name, names, dtype=pl.String)


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False


def binary_columns(table: pl.DataFrame) -> dict[str, Bytes]:
    """Return what is to be told of each column of bytes in a table."""
    return {name: Bytes() for name, dtype in table.schema.items() if dtype == pl.Binary}


def told_apart(batches: Iterable[pl.DataFrame]) -> dict[str, Bytes]:
    """Return what each column of bytes holds, from all rows of a table; nothing where no column is of bytes."""
    found: dict[str, Bytes] = {}
    for number, batch in enumerate(batches):
        found = found if number else binary_columns(batch)
        if not found:
            break
        for name, kind in found.items():
            kind.see(batch[name])
    return found


def without_bytes(table: pl.DataFrame, found: dict[str, Bytes] | None = None) -> pl.DataFrame:
    """Return a table with text for what is text or UUIDs; `found` tells it for a table that this is a part of."""
    told = told_apart([table]) if found is None else found
    return table.with_columns([kind.read(table[name]) for name, kind in told.items()]) if told else table

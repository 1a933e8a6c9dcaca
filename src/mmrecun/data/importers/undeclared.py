"""Columns of bytes that hold text or UUIDs without declaring it, as in some Parquet and Arrow files."""

import uuid
from collections.abc import Iterable

import polars as pl

_UUID = 16  # bytes


class ByteColumn:
    """A column of bytes, recognised from all of its rows as text, as UUIDs, or as neither."""

    def __init__(self) -> None:
        self._text = self._uuids = True

    def see(self, values: pl.Series) -> None:
        """Examine some rows of the column, Binary."""
        given: list[bytes] = values.drop_nulls().to_list()
        self._text = self._text and all(_is_text(value) for value in given)
        self._uuids = self._uuids and all(len(value) == _UUID for value in given)

    def read(self, values: pl.Series) -> pl.Series:
        """Return some rows as String, or unchanged where the column holds neither text nor UUIDs."""
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


def binary_columns(table: pl.DataFrame) -> dict[str, ByteColumn]:
    """Return the columns of bytes of a table, not yet examined."""
    return {name: ByteColumn() for name, dtype in table.schema.items() if dtype == pl.Binary}


def classify_bytes(batches: Iterable[pl.DataFrame]) -> dict[str, ByteColumn]:
    """Examine the columns of bytes of a table in all batches; return none where no column is of bytes."""
    found: dict[str, ByteColumn] = {}
    for number, batch in enumerate(batches):
        found = found if number else binary_columns(batch)
        if not found:
            break
        for name, kind in found.items():
            kind.see(batch[name])
    return found


def without_bytes(table: pl.DataFrame, found: dict[str, ByteColumn] | None = None) -> pl.DataFrame:
    """Return a table with columns of text or UUIDs as String; `found` is given where `table` is one batch of many."""
    columns = classify_bytes([table]) if found is None else found
    return table.with_columns([kind.read(table[name]) for name, kind in columns.items()]) if columns else table

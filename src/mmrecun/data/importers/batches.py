"""Tables read a batch of rows at a time, so that a table of interactions need not fit into memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from mmrecun.data.importers.arrow import arrow_batches
from mmrecun.data.importers.columns import looks_like_row
from mmrecun.data.importers.compressed import decompressing
from mmrecun.data.importers.delimited import (
    header_names,
    quotes,
    ragged,
    starts,
    swallowed,
    unreadable,
    without_blank_end,
)
from mmrecun.data.importers.readers import (
    Kind,
    Source,
    json_starts,
    kind_of,
    not_json,
    scan_json,
    separator_for,
)
from mmrecun.data.importers.undeclared import classify_bytes, without_bytes
from mmrecun.data.parquet import readable_parquet
from mmrecun.errors import DataError
from mmrecun.text import preview, unknown_name

ROWS = 500_000  # in a batch

Batches = Callable[[Sequence[str]], Iterator[Source]]


@dataclass(frozen=True)
class Table:
    """A table that is read in batches, each a `Source` whose errors name the line in the file.

    Attributes:
        path: the file, for messages.
        columns: names of its columns.
        read: yields the batches of the columns named.
        header: whether the names are the first line of a text file, which might be a row.
        warnings: complete once the last batch was read.
        cut_valid: whether validation is to be cut from train, because none was published.
        added: columns that the reader added, which are not in the file.
    """

    path: Path
    columns: tuple[str, ...]
    read: Batches
    header: bool = False
    warnings: list[str] = field(default_factory=list)
    cut_valid: bool = False
    added: tuple[str, ...] = ()

    def require(self, wanted: Sequence[str]) -> None:
        """Require some columns.

        Raises:
            DataError: when one of them is not there.
        """
        for name in wanted:
            if name not in self.columns:
                ask = f"; name it with `data import --{name}`" if name in ("user", "item") else ""
                ask += "; if line 1 is a row and not a header, name the columns with --columns" if self.header else ""
                raise DataError(f"{self.path}: {unknown_name('column', name, list(self.columns))}{ask}")

    def batches(self, wanted: Sequence[str]) -> Iterator[Source]:
        """Yield the batches of some columns.

        Raises:
            DataError: when one of them is not there, or the table has no rows.
        """
        self.require(wanted)
        empty = True
        for batch in self.read(list(dict.fromkeys(wanted))):
            if batch.table.height:
                empty = False
                yield batch
        if empty:
            raise DataError(f"{self.path}: holds no rows")


def open_table(
    path: Path, separator: str | None = None, columns: Sequence[str] = (), number: str | None = None
) -> Table:
    """Open a table by its suffix; arguments and errors are those of `read_table`.

    A column `number` of a text file is Int64 in those batches up to which it holds whole numbers alone.
    """
    kind = kind_of(path, separator, columns)
    if kind is Kind.DELIMITED:
        return _delimited(path, separator_for(path, separator), columns, number)
    if kind is Kind.PARQUET:
        return _parquet(path)
    return _arrow(path) if kind is Kind.ARROW else open_json(path)


def _delimited(path: Path, separator: str, columns: Sequence[str], number: str | None) -> Table:
    with decompressing(path):
        quoted = quotes(path, separator)
        scan = partial(
            pl.scan_csv,
            path,
            separator=separator,
            infer_schema=False,
            glob=False,
            quote_char='"' if quoted else None,
            has_header=not columns,
        )
        frame = scan()
        try:
            header = frame.collect_schema().names()
        except pl.exceptions.PolarsError as error:
            raise DataError(unreadable(path, separator, quoted, error)) from None
        names = header_names(path, header, separator, columns)
    warnings: list[str] = []
    if not columns and looks_like_row(header):
        shown = preview([f"'{name}'" for name in header], 4)
        warnings.append(f"{path}, line 1: is it a row? {shown} were taken for names of columns; if so, give --columns")

    number = header[names.index(number)] if number in names else None

    def read(wanted: Sequence[str]) -> Iterator[Source]:
        rows, checked = 0, False
        typed = scan(schema_overrides={number: pl.Int64}) if number else None
        try:
            with decompressing(path):
                # all columns are read: where polars reads some alone, it passes over what a line has too many of
                for batch in _without_blank_end(_typed_first(typed, number, frame)):
                    batch.columns = names
                    if not checked and batch.to_series(-1).null_count():
                        checked = True
                        if short := ragged(path, separator, quoted):
                            raise DataError(short)
                    lines = partial(_from, partial(starts, path, separator, quoted, not columns), rows)
                    yield Source(path, batch.select(wanted), lines)
                    rows += batch.height
                if quoted:
                    warnings.extend(swallowed(path, separator, rows + (not columns)))
        except pl.exceptions.PolarsError as error:
            raise DataError(unreadable(path, separator, quoted, error)) from None

    return Table(path, tuple(names), read, not columns, warnings)


def _collected(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    yield from frame.collect_batches(chunk_size=ROWS, maintain_order=True)


def _typed_first(typed: pl.LazyFrame | None, number: str | None, text: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Yield batches of `typed` until its column `number` holds something else than a number, then those of `text`.

    Parsing a number at once takes less time than keeping its text; anything else is shown as text in the messages.
    """
    rows = 0
    if typed is not None and number is not None:
        with suppress(pl.exceptions.PolarsError):  # the same fault is found in the text below, and reported then
            for batch in _collected(typed):
                if batch[number].null_count():
                    break
                yield batch
                rows += batch.height
            else:
                return
    for batch in _collected(text):  # from the start: where polars skips rows, it passes over some malformed ones
        yield batch.slice(rows)
        rows = max(rows - batch.height, 0)


def _without_blank_end(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Yield batches without the blank lines at the end of the file; blank lines before other rows stay."""
    held: pl.DataFrame | None = None
    for batch in batches:
        if held is None and batch.height and batch.row(-1) != (None,) * batch.width:
            yield batch
            continue
        whole = batch if held is None else pl.concat([held, batch], how="vertical_relaxed")
        filled = without_blank_end(whole)
        held = whole.slice(filled.height) if filled.height < whole.height else None
        yield filled


def _from(lines: Callable[[], Iterator[int]], first: int) -> Iterator[int]:
    return islice(lines(), first, None)


def open_json(path: Path, schema: pl.Schema | None = None) -> Table:
    """Open JSON Lines, or an array; with a `schema`, its fields alone are read.

    Raises:
        DataError: naming the first line that is not JSON, or no object.
    """
    try:
        with decompressing(path):
            frame = scan_json(path, schema)
            names = frame.collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise DataError(not_json(path, error)) from None

    def read(wanted: Sequence[str]) -> Iterator[Source]:
        rows = 0
        try:
            with decompressing(path):
                for batch in _collected(frame.select(wanted)):
                    yield Source(path, batch, partial(_from, partial(json_starts, path), rows))
                    rows += batch.height
        except pl.exceptions.PolarsError as error:
            raise DataError(not_json(path, error)) from None

    return Table(path, tuple(names), read)


def _parquet(path: Path) -> Table:
    with readable_parquet(path):
        frame = pl.scan_parquet(path, glob=False)
        schema = frame.collect_schema()
    return typed_table(path, schema.names(), partial(_parquet_batches, path, frame))


def _parquet_batches(path: Path, frame: pl.LazyFrame, wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of some columns, first of all an empty table of them."""
    with readable_parquet(path):
        yield frame.select(wanted).collect_schema().to_frame()
        yield from _collected(frame.select(wanted))


def _arrow(path: Path) -> Table:
    names = next(arrow_batches(path, ROWS)).columns
    return typed_table(path, names, lambda wanted: (batch.select(wanted) for batch in arrow_batches(path, ROWS)))


def typed_table(path: Path, names: Sequence[str], batches: Callable[[Sequence[str]], Iterator[pl.DataFrame]]) -> Table:
    """Return a table whose columns have types; bytes become text where all rows allow it."""

    def read(wanted: Sequence[str]) -> Iterator[Source]:
        columns = classify_bytes(batches(wanted))
        rows = 0
        for batch in batches(wanted):
            yield Source(path, without_bytes(batch, columns), None, first=rows)
            rows += batch.height

    return Table(path, tuple(names), read)

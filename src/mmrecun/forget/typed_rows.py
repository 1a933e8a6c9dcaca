"""Requests in Parquet and JSON: the column that names whom, and lists within rows."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import as_ids, id_column, id_columns, ids
from mmrecun.data.importers.readers import Source, read_table
from mmrecun.data.lookalikes import stripped
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.request_rows import chosen_column, columns_of_ids, no_warning
from mmrecun.forget.request_text import Warn

_KINDS = ("user", "item")
_PAIRS = "pairs"
_PAIR = 2  # entries of a list that stands for a pair


def typed_column(
    path: Path, kind: str, header: str, known: IdMap | None, warn: Warn, of_pairs: bool = False
) -> tuple[str, ...]:
    """Return the ids of a Parquet or JSON file; arguments as for `read_ids`.

    Raises:
        ForgetError: when it cannot be read, or holds no such column or several.
    """
    try:
        return tuple(_typed(path, kind, header, known, warn, of_pairs)[1])
    except DataError as error:
        raise ForgetError(str(error)) from None


def _typed(
    path: Path, kind: str, header: str, known: IdMap | None, warn: Warn, of_pairs: bool = False
) -> tuple[Source, pl.Series]:
    """Return the rows of a Parquet or JSON file, and their ids."""
    table = read_table(path)
    source = _one_a_row(table, kind, header, of_pairs)
    names = columns_of_ids(source.table.columns, kind, header) or [id_column(source, kind, header)]
    plain = {name: as_ids(source.column(name), str(path)).drop_nulls() for name in names}
    entries = {name: stripped(values).to_list() for name, values in plain.items()}
    return source, ids(source, chosen_column(path, names, entries, known, warn))[0]


def fields_of_request(path: Path) -> list[str]:
    """Return the fields of a forget request that are not empty in a file that holds one object alone."""
    table = read_table(path).table
    row = table.row(0, named=True) if table.height == 1 else {}
    return [name for name in ForgetRequest.model_fields if row.get(name) and isinstance(row[name], list | dict)]


def typed_place(path: Path, names: Collection[str], kind: str, header: str, known: IdMap | None) -> str:
    """Return the file and the row, or line, of the first of `names` in a Parquet or JSON file; "" for none."""
    source, listed = _typed(path, kind, header, known, no_warning)
    return _first(source, listed.is_in(list(names)))


def typed_place_of_pair(
    path: Path, pairs: Collection[tuple[str, str]], headers: tuple[str, str], known: tuple[IdMap | None, IdMap | None]
) -> str:
    """Return the same for pairs; `headers` and `known` are of users and of items."""
    source, users = _typed(path, "user", headers[0], known[0], no_warning, of_pairs=True)
    items = _typed(path, "item", headers[1], known[1], no_warning, of_pairs=True)[1]
    wanted = set(pairs)
    return _first(source, pl.Series([pair in wanted for pair in zip(users, items, strict=True)]))


def _first(source: Source, fits: pl.Series) -> str:
    places = fits.arg_true()
    return source.at(int(places[0])) if len(places) else ""


def _one_a_row(source: Source, kind: str, header: str, of_pairs: bool) -> Source:
    """Return a table with an id a row, where a list holds several.

    Of an object alone, such as {"users": ["u1", "u2"]}, the list that is named after the kind, or `pairs`, is taken, or
    the only one; its entries may be objects. Else a list of items beside a user, or of users beside an item, is.
    """
    schema = source.table.schema
    lists = [name for name, dtype in schema.items() if isinstance(dtype, pl.List)]
    named = {side: id_columns(list(schema), side, header if side == kind else "") for side in _KINDS}
    plain = {side: [name for name in names if name not in lists] for side, names in named.items()}
    if source.table.height == 1 and not (plain["user"] or plain["item"]):
        wanted = [name for name in ((_PAIRS, *named[kind]) if of_pairs else named[kind]) if name in lists]
        only = [name for name in lists if len(lists) == 1 and (of_pairs or name != _PAIRS)]
        return _entries(source, (wanted or only)[0]) if wanted or only else source
    for side, other in (_KINDS, _KINDS[::-1]):
        within = [name for name in named[side] if name in lists]
        if plain[other] and not plain[side] and len(within) == 1:
            return _with_an_entry_a_row(source, within[0], [*plain[other], within[0]])
    return source


def _entries(source: Source, name: str) -> Source:
    """Return the entries of the only row's list as rows; the fields of objects, and of pairs, as columns.

    Raises:
        DataError: when there are none.
    """
    entries = source.table[name].explode(empty_as_null=False)
    if not len(entries):
        raise DataError(f"{source.path}: '{name}' is empty")
    if isinstance(entries.dtype, pl.Struct):
        table = entries.struct.unnest()
    elif isinstance(entries.dtype, pl.List) and (entries.list.len() == _PAIR).all():
        table = pl.DataFrame({side: entries.list.get(place) for place, side in enumerate(_KINDS)})
    else:
        table = entries.to_frame()
    return replace(source, table=table, lines=None)  # all stand in one object, so the entry is named


def _with_an_entry_a_row(source: Source, column: str, kept: list[str]) -> Source:
    """Return some columns of a table, with a row for each entry of a list; its lines are those of the lists."""
    counts = [max(count, 1) for count in source.table[column].list.len().fill_null(1)]  # of none, a null
    table = source.table.select(kept).explode(column, empty_as_null=True)
    return replace(source, table=table, lines=source.lines and partial(_repeated, source, counts))


def _repeated(source: Source, counts: list[int]) -> Iterator[int]:
    for line, count in zip(source.lines() if source.lines else (), counts, strict=False):
        yield from [line] * count

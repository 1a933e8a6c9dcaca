"""Rows of request files, held against the ids of a dataset: which column names whom, and what is a remark."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import id_columns
from mmrecun.errors import ForgetError
from mmrecun.forget.request_text import Warn
from mmrecun.text import counted, listing, preview

_WHOLE = re.compile(r"(\d+)\.0+")  # whole numbers, as pandas writes a column in which some are missing


class Row(NamedTuple):
    """A line of a request file.

    Attributes:
        number: from 1.
        text: without blanks around it.
        cells: its fields; the whole line where that is an id.
        whole: whether the line as it stands is an id.
    """

    number: int
    text: str
    cells: list[str]
    whole: bool


def no_warning(line: str) -> None:
    """Drop a remark about a request file."""


def among(known: IdMap | None, names: list[str]) -> list[bool]:
    """Return which of `names` are known; none where nothing is."""
    if known is None or not names:
        return [False] * len(names)
    return [bool(there) for there in known.find(pl.Series(names, dtype=pl.String)) >= 0]


def header_place(path: Path, rows: list[Row], kind: str, header: str, known: IdMap | None, warn: Warn) -> int | None:
    """Return the column in which the header, if there is one, has the ids.

    Raises:
        ForgetError: when several columns could be meant or are called alike, or a name in the header is an id as well.
    """
    if not rows or rows[0].whole:
        return None
    cells = rows[0].cells
    names = columns_of_ids(cells, kind, header)
    if not names:
        return None
    if len(names) == 1 and len(cells) > 1 and any(among(known, names)):
        raise ForgetError(
            f"{path}, line 1: '{names[0]}' may be a header or a {kind}; write one id a line, without further columns"
        )
    chosen = chosen_column(path, names, {name: _entries(rows[1:], cells.index(name)) for name in names}, known, warn)
    columns = [_entries(rows[1:], place) for place, name in enumerate(cells) if name == chosen]
    if any(column != columns[0] for column in columns):
        raise ForgetError(f"{path}, line 1: {len(columns)} columns are called '{chosen}'; leave all but one out")
    return cells.index(chosen)


def columns_of_ids(cells: Sequence[str], kind: str, header: str) -> list[str]:
    """Return the columns that may hold the ids; a bare `id`, which may number the rows, comes last."""
    return sorted(id_columns(cells, kind, header), key=lambda name: name.strip().lower() == "id")


def _entries(rows: list[Row], place: int) -> list[str]:
    return [row.cells[place] for row in rows if place < len(row.cells) and row.cells[place]]


def chosen_column(path: Path, names: list[str], entries: dict[str, list[str]], known: IdMap | None, warn: Warn) -> str:
    """Return the column of ids among several that are named so: the one whose entries are known, or the first.

    Raises:
        ForgetError: when the entries of several are.
    """
    if len(names) == 1 or known is None:
        return names[0]
    there = {name: among(known, entries[name]) for name in names}
    fitting = [name for name in names if there[name] and all(there[name])] or [n for n in names if any(there[n])]
    if len(fitting) == 2 and fitting[1].strip().lower() == "id":
        warn(f"{path}: the ids are taken from column '{fitting[0]}', and not from '{fitting[1]}'")
    elif len(fitting) > 1 and any(entries[name] != entries[fitting[0]] for name in fitting):
        raise ForgetError(f"{path}: the ids may be those of {listing(fitting)}; leave all but one of these columns out")
    return fitting[0] if fitting else names[0]


def without_comments(path: Path, rows: list[Row], place: int, known: IdMap | None, warn: Warn) -> list[Row]:
    """Return the rows that do not begin with "# ", unless that is an id."""
    marked = [row for row in rows if not row.whole and _comment(row.text)]
    ids_there = among(known, [row.cells[place] if place < len(row.cells) else "" for row in marked])
    remarks = {row.number for row, there in zip(marked, ids_there, strict=True) if not there}
    if remarks:
        warn(f"{path}: {counted(len(remarks), 'comment', 'was', 'were')} passed over (lines that begin with '# ')")
    return [row for row in rows if row.number not in remarks]


def without_point_zero(path: Path, listed: Sequence[str], known: IdMap | None, warn: Warn) -> tuple[str, ...]:
    """Return ids; those that are unknown, and known without a `.0` at their end, lose it."""
    odd = {name: found[1] for name in listed if (found := _WHOLE.fullmatch(name))}
    as_written, as_whole = among(known, list(odd)), among(known, list(odd.values()))
    forms = zip(odd.items(), as_written, as_whole, strict=True)
    changed = {name: whole for (name, whole), written, there in forms if there and not written}
    if changed:
        names = preview(f"{name} as {short}" for name, short in changed.items())
        warn(
            f"{path}: {counted(len(changed), 'id', 'was', 'were')} written as a fraction, "
            f"and read as a whole number: {names}"
        )
    return tuple(changed.get(name, name) for name in listed)


def _comment(text: str) -> bool:
    return text == "#" or text.startswith("# ")

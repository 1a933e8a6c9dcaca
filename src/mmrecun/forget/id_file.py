"""Files of users or items that are to be forgotten."""

import re
from collections.abc import Sequence
from pathlib import Path

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import header_name
from mmrecun.data.importers.readers import TYPED_SUFFIXES
from mmrecun.data.lookalikes import BLANKS
from mmrecun.errors import ForgetError
from mmrecun.forget.request_rows import Row, among, header_place, no_warning, without_comments, without_point_zero
from mmrecun.forget.request_text import SEPARATORS, Line, Warn, cells_of, joined, most_used_separator, read_lines
from mmrecun.forget.typed_rows import typed_column
from mmrecun.text import preview

_SEPARATOR = re.compile(f"[{SEPARATORS}]")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


def read_ids(
    path: Path, kind: str, known: IdMap | None = None, header: str = "", warn: Warn = no_warning, lenient: bool = False
) -> tuple[str, ...]:
    """Read the ids of a file: one a line, or one column of a table with a header.

    A line that is an id of the dataset is taken as one, whatever it looks like. Of any other the quotation marks and
    the further columns are taken off; a first line that names a column (`user_id`, `userID:token`, ...) is a header,
    and a line that begins with "# " a comment. Parquet, JSON and JSON Lines are read by their columns.

    Args:
        path: the file; `-` for standard input.
        kind: "user" or "item".
        known: the ids of the dataset, where there is one.
        header: a further name that a header may have, such as the column that was imported.
        warn: told what was passed over, and what could be read in two ways.
        lenient: take a first line that alone is unknown for an id, since unknown ids are passed over.

    Raises:
        ForgetError: when the file cannot be read, holds no id, its first line looks like a header of another name, or
            it can be read in several ways.
    """
    if path.suffix.lower() in TYPED_SUFFIXES:
        return without_point_zero(path, typed_column(path, kind, header, known, warn), known, warn)
    rows = _rows(path, known, warn)
    if rows and rows[0].whole and header_name(rows[0].text, kind, header) and len(rows) > 1:
        warn(f"{path}, line 1: '{rows[0].text}' was taken for a {kind} of that name, not for a header")
    place = header_place(path, rows, kind, header, known, warn)
    named = place is not None
    body = rows[1:] if named else rows
    kept = without_comments(path, body, place or 0, known, warn)
    if named and len(rows[0].cells) == 1:
        place = None  # a line with a comma may be one id, with or without a header
    _refuse_unmarked(path, kept, place or 0, kind, known)
    if place is None:
        _refuse_lists(path, kept, kind, known)
        _refuse_thousands(path, kept)
    first = among(known, [row.cells[0] for row in kept])
    listed = [_one_id(path, row, place, kind, known, there) for row, there in zip(kept, first, strict=True)]
    if not listed:
        raise ForgetError(f"{path}: holds no {kind} id")
    meant = without_point_zero(path, listed, known, warn)
    _refuse_header(path, meant, kind, None if lenient or named else known)
    return meant


def _rows(path: Path, known: IdMap | None, warn: Warn, separator: str = "") -> list[Row]:
    """Return the lines of a file, fields that span several of them put together.

    Raises:
        ForgetError: when a line inside such a field is an id, since the mark may have been meant otherwise.
    """
    lines, named = read_lines(path, warn)
    exact = among(known, [line.text for line in lines])
    bare = [line.text if there else line.text.strip(BLANKS) for line, there in zip(lines, exact, strict=True)]
    whole = among(known, bare)
    separator = (
        named or separator or most_used_separator([t for t, there in zip(bare, whole, strict=True) if not there])
    )
    ids_of_lines = {line.number for line, there in zip(lines, whole, strict=True) if there}
    rows: list[Row] = []
    stripped = [Line(line.number, text) for line, text in zip(lines, bare, strict=True)]
    for group in joined(stripped, separator):
        number, text = group[0].number, "\n".join(line.text for line in group)
        inner = [
            line for line in group[1:] if line.number in ids_of_lines or _begins_with_id(line.text, separator, known)
        ]
        if inner:
            raise ForgetError(
                f"{path}, lines {number} to {group[-1].number}: one field in quotation marks holds line "
                f"{inner[0].number}, which names an id; close the mark, or leave that column out"
            )
        is_id = len(group) == 1 and number in ids_of_lines
        cells = [text] if is_id else cells_of(text, separator)
        if any(cells):
            rows.append(Row(number, text, cells, is_id))
    if rows and len(rows[0].cells) == 1 and among(known, rows[0].cells) == [True]:
        rows[0] = Row(rows[0].number, rows[0].cells[0], rows[0].cells, True)  # in quotation marks it is the same id
    return rows


def _begins_with_id(text: str, separator: str, known: IdMap | None) -> bool:
    return among(known, cells_of(text, separator)[:1]) == [True]


def _refuse_lists(path: Path, rows: list[Row], kind: str, known: IdMap | None) -> None:
    """Refuse lines without a header in which several cells are ids: a list, or columns of which one is meant."""
    several = [row for row in rows if len(row.cells) > 1]
    cells = list({cell for row in several for cell in row.cells})
    ids_there = {cell for cell, there in zip(cells, among(known, cells), strict=True) if there}
    for row in several:
        found = list(dict.fromkeys(cell for cell in row.cells if cell in ids_there))
        if len(found) > 1:
            raise ForgetError(
                f"{path}, line {row.number}: several {kind}s ({preview(found)}); write one id a line, or a header"
            )


def _refuse_unmarked(path: Path, rows: list[Row], place: int, kind: str, known: IdMap | None) -> None:
    """Refuse lines whose id may be one cell, or that cell and the next: an id that holds a separator, without marks."""
    longer: dict[str, Row] = {}
    for row in rows:
        cell = row.cells[place] if len(row.cells) > place + 1 else ""
        start = row.text.find(cell)
        ends = [mark.start() for mark in _SEPARATOR.finditer(row.text, start + len(cell) + 1)] if cell else []
        names = {row.text[start:end].strip(BLANKS) for end in (*ends, len(row.text))} if cell and start >= 0 else set()
        longer |= dict.fromkeys(names - {cell}, row)
    for name, there in zip(longer, among(known, list(longer)), strict=True):
        if there:
            number, cell = longer[name].number, longer[name].cells[place]
            raise ForgetError(
                f"{path}, line {number}: the {kind} may be '{cell}' or '{name}'; put an id that holds a separator into "
                "quotation marks"
            )


def _refuse_thousands(path: Path, rows: list[Row]) -> None:
    """Refuse lines of which each may be a number with commas between thousands, or an id and a number."""
    several = [row for row in rows if len(row.cells) > 1]
    if several and all(_THOUSANDS.fullmatch(row.text) for row in several):
        raise ForgetError(
            f"{path}, line {several[0].number}: {several[0].text} may be one number or several columns; "
            "write numbers without commas, or a header with a name for each column"
        )


def _one_id(path: Path, row: Row, place: int | None, kind: str, known: IdMap | None, first: bool) -> str:
    number, text, cells, whole = row
    if whole or (len(cells) == 1 and not place):
        return cells[0]
    if place is not None:
        if len(cells) <= place or not cells[place]:
            raise ForgetError(f"{path}, line {number}: no {kind} id in column {place + 1}")
        return cells[place]
    if known is None:
        if "\t" in text:
            raise ForgetError(f"{path}, line {number}: several columns; give one {kind} id a line")
        return text
    if not any(cells[1:]):
        return cells[0]
    # a comma within prose, such as "Smith, John", does not end an id
    return cells[0] if ", " not in text and first else text


def _refuse_header(path: Path, listed: Sequence[str], kind: str, known: IdMap | None) -> None:
    there = among(known, list(listed))
    if known is not None and len(listed) > 1 and not there[0] and all(there[1:]):
        raise ForgetError(
            f"{path}, line 1: '{listed[0]}' is not among the {kind}s of the dataset, and all others are; "
            f"if it is a header, call the column '{kind}'{known.alike(listed[:1])}"
        )

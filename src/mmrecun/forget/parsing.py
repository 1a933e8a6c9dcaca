"""Forget requests as people write them: lists of ids, files of ids or pairs, and attribute expressions."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import header_name, id_column, ids
from mmrecun.data.importers.readers import TYPED_SUFFIXES, read_table
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.attribute_filter import select
from mmrecun.forget.request import ForgetRequest

Warn = Callable[[str], None]
_SEPARATORS = "\t,;|"
Line = tuple[int, str]


def no_warning(line: str) -> None:
    """Ignore a warning about a request file."""


def read_ids(
    path: Path, kind: str, known: IdMap | None = None, header: str = "", warn: Warn = no_warning, lenient: bool = False
) -> tuple[str, ...]:
    """Read the ids of a file: one a line, or one column of a table with a header.

    A line that is an id of the dataset is read as one, whatever it looks like. From any other line, quotation marks and
    further columns are removed. A first line that names a column (`user_id`, `userID:token`, ...) is a header, and a
    line that begins with "# " is a comment. Parquet and JSON Lines are read by their columns.

    Args:
        path: the file.
        kind: "user" or "item".
        known: the ids of the dataset, if there is one.
        header: a further name that a header may have, such as that of the imported column.
        warn: receives a line about what was ignored, and about what could be read in two ways.
        lenient: read a first line as an id even if it is the only unknown one, since unknown ids are skipped.

    Raises:
        ForgetError: when the file cannot be read, holds no id, or has a first line that looks like an unknown header.
    """
    if path.suffix.lower() in TYPED_SUFFIXES:
        return _column(path, kind, header)
    lines = _lines(path)
    whole = _among(known, [text for _, text in lines])
    if lines and whole[0] and header_name(lines[0][1], kind, header) and len(lines) > 1:
        warn(f"{path}, line 1: '{lines[0][1]}' was taken for a {kind} of that name, not for a header")
    separator = _separator([text for (_, text), there in zip(lines, whole, strict=True) if not there])
    place = None if not lines or whole[0] else _header_place(_cells(lines[0][1], separator), kind, header)
    kept = [line for line, there in zip(lines, whole, strict=True) if there or not _comment(line[1])]
    if len(kept) < len(lines):
        warn(f"{path}: {len(lines) - len(kept)} lines that begin with '# ' were passed over as comments")
    listed = [
        text if there else _one_id(path, number, _cells(text, separator), text, place, kind, known)
        for (number, text), there in _with(kept[place is not None :], known)
    ]
    if not listed:
        raise ForgetError(f"{path}: holds no {kind} id")
    _refuse_header(path, listed, kind, None if lenient or place is not None else known)
    return tuple(listed)


def _with(lines: list[Line], known: IdMap | None) -> Iterable[tuple[Line, bool]]:
    return zip(lines, _among(known, [text for _, text in lines]), strict=True)


def _among(known: IdMap | None, names: list[str]) -> list[bool]:
    if known is None or not names:
        return [False] * len(names)
    return [bool(there) for there in known.find(pl.Series(names, dtype=pl.String)) >= 0]


def _one_id(
    path: Path, number: int, cells: list[str], text: str, place: int | None, kind: str, known: IdMap | None
) -> str:
    if len(cells) == 1 and not place:
        return cells[0]
    if place is not None:
        if len(cells) <= place or not cells[place]:
            raise ForgetError(f"{path}, line {number}: no {kind} id in column {place + 1}")
        return cells[place]
    if known is None:
        if "\t" in text:
            raise ForgetError(f"{path}, line {number}: several columns; give one {kind} id a line")
        return text
    # a comma within prose, such as "Smith, John", does not end an id
    return cells[0] if ", " not in text and _among(known, cells[:1])[0] else text


def _refuse_header(path: Path, listed: list[str], kind: str, known: IdMap | None) -> None:
    there = _among(known, listed)
    if known is not None and len(listed) > 1 and not there[0] and all(there[1:]):
        raise ForgetError(
            f"{path}, line 1: '{listed[0]}' is no {kind} of the dataset, and all others are; "
            f"if it is a header, call the column '{kind}'"
        )


def _header_place(cells: list[str], kind: str, header: str) -> int | None:
    return next((place for place, cell in enumerate(cells) if header_name(cell, kind, header)), None)


def _separator(texts: list[str]) -> str:
    """Return the separator that most lines contain; the first of several equal ones, "" if there is none."""
    counts = {mark: sum(mark in text for text in texts) for mark in _SEPARATORS}
    return max(_SEPARATORS, key=lambda mark: counts[mark]) if any(counts.values()) else ""


def _cells(text: str, separator: str) -> list[str]:
    row = next(csv.reader([text], delimiter=separator or "\x1f", skipinitialspace=True), [text])
    return [cell.strip() for cell in row]


def _comment(text: str) -> bool:
    return text == "#" or text.startswith("# ")


def _column(path: Path, kind: str, header: str) -> tuple[str, ...]:
    try:
        source = read_table(path)
        return tuple(ids(source, id_column(source, kind, header))[0])
    except DataError as error:
        raise ForgetError(str(error)) from None


def read_pairs(path: Path, dataset: Dataset | None = None, warn: Warn = no_warning) -> tuple[tuple[str, str], ...]:
    """Read the pairs of a file: a user and an item a line, separated by tab, comma, semicolon or bar.

    If a header names the two columns, those are read; otherwise the first two. Further columns are ignored. A line that
    begins with "# " is a comment, unless it begins with a user of the dataset.

    Args:
        path: the file.
        dataset: dataset of the pairs, if there is one; tells ids from separators, comments and headers.
        warn: receives a line about what was ignored.

    Raises:
        ForgetError: when the file cannot be read, holds no pair, or a line has fewer than two columns.
    """
    columns = dataset.columns if dataset else {}
    if path.suffix.lower() in TYPED_SUFFIXES:
        sides = [_column(path, kind, columns.get(kind, "")) for kind in ("user", "item")]
        return tuple(zip(*sides, strict=True))
    lines = _lines(path)
    separator = _best_separator([text for _, text in lines], dataset)
    rows = [(number, _cells(text, separator)) for number, text in lines]
    places = (0, 1)
    if rows and not _known_pair(rows[0][1], dataset):
        found = [_header_place(rows[0][1], kind, columns.get(kind, "")) for kind in ("user", "item")]
        if found[0] is not None:
            rows = rows[1:]
            places = (found[0], found[1] if found[1] not in (None, found[0]) else found[0] + 1)
    pairs = [_pair(path, number, cells, places) for number, cells in rows if not _remark(cells, dataset)]
    if len(pairs) < len(rows):
        warn(f"{path}: {len(rows) - len(pairs)} lines that begin with '# ' were passed over as comments")
    if not pairs:
        raise ForgetError(f"{path}: holds no pair")
    return tuple(pairs)


def _pair(path: Path, number: int, cells: list[str], places: tuple[int, int]) -> tuple[str, str]:
    found = [cells[place] for place in places if place < len(cells) and cells[place]]
    if len(found) != 2:
        raise ForgetError(f"{path}, line {number}: expected a user and an item, found {len(cells)} columns")
    return found[0], found[1]


def _remark(cells: list[str], dataset: Dataset | None) -> bool:
    return _comment(cells[0]) and not _known_pair(cells, dataset)


def _known_pair(cells: list[str], dataset: Dataset | None) -> bool:
    if dataset is None or len(cells) < 2:
        return False
    return _among(dataset.users, cells[:1])[0] and _among(dataset.items, cells[1:2])[0]


def _best_separator(texts: list[str], dataset: Dataset | None) -> str:
    """Return the separator that makes most lines pairs of the dataset, or else the one in the first line."""
    present = [mark for mark in _SEPARATORS if any(mark in text for text in texts)]
    if dataset is not None and len(present) > 1:
        sample = texts[:200]
        fits = {mark: sum(_known_pair(_cells(text, mark), dataset) for text in sample) for mark in present}
        if any(fits.values()):
            return max(present, key=lambda mark: fits[mark])
    first = texts[0] if texts else ""
    return next((mark for mark in _SEPARATORS if mark in first), ",")


def _lines(path: Path) -> list[Line]:
    """Return the lines that are not blank, stripped, each with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ForgetError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ForgetError(f"{path}: a folder, not a file of ids") from None
    except (UnicodeDecodeError, OSError) as error:
        raise ForgetError(f"{path}: not readable as UTF-8 text: {error}") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]


def read_modalities(
    values: Sequence[str], known: IdMap | None = None, header: str = "", warn: Warn = no_warning, lenient: bool = False
) -> dict[str, tuple[str, ...] | None]:
    """Read `NAME` as a whole modality and `NAME:FILE` as that modality of the items in a file, as `read_ids` does.

    Raises:
        ForgetError: when a modality is named twice, or a file cannot be read.
    """
    parsed: dict[str, tuple[str, ...] | None] = {}
    for value in values:
        name, separator, path = value.partition(":")
        if name in parsed:
            raise ForgetError(f"--modality {value}: '{name}' is named twice; give it as a whole or with one file")
        parsed[name] = read_ids(Path(path), "item", known, header, warn, lenient) if separator else None
    return parsed


def add_matching(request: ForgetRequest, dataset: Dataset, expression: str) -> tuple[ForgetRequest, int]:
    """Add what `expression` selects to `request`; return it and the number of rows that could not be decided.

    Raises:
        ForgetError: when the expression does not fit, or selects nothing.
    """
    pairs = dataset.interactions
    tables = {
        "items": dataset.item_attributes,
        "users": dataset.user_attributes,
        "pairs": pairs.attributes,
    }
    matches = select(expression, tables)
    if not matches.selected.any():
        raise ForgetError(f"--where {expression}: no row of {matches.table} fits")
    mask = pl.Series(matches.selected)
    found: dict[str, tuple[Any, ...]]
    if matches.table == "pairs":
        users = dataset.users.names.gather(pairs.users).filter(mask)
        items = dataset.items.names.gather(pairs.items).filter(mask)
        found = {"pairs": (*request.pairs, *zip(users, items, strict=True))}
    elif matches.table == "users":
        found = {"users": (*request.users, *dataset.users.names.filter(mask))}
    else:
        found = {"items": (*request.items, *dataset.items.names.filter(mask))}
    return ForgetRequest(**{**request.model_dump(), **found}), matches.undecided

"""Files of user-item pairs that are to be forgotten."""

from pathlib import Path

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.readers import TYPED_SUFFIXES
from mmrecun.data.lookalikes import BLANKS
from mmrecun.errors import ForgetError
from mmrecun.forget.request_rows import Row, among, header_place, no_warning, without_comments, without_point_zero
from mmrecun.forget.request_text import SEPARATORS, Line, Warn, cells_of, joined, read_lines, separators_in
from mmrecun.forget.typed_rows import typed_column
from mmrecun.text import counted


def read_pairs(path: Path, dataset: Dataset | None = None, warn: Warn = no_warning) -> tuple[tuple[str, str], ...]:
    """Read the pairs of a file: a user and an item a line, separated by tab, comma, semicolon or bar.

    A header that names the two columns says where they are; else they are the first two. Further columns are passed
    over. A line that begins with "# " is a comment, unless it begins with a user of the dataset.

    Args:
        path: the file; `-` for standard input.
        dataset: what the pairs are of, where there is one; it tells ids from separators, comments and headers.
        warn: told what was passed over.

    Raises:
        ForgetError: when the file cannot be read, holds no pair, or a line does not have two columns.
    """
    columns = dataset.columns if dataset else {}
    users, items = (dataset.users, dataset.items) if dataset else (None, None)
    if path.suffix.lower() in TYPED_SUFFIXES:
        sides = [
            without_point_zero(
                path, typed_column(path, kind, columns.get(kind, ""), known, warn, of_pairs=True), known, warn
            )
            for kind, known in (("user", users), ("item", items))
        ]
        if len(sides[0]) != len(sides[1]):
            raise ForgetError(f"{path}: {counted(len(sides[0]), 'user')}, but {counted(len(sides[1]), 'item')}")
        return tuple(zip(*sides, strict=True))
    rows = _rows_of_pairs(path, dataset, warn)
    places = (0, 1)
    if rows and not _known_pair(rows[0].cells, dataset):
        found = [
            header_place(path, rows, kind, columns.get(kind, ""), known, warn)
            for kind, known in (("user", users), ("item", items))
        ]
        if found != [None, None]:
            places = _both_places(path, rows[0], *found)
            rows = rows[1:]
    pairs = [_pair(path, row.number, row.cells, places) for row in without_comments(path, rows, places[0], users, warn)]
    if not pairs:
        raise ForgetError(f"{path}: holds no pair")
    named, chosen = zip(*pairs, strict=True)
    return tuple(
        zip(without_point_zero(path, named, users, warn), without_point_zero(path, chosen, items, warn), strict=True)
    )


def _both_places(path: Path, header: Row, user: int | None, item: int | None) -> tuple[int, int]:
    """Return the columns of users and items where a header names at least one of them.

    Of two columns, the other is the other one; of more, the items come after the users.

    Raises:
        ForgetError: when that is no column.
    """
    width = len(header.cells)
    if user is None and item is not None:
        user = 1 - item if width == 2 else None
    elif user is not None and item in (None, user):
        item = 1 - user if width == 2 else user + 1
    if user is None or item is None or item >= width:
        raise ForgetError(
            f"{path}, line {header.number}: which columns have users and items? Call them 'user' and 'item'"
        )
    return user, item


def _pair(path: Path, number: int, cells: list[str], places: tuple[int, int]) -> tuple[str, str]:
    found = [cells[place] for place in places if place < len(cells) and cells[place]]
    if len(found) != 2:
        raise ForgetError(f"{path}, line {number}: expected a user and an item, found {counted(len(cells), 'column')}")
    return found[0], found[1]


def _known_pair(cells: list[str], dataset: Dataset | None) -> bool:
    if dataset is None or len(cells) < 2:
        return False
    return among(dataset.users, cells[:1])[0] and among(dataset.items, cells[1:2])[0]


def _rows_of_pairs(path: Path, dataset: Dataset | None, warn: Warn) -> list[Row]:
    """Return the lines of a file, split by the separator that makes most of them pairs; else the first one's."""
    lines, separator = read_lines(path, warn)
    texts = [line.text.strip(BLANKS) for line in lines]
    first = next((mark for mark in SEPARATORS if texts and mark in texts[0]), ",")
    separator = separator or _fitting(texts[:200], dataset) or first
    rows = []
    for group in joined([Line(line.number, text) for line, text in zip(lines, texts, strict=True)], separator):
        text = "\n".join(line.text for line in group)
        cells = cells_of(text, separator)
        if any(_known_pair(cells_of(line.text, separator), dataset) for line in group[1:]):
            raise ForgetError(
                f"{path}, lines {group[0].number} to {group[-1].number}: one field in quotation marks holds a pair; "
                "close the mark, or leave that column out"
            )
        if any(cells):
            rows.append(Row(group[0].number, text, cells, False))
    return rows


def _fitting(texts: list[str], dataset: Dataset | None) -> str:
    present = separators_in(texts)
    if dataset is None:
        return ""
    fits = {mark: sum(_known_pair(cells_of(text, mark), dataset) for text in texts) for mark in present}
    return max(present, key=lambda mark: fits[mark]) if any(fits.values()) else ""

"""Lines of a user and all of that user's items: what LightGCN, NGCF and RecEraser publish, and Cornac calls UI."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from mmrecun.data.importers.batches import Table
from mmrecun.data.importers.compressed import readable_text
from mmrecun.data.importers.readers import Source
from mmrecun.errors import DataError
from mmrecun.text import counted

_PAIRS = 500_000  # in a batch
_OTHER_SEPARATORS = ",;|"


def open_item_lists(path: Path, separator: str | None = None, most: int | None = None) -> Table:
    """Open a file of lines `user item item ...` as a table of the columns `user`, `item` and `position`.

    A line without items holds no pair; warnings count such lines and what is left out of others.

    Args:
        path: the file.
        separator: one character; blanks and tabs by default.
        most: maximum number of items of a line; what follows them is left out.
    """
    warnings: list[str] = []

    def read(_: Sequence[str]) -> Iterator[Source]:
        empty = longer = 0
        batch = _Batch(path)
        for number, cells in _lines(path, separator):
            items = cells[1:] if most is None else cells[1 : 1 + most]
            empty += not items
            longer += len(cells) - 1 > len(items)
            batch.add(number, cells[0], items)
            if len(batch.users) >= _PAIRS:
                yield batch.source()
                batch = _Batch(path)
        yield batch.source()
        if empty:
            warnings.append(f"{path}: {counted(empty, 'line', 'holds', 'hold')} a user and no item")
        if longer:
            warnings.append(f"{path}: {counted(longer, 'line', 'goes', 'go')} on after the pair; that was left out")

    return Table(path, ("user", "item", "position"), read, False, warnings, added=("position",))


class _Batch:
    """The pairs of some lines; `position` counts the items of a line from 1."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.users, self._items = list[str](), list[str]()
        self._positions, self._lines = list[int](), list[int]()

    def add(self, number: int, user: str, items: list[str]) -> None:
        """Add the pairs of one line; `number` counts lines from 1."""
        self.users += [user] * len(items)
        self._items += items
        self._positions += range(1, len(items) + 1)
        self._lines += [number] * len(items)

    def source(self) -> Source:
        """Return the pairs as a table whose errors name their line."""
        columns = {"user": self.users, "item": self._items, "position": self._positions}
        schema = {"user": pl.String, "item": pl.String, "position": pl.Int64}
        lines = self._lines
        return Source(self._path, pl.DataFrame(columns, schema=schema), lambda: iter(lines))


def _lines(path: Path, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is not blank."""
    with readable_text(path) as file:
        for number, line in enumerate(file, start=1):
            cells = [cell.strip() for cell in line.split(separator)]
            while cells and not cells[-1]:  # a separator at the end of a line begins no item
                cells.pop()
            if not cells:
                continue
            if len(cells) == 1 and any(mark in cells[0] for mark in _OTHER_SEPARATORS):
                raise DataError(
                    f"{path}, line {number}: '{cells[0][:40]}' is one word; if it is a user and items, "
                    "give --separator comma, semicolon or pipe"
                )
            if not all(cells):
                raise DataError(f"{path}, line {number}: an id is missing between two separators")
            yield number, cells

"""The rows of users and items in foreign tables, and how values are put back there."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.errors import DataError
from mmrecun.text import counted, preview

Array = np.ndarray[Any, np.dtype[Any]]
Ids = Iterable[object] | str | Path  # ids in the order of the rows, or the file that lists them, one a line


@dataclass(frozen=True)
class RowMap:
    """Rows of foreign tables.

    Attributes:
        users, items: int64 [U] and [I], the row of each user and item of a dataset; -1 for one without a training pair
            that the foreign model does not know.
        empty_users, empty_items: int64, rows of forgotten users and items.
        sizes: numbers of rows of the two tables.
        others: users and items to whom rows belong by the given ids, and who are not in the dataset.
    """

    users: Ints
    items: Ints
    empty_users: Ints
    empty_items: Ints
    sizes: tuple[int, int]
    others: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    @classmethod
    def of(cls, dataset: Dataset, users: Ids | None, items: Ids | None, sizes: tuple[int, int]) -> Self:
        """Find the users and items of `dataset` by id.

        Args:
            dataset: what the model was trained on.
            users, items: ids in the order of the foreign rows, or a file of them; None for the order of the dataset.
            sizes: numbers of rows of the foreign tables.

        Raises:
            DataError: when ids and rows differ in number, or an id has no row.
        """
        degrees = dataset.degrees
        first, second = (order if order is None else _names(order) for order in (users, items))
        found = (
            _found(dataset.users, first, sizes[0], degrees[0]),
            _found(dataset.items, second, sizes[1], degrees[1]),
        )
        none = np.empty(0, dtype=np.int64)
        others = _unknown(dataset.users, first), _unknown(dataset.items, second)
        return cls(*found, none, none, sizes, others)

    def after(self, user_rows: Ints, item_rows: Ints) -> Self:
        """Return the rows of the users and items that stay, given their dataset rows; the others are emptied."""
        gone = np.setdiff1d(np.arange(len(self.users)), user_rows), np.setdiff1d(np.arange(len(self.items)), item_rows)
        return type(self)(
            self.users[user_rows],
            self.items[item_rows],
            _known(np.concatenate([self.empty_users, self.users[gone[0]]])),
            _known(np.concatenate([self.empty_items, self.items[gone[1]]])),
            self.sizes,
        )

    def order(self, dataset: Dataset) -> tuple[list[str], list[str]]:
        """Return the ids of `dataset` in the order of the foreign rows; other rows have a name that is not an id."""
        sides = (dataset.users, self.users, self.sizes[0]), (dataset.items, self.items, self.sizes[1])
        users, items = (ids_in_row_order(zip(ids.names, rows.tolist(), strict=True), size) for ids, rows, size in sides)
        return users, items

    def put_users(self, table: Array, values: Array) -> Array:
        """Copy `table` [R, ...] with the users' `values` [U, ...] in their rows, and zeros in emptied ones."""
        return _put(table, self.users, values, self.empty_users)

    def put_items(self, table: Array, values: Array) -> Array:
        """Put item values in their rows, as `put_users` does those of users."""
        return _put(table, self.items, values, self.empty_items)


def ids_in_row_order(rows: Iterable[tuple[object, int]], size: int) -> list[str]:
    """Return the id of each of `size` rows, given ids with their rows, -1 for none; other rows get no possible id."""
    names = [f"\x00{row}" for row in range(size)]
    for name, row in rows:
        if row >= 0:
            names[row] = str(name)
    return names


def _put(table: Array, rows: Ints, values: Array, emptied: Ints) -> Array:
    filled = table.copy()
    filled[_known(rows)] = values[rows >= 0].astype(table.dtype)
    filled[emptied] = 0
    return filled


def take_rows(table: Array, rows: Ints) -> Array:
    """Return the rows [N, D] of `table` [R, D], zeros for -1."""
    found: Array = np.where((rows >= 0)[:, None], table[rows], 0).astype(table.dtype)
    return found


def _known(rows: Ints) -> Ints:
    return rows[rows >= 0]


def row_ids(path: Path) -> list[str]:
    """Read the ids of a model's rows, one a line; nothing is stripped but the ends of lines.

    Raises:
        DataError: when the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; it should have the id of each row of the model, one a line") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as ids, one a line: {error}") from None
    return lines[:-1] if lines[-1] == "" else lines


def _names(order: Ids) -> list[str]:
    return row_ids(Path(order)) if isinstance(order, str | Path) else [str(name) for name in order]


def _unknown(known: IdMap, names: list[str] | None) -> frozenset[str]:
    return frozenset() if names is None else frozenset(names).difference(known.names)


def _found(known: IdMap, names: list[str] | None, size: int, degrees: Ints) -> Ints:
    rows_of_model = counted(size, f"{known.kind} row")
    if names is None:
        if len(known) != size:
            raise DataError(
                f"the model has {rows_of_model} and the data {counted(len(known), known.kind)}; "
                f"give the ids of its rows in order, as a list or a file (--reading {known.kind}s=F)"
            )
        return np.arange(size)
    if len(names) != size:
        first = f", the first of them '{names[0]}'" if names else ""
        if len(names) == size + 1 and (known.find(pl.Series(names[:1])) < 0).all():
            first += f", which is no {known.kind} of the data: leave out a line that names the column"
        given = counted(len(names), f"{known.kind} id", "was", "were")
        raise DataError(f"the model has {rows_of_model}, but {given} given{first}")
    row_of = dict(zip(names, range(size), strict=True))
    if len(row_of) != size:
        repeated = preview(f"'{name}'" for name, count in Counter(names).items() if count > 1)
        raise DataError(f"{known.kind} ids of the model's rows occur more than once: {repeated}; give each row its own")
    rows = np.array([row_of.get(name, -1) for name in known.names], dtype=np.int64)
    missing = known.names.gather(np.flatnonzero((rows < 0) & (degrees > 0)))
    if len(missing):
        raise DataError(f"no row of the model is said to be of these {known.kind}s: {preview(missing)}")
    return rows

"""Ids of a column as numbers, batch by batch, so that no more than the distinct ids are held as text."""

from collections.abc import Callable
from enum import Enum, auto

import numpy as np
import polars as pl
import scipy.sparse as sp

from mmrecun.arrays import Ints
from mmrecun.data.importers.columns import as_ids
from mmrecun.data.importers.readers import Source
from mmrecun.data.lookalikes import stripped
from mmrecun.errors import DataError

_FEWEST_REFUSED = 10_000_000  # a row number from here on is refused where the file has fewer lines than a hundredth
_MOST_KNOWN, _SLOTS_PER_ID, _FEWEST_SLOTS = 1 << 20, 8, 1 << 12


class IdOrder(Enum):
    """Order of rows: by first appearance of the ids, by their numerical value, or that value itself."""

    APPEARANCE = auto()
    BY_NUMBER = auto()
    ROW_NUMBER = auto()


class IdCodes:
    """A column of ids as numbers, in the order in which the ids first appear.

    Polars keeps the numbers in a table of text, where looking each row up takes most of the time of an import. So ids
    are first looked for in an array of slots, by their hash: a row with the text of the id in its slot gets the number
    of this id. All other rows, such as those of new ids, go to the table of text.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self._type = pl.Categorical(pl.Categories.random())  # a table of text that grows with every cast to it,
        self._held = pl.Series([], dtype=self._type)  # as long as there is some column of this type
        self._rows: list[np.ndarray] = []
        self._whole: bool | None = None
        self._count = 0  # of the ids in the table of text
        self._known = pl.Series("id", [], dtype=pl.String)  # those that may have a slot, in the order of their numbers
        self._slots = np.zeros(_FEWEST_SLOTS, dtype=np.uint32)  # numbers of ids; 0 where a slot is free, too

    def add(self, batch: Source) -> None:
        """Add the ids of a batch.

        Raises:
            DataError: naming the line of a missing id, or when the column holds no ids.
        """
        values = self._text(batch)
        if values.null_count():
            raise DataError(f"{batch.at(int(values.is_null().arg_true()[0]))}: '{self.column}' is missing")
        self._rows.append(self._numbers(values) if len(self._known) else self._looked_up(values))
        if len(self._known) < min(self._count, _MOST_KNOWN):
            self._remember()

    def _text(self, batch: Source) -> pl.Series:
        values = batch.column(self.column)
        text = as_ids(values, str(batch.path))
        if values.dtype.is_numeric():  # 3.0 is written as 3 where all are whole, so all batches must agree
            floats = values.dtype.is_float()
            whole = not floats or bool(((values == values.floor()) & values.is_finite()).fill_null(value=True).all())
            if self._whole not in (None, whole):
                raise DataError(f"{batch.path}: column '{self.column}' holds fractions, which are not ids")
            self._whole = whole
        return text

    def _numbers(self, values: pl.Series) -> np.ndarray:
        """Return the number of each id: uint32 [rows]."""
        found = self._slots.take(_places(values, len(self._slots)))
        others = self._known.gather(found) != values
        if others.any():
            found[others.to_numpy()] = self._looked_up(values.filter(others))
        return found

    def _looked_up(self, values: pl.Series) -> np.ndarray:
        """Return the number of each id by the table of text, which grows by new ones: uint32 [rows]."""
        numbers = values.cast(self._type).to_physical().to_numpy()
        self._count = max(self._count, int(numbers.max(initial=0)) + 1)
        return numbers

    def _remember(self) -> None:
        """Give slots to the ids that are new since the last time, where these are free."""
        first, stop = len(self._known), min(self._count, _MOST_KNOWN)
        self._known = pl.concat([self._known, self._written(first, stop)], rechunk=True)
        if _SLOTS_PER_ID * stop > len(self._slots):
            self._slots = np.zeros(1 << (_SLOTS_PER_ID * stop - 1).bit_length(), dtype=np.uint32)
            first = 0
        places = _places(self._known[first:], len(self._slots))
        free = self._slots[places] == 0
        numbers = np.arange(first, stop, dtype=np.uint32)
        self._slots[places[free][::-1]] = numbers[free][::-1]  # of several for one slot the first, often the commonest

    def _written(self, first: int, stop: int) -> pl.Series:
        """Return the ids with the numbers from `first` on, String."""
        numbers = pl.DataFrame({"id": pl.int_range(first, stop, eager=True, dtype=pl.UInt32)})
        return numbers.select(pl.col("id").cat.to(self._type).cast(pl.String)).to_series()

    def names(self) -> pl.Series:
        """Return the distinct ids as they are written, String, in the order of their numbers."""
        return self._written(0, self._count)

    def take_codes(self) -> np.ndarray:
        """Return the number of each row's id, uint32 [N], and keep no copy."""
        rows, self._rows = self._rows, []
        return np.concatenate(rows)


def _places(values: pl.Series, slots: int) -> np.ndarray:
    """Return the slot of each id: int64; `slots` is how many there are, a power of two."""
    return (values.hash().to_numpy() & np.uint64(slots - 1)).view(np.int64)


def without_blanks(names: pl.Series, codes: np.ndarray) -> tuple[pl.Series, np.ndarray, int]:
    """Take blanks and invisible signs around ids off; those that become equal become one.

    Args:
        names: String [distinct ids].
        codes: unsigned [N], the number of the id of each row.

    Returns:
        The names that are left, in the order of their first appearance; the rows' numbers among them; and how many
        rows had blanks.
    """
    bare = stripped(names)
    changed = (bare != names).to_numpy()
    if not changed.any():
        return names, codes, 0
    kept = bare.unique(maintain_order=True)
    number = pl.DataFrame({"id": kept}).with_row_index("number")
    new = pl.DataFrame({"id": bare}).join(number, on="id", how="left", maintain_order="left")["number"].to_numpy()
    return kept, new[codes], int(changed[codes].sum())


def sorted_by_number(names: pl.Series, codes: np.ndarray) -> tuple[pl.Series, np.ndarray]:
    """Return ids in numerical order, if all are whole numbers, and the rows' codes in that order.

    Other ids, such as 007, keep their order. Arguments as of `without_blanks`.
    """
    numbers = names.cast(pl.Int64, strict=False)
    if numbers.null_count() or (numbers.cast(pl.String) != names).any():
        return names, codes
    order = numbers.arg_sort().to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return names.gather(order), place[codes]


def row_numbers(names: pl.Series, codes: Ints, column: str, at: Callable[[int], str]) -> Ints:
    """Return a column of ids that are row numbers into feature files, int64 [N].

    Args:
        names: the distinct ids, String.
        codes: unsigned [N], the place of each row's id among them.
        column: its name, for messages.
        at: names the line of a row.

    Raises:
        DataError: naming the line of a negative, fractional or other value.
    """
    numbers = names.cast(pl.Int64, strict=False)

    def first(bad: pl.Series) -> tuple[str, str]:
        row = int(bad.to_numpy()[codes].argmax())
        return at(row), names[int(codes[row])]

    if numbers.null_count():
        where, value = first(numbers.is_null())
        raise DataError(f"{where}: {column} is '{value}', not a whole number")
    values = numbers.to_numpy()
    most = int(values.max())
    if most >= max(_FEWEST_REFUSED, 100 * len(codes)):
        where, _ = first(numbers == most)
        raise DataError(f"{where}: {column} is {most}, too large for a row number; read other ids with --format table")
    if (values < 0).any():
        where, value = first(numbers < 0)
        raise DataError(f"{where}: {column} is {value}; ids must not be negative")
    return values[codes]


def sorted_pairs(users: Ints, items: Ints) -> tuple[Ints, Ints, Ints]:
    """Sort N pairs by user, then item, then place.

    Two counting sorts that keep the order of equals, by item and then by user, take half the time of one sort by
    comparison. Both are what a sparse matrix does where rows become columns; its values go with them.

    Args:
        users, items: unsigned or non-negative integers [N].

    Returns:
        The users and the items, int64 [N], and the places that they had before: uint32 [N], uint64 for more rows.
    """
    rows, most = len(users), (int(users.max(initial=0)) + 1, int(items.max(initial=0)) + 1)
    small = np.dtype(np.int32 if rows < np.iinfo(np.int32).max else np.int64)
    if max(most) > max(rows, _FEWEST_SLOTS):  # to count so many would take longer than to compare
        order = np.lexsort((items, users))
        return users[order].astype(np.int64), items[order].astype(np.int64), order.astype(f"u{small.itemsize}")
    places = np.arange(rows + 1, dtype=small)  # a row of the matrix for each pair: its item, and its user as the value
    by_item = sp.csr_array((_signed(users, small), _signed(items, small), places), shape=(rows, most[1])).tocsc()
    del places
    by_user = sp.csr_array((by_item.indices, by_item.data, by_item.indptr), shape=(most[1], most[0])).tocsc()
    del by_item
    sorted_users = np.repeat(np.arange(most[0]), np.diff(by_user.indptr))
    return sorted_users, by_user.indices.astype(np.int64), by_user.data.view(f"u{small.itemsize}")


def _signed(values: Ints, dtype: np.dtype) -> np.ndarray:
    """Return small non-negative integers as a signed type; those of its size are not copied."""
    return values.view(dtype) if values.dtype.itemsize == dtype.itemsize else values.astype(dtype)

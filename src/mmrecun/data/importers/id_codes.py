"""Ids of a column as numbers, batch by batch, so that no more than the distinct ids are held as text."""

import numpy as np
import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.importers.columns import as_ids
from mmrecun.data.importers.readers import Source
from mmrecun.data.lookalikes import stripped
from mmrecun.errors import DataError


class IdCodes:
    """A column of ids as numbers, in the order in which the ids first appear."""

    def __init__(self, column: str) -> None:
        self.column = column
        self._type = pl.Categorical(pl.Categories.random())  # a table of text that grows with every cast to it,
        self._held = pl.Series([], dtype=self._type)  # as long as there is some column of this type
        self._rows: list[np.ndarray] = []
        self._whole: bool | None = None

    def add(self, batch: Source) -> None:
        """Add the ids of a batch.

        Raises:
            DataError: naming the line of a missing id, or when the column holds no ids.
        """
        values = self._text(batch)
        if values.null_count():
            raise DataError(f"{batch.at(int(values.is_null().arg_true()[0]))}: '{self.column}' is missing")
        self._rows.append(values.cast(self._type).to_physical().to_numpy())

    def _text(self, batch: Source) -> pl.Series:
        values = batch.column(self.column)
        text = as_ids(values, str(batch.path))
        if values.dtype.is_float():  # 3.0 is written as 3 where all are whole, so all batches must agree
            whole = bool(((values == values.floor()) & values.is_finite()).fill_null(value=True).all())
            if self._whole not in (None, whole):
                raise DataError(f"{batch.path}: column '{self.column}' holds fractions, which are not ids")
            self._whole = whole
        return text

    def names(self) -> pl.Series:
        """Return the distinct ids as they are written, String, in the order of their numbers."""
        count = max(int(rows.max()) for rows in self._rows) + 1
        numbers = pl.DataFrame({"id": pl.int_range(count, eager=True, dtype=pl.UInt32)})
        return numbers.select(pl.col("id").cat.to(self._type).cast(pl.String)).to_series()

    def take_codes(self) -> np.ndarray:
        """Return the number of each row's id, uint32 [N], and keep no copy."""
        rows, self._rows = self._rows, []
        return np.concatenate(rows)


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
    """Return ids that are whole numbers throughout in the order of these, and the rows' numbers among them.

    Other ids, such as 007, stay as they are. Arguments as of `without_blanks`.
    """
    numbers = names.cast(pl.Int64, strict=False)
    if numbers.null_count() or (numbers.cast(pl.String) != names).any():
        return names, codes
    order = numbers.arg_sort().to_numpy()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return names.gather(order), place[codes]


def sorted_pairs(users: Ints, items: Ints) -> tuple[Ints, Ints, Ints]:
    """Sort N pairs by user, then item, then place.

    Args:
        users, items: unsigned or non-negative integers [N].

    Returns:
        The users, the items, and the places that they had before; each int64 [N].
    """
    item_bits, place_bits = int(items.max(initial=0)).bit_length(), max(len(users) - 1, 1).bit_length()
    if int(users.max(initial=0)).bit_length() + item_bits + place_bits > 64:
        order = np.lexsort((items, users))
        return users[order].astype(np.int64), items[order].astype(np.int64), order
    # all three packed into one number: sorting numbers is several times as fast as sorting places by them
    packed = (users.astype(np.uint64) << np.uint64(item_bits)) | items.astype(np.uint64)
    packed = (packed << np.uint64(place_bits)) | np.arange(len(users), dtype=np.uint64)
    packed.sort()
    places = packed & np.uint64((1 << place_bits) - 1)
    packed >>= np.uint64(place_bits)
    sorted_items = packed & np.uint64((1 << item_bits) - 1)
    packed >>= np.uint64(item_bits)
    return packed.view(np.int64), sorted_items.view(np.int64), places.view(np.int64)

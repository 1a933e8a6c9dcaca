"""Interactions: immutable user-item pairs with a split label, in one canonical order."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import polars as pl
import scipy.sparse as sp

from mmrecun.arrays import Bools, Ints, Labels, check_shape, concatenated_ranges
from mmrecun.errors import DataError


class Split(IntEnum):
    """Use of an interaction; the numbers are those of MMRec's `x_label`."""

    TRAIN = 0
    VALID = 1
    TEST = 2

    @property
    def label(self) -> str:
        """The name in files and on the command line: "train", "valid" or "test"."""
        return self.name.lower()


@dataclass(frozen=True)
class Interactions:
    """N distinct pairs, sorted by user, then item.

    Attributes:
        users: int64 [N] user rows.
        items: int64 [N] item rows.
        splits: int8 [N] values of `Split`.
        attributes: N rows of further columns, such as `timestamp` or `weight`.
    """

    users: Ints
    items: Ints
    splits: Labels
    attributes: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __post_init__(self) -> None:
        check_shape("items", self.items, self.users.shape)
        check_shape("splits", self.splits, self.users.shape)
        if self.attributes.width:
            check_shape("attributes", np.empty(self.attributes.height), self.users.shape)
        if len(self) and (self.users.min() < 0 or self.items.min() < 0):
            raise DataError("user and item rows must not be negative")
        if len(self) and not (self.splits.min() >= min(Split) and self.splits.max() <= max(Split)):
            raise DataError("a split label must be 0 (train), 1 (valid) or 2 (test)")
        order = None if _ascending(self.users, self.items) else np.lexsort((self.items, self.users))
        for name, dtype in (("users", np.int64), ("items", np.int64), ("splits", np.int8)):
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype, order))
        if order is not None:
            if self.attributes.width:
                object.__setattr__(self, "attributes", self.attributes[order])
            self._refuse_repeated(order)

    def _refuse_repeated(self, order: Ints) -> None:
        repeated = (np.diff(self.users) == 0) & (np.diff(self.items) == 0)
        if repeated.any():
            at = int(repeated.argmax())
            first, second = sorted((int(order[at]), int(order[at + 1])))
            raise DataError(
                f"the pair of user row {self.users[at]} and item row {self.items[at]} occurs more than once "
                f"(interactions {first} and {second})"
            )

    def __len__(self) -> int:
        return len(self.users)

    def select(self, mask: Bools) -> "Interactions":
        """Return the pairs where `mask` (bool [N]) is true."""
        attributes = self.attributes.filter(mask) if self.attributes.width else self.attributes
        return _of_new_arrays(self.users[mask], self.items[mask], self.splits[mask], attributes)

    def take(self, places: Ints) -> "Interactions":
        """Return the pairs at the indices `places`, int64 and ascending."""
        attributes = self.attributes[places] if self.attributes.width else self.attributes
        return _of_new_arrays(self.users[places], self.items[places], self.splits[places], attributes)

    def sample(self, most: int, rng: np.random.Generator) -> "Interactions":
        """Draw at most `most` pairs without replacement."""
        if len(self) <= most:
            return self
        return self.take(np.sort(rng.choice(len(self), most, replace=False)))

    def joined(self, other: "Interactions") -> "Interactions":
        """Return these pairs and those of `other`, which has none of them, without attributes."""
        users, items, splits = (
            np.concatenate([getattr(part, name) for part in (self, other)]) for name in ("users", "items", "splits")
        )
        return Interactions(users, items, splits)

    def rows_of_users(self, users: Ints) -> tuple[Ints, Ints]:
        """Return the indices of the pairs of `users` (int64 [M]), user by user, and how many each has; both int64."""
        starts, stops = (np.searchsorted(self.users, users, side) for side in ("left", "right"))
        counts = stops - starts
        return concatenated_ranges(starts, counts), counts

    def split(self, split: Split) -> "Interactions":
        """Return the pairs of one split."""
        return self.select(self.splits == split)

    @property
    def held_out(self) -> "Interactions":
        """The validation and test pairs."""
        return self.select(self.splits != Split.TRAIN)

    def keys(self, items: int) -> Ints:
        """Return one number per pair, user * items + item: int64 [N], ascending."""
        return self.users * items + self.items

    def contains(self, users: Ints, items: Ints, of_items: int) -> Bools:
        """Say for each pair (`users[b]`, `items[b]`) whether it is among these; bool [B]. `of_items` is I."""
        return self.find(users, items, of_items) >= 0

    def find(self, users: Ints, items: Ints, of_items: int) -> Ints:
        """Return the index of each pair (`users[b]`, `items[b]`), or -1 if it is absent; int64 [B]. `of_items` is I."""
        if not len(self):
            return np.full(len(users), -1, dtype=np.int64)
        wanted = users * of_items + items
        if (users[1:] >= users[:-1]).all():
            return self._search(wanted, of_items)
        order = np.argsort(wanted)  # sorted first: a binary search in random order would miss the cache at every step
        found = np.empty(len(wanted), dtype=np.int64)
        found[order] = self._search(wanted[order], of_items)
        return found

    def _search(self, wanted: Ints, of_items: int) -> Ints:
        keys = self.keys(of_items)
        found = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        found[keys[found] != wanted] = -1
        return found

    def matrix(self, users: int, items: int) -> sp.csr_array:
        """Return a float32 [U, I] sparse matrix with a one for each pair."""
        ones = np.ones(len(self), dtype=np.float32)
        return sp.csr_array((ones, (self.users, self.items)), shape=(users, items))

    def swapped(self) -> "Interactions":
        """Return the pairs with users and items exchanged."""
        return Interactions(self.items, self.users, self.splits, self.attributes)

    def renumbered(self, user_rows: Ints, item_rows: Ints) -> "Interactions":
        """Replace rows by `user_rows[row]` and `item_rows[row]`, and drop pairs where either is -1."""
        new_users, new_items = user_rows[self.users], item_rows[self.items]
        kept = (new_users >= 0) & (new_items >= 0)
        attributes = self.attributes.filter(kept) if self.attributes.width else self.attributes
        return _of_new_arrays(new_users[kept], new_items[kept], self.splits[kept], attributes)


def _of_new_arrays(users: Ints, items: Ints, splits: Labels, attributes: pl.DataFrame) -> Interactions:
    """Build interactions from arrays that have no other owner; they are made read-only instead of copied."""
    return Interactions(_read_only(users), _read_only(items), _read_only(splits), attributes)


def _ascending(users: Ints, items: Ints) -> bool:
    """Say whether the pairs are distinct and in canonical order."""
    return bool(((users[1:] > users[:-1]) | ((users[1:] == users[:-1]) & (items[1:] > items[:-1]))).all())


def _frozen(values: np.ndarray, dtype: type[np.generic], order: Ints | None) -> np.ndarray:
    """Return `values` in the given order as a read-only array; an already read-only array is returned unchanged."""
    if order is None and not values.flags.writeable and values.dtype == dtype and values.flags.c_contiguous:
        return values
    return _read_only(np.array(values if order is None else values[order], dtype=dtype, order="C"))


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values

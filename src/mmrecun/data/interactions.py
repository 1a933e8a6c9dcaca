"""Interactions: frozen user-item pairs with a split label, in one canonical order."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import polars as pl
import scipy.sparse as sp

from mmrecun.errors import DataError
from mmrecun.shapes import Bools, Ints, Labels, check_shape


class Split(IntEnum):
    """What an interaction is for; the numbers are those of MMRec's `x_label`."""

    TRAIN = 0
    VALID = 1
    TEST = 2


@dataclass(frozen=True)
class Interactions:
    """N distinct pairs, sorted by user, then item.

    Attributes:
        users: int64 [N] user rows.
        items: int64 [N] item rows.
        splits: int8 [N] values of `Split`.
        attributes: N rows of anything else known about a pair, such as `timestamp` or `weight`.
    """

    users: Ints
    items: Ints
    splits: Labels
    attributes: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __post_init__(self) -> None:
        order = np.lexsort((self.items, self.users))
        check_shape("items", self.items, self.users.shape)
        check_shape("splits", self.splits, self.users.shape)
        for name, dtype in (("users", np.int64), ("items", np.int64), ("splits", np.int8)):
            values = np.ascontiguousarray(getattr(self, name)[order], dtype=dtype)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if self.attributes.width:
            check_shape("attributes", np.empty(self.attributes.height), self.users.shape)
            object.__setattr__(self, "attributes", self.attributes[order])
        self._check(order)

    def _check(self, order: Ints) -> None:
        if len(self) and (self.users[0] < 0 or self.items.min() < 0):
            raise DataError("user and item rows must not be negative")
        if len(self) and not np.isin(self.splits, list(Split)).all():
            raise DataError("a split label must be 0 (train), 1 (valid) or 2 (test)")
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
        """Those where `mask` (bool [N]) holds."""
        attributes = self.attributes.filter(mask) if self.attributes.width else self.attributes
        return Interactions(self.users[mask], self.items[mask], self.splits[mask], attributes)

    def part(self, split: Split) -> "Interactions":
        """Those of one split."""
        return self.select(self.splits == split)

    def keys(self, items: int) -> Ints:
        """One int64 [N] number per pair, ascending: user * items + item."""
        return self.users * items + self.items

    def contains(self, users: Ints, items: Ints, of_items: int) -> Bools:
        """Whether each pair (`users[b]`, `items[b]`) is among these; bool [B]. `of_items` is I."""
        if not len(self):
            return np.zeros(len(users), dtype=bool)
        keys, wanted = self.keys(of_items), users * of_items + items
        found: Bools = keys[np.searchsorted(keys, wanted).clip(max=len(keys) - 1)] == wanted
        return found

    def matrix(self, users: int, items: int) -> sp.csr_array:
        """float32 [U, I] sparse matrix of ones."""
        ones = np.ones(len(self), dtype=np.float32)
        return sp.csr_array((ones, (self.users, self.items)), shape=(users, items))

    def renumbered(self, users: Ints, items: Ints) -> "Interactions":
        """Rows replaced by `users[row]` and `items[row]`; pairs where either is -1 are dropped."""
        new_users, new_items = users[self.users], items[self.items]
        kept = (new_users >= 0) & (new_items >= 0)
        attributes = self.attributes.filter(kept) if self.attributes.width else self.attributes
        return Interactions(new_users[kept], new_items[kept], self.splits[kept], attributes)

"""IdMap: external ids of users or items, and their row numbers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.lookalikes import folded, loosely_folded
from mmrecun.errors import DataError
from mmrecun.text import preview

_FEW = 16  # up to this many names are searched for one by one, without a hash table of all


@dataclass(frozen=True)
class IdMap:
    """External ids in row order: `names[row]` is the id of that row.

    Attributes:
        kind: "user" or "item", for messages.
        names: String series without nulls or repetitions.
    """

    kind: str
    names: pl.Series

    def __post_init__(self) -> None:
        if self.names.dtype != pl.String:
            raise DataError(f"{self.kind} ids must be text, not {self.names.dtype}")
        if self.names.null_count():
            row = int(self.names.is_null().arg_true()[0])
            raise DataError(f"{self.kind} id in row {row} is missing")
        if self.names.n_unique() != len(self.names):
            repeated = self.names.filter(self.names.is_duplicated()).unique(maintain_order=True)
            raise DataError(f"{self.kind} ids occur more than once: {preview(repeated)}")

    @classmethod
    def of(cls, kind: str, names: Iterable[str]) -> "IdMap":
        """Build an id map from any iterable of ids."""
        return cls(kind, pl.Series("id", list(names), dtype=pl.String))

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdMap):
            return NotImplemented
        return self.kind == other.kind and self.names.equals(other.names)

    def __hash__(self) -> int:
        return hash((self.kind, len(self)))

    @cached_property
    def _lookup(self) -> pl.DataFrame:
        return pl.DataFrame({"id": self.names, "row": np.arange(len(self), dtype=np.int64)})

    def find(self, names: Iterable[str]) -> Ints:
        """Return the rows of `names` in their order, int64; -1 where an id is unknown."""
        names = list(names) if not isinstance(names, pl.Series) else names
        if len(names) <= _FEW:
            places = (self.names.index_of(name) for name in names)
            return np.array([-1 if place is None else place for place in places], dtype=np.int64)
        wanted = pl.DataFrame({"id": _series(names)})
        rows = wanted.join(self._lookup, on="id", how="left", maintain_order="left")["row"]
        return rows.fill_null(-1).to_numpy().astype(np.int64)

    def rows(self, names: Iterable[str]) -> Ints:
        """Return the rows of `names` in their order, int64.

        Raises:
            DataError: listing the ids that are not known.
        """
        listed = _series(names)
        rows = self.find(listed)
        if (rows < 0).any():
            unknown = listed.filter(rows < 0).unique(maintain_order=True)
            ids = "id" if len(unknown) == 1 else "ids"
            named = preview(unknown.replace("", "''"))
            raise DataError(f"unknown {self.kind} {ids}: {named}{self.alike(unknown)}")
        return rows

    @cached_property
    def folded(self) -> pl.Series:
        """A form of each id in which those that look alike are equal; see `lookalikes`."""
        return folded(self.names)

    def alike(self, names: Iterable[str]) -> str:
        """Return a hint at the ids that a few unknown `names` look like; "" where there are none.

        >>> IdMap.of("user", ["u1", "u2"]).alike(["U1"]), IdMap.of("user", ["u1", "u2"]).alike(["u1,u2"])
        ("; 'u1' looks alike", "; 'u1,u2' holds several ids: give each by itself")
        """
        listed = _series(names)
        if not len(listed) or len(listed) > _FEW:
            return ""
        if several := [name for name in listed if self._holds_several(name)]:
            return f"; '{several[0]}' holds several ids: give each by itself"
        found = self.names.filter(self.folded.is_in(folded(listed).implode()))
        if not len(found):
            found = self.names.filter(loosely_folded(self.names).is_in(loosely_folded(listed).implode()))
        words = preview(f"'{name}'" for name in found)
        return f"; {words} look{'s' if len(found) == 1 else ''} alike" if words else ""

    def _holds_several(self, name: str) -> bool:
        parts = [part for part in re.split(r"[,;|\s]+", name) if part]
        return len(parts) > 1 and bool((self.find(parts) >= 0).all())

    def take(self, rows: Ints) -> "IdMap":
        """Return the ids of `rows`, as a smaller map."""
        return IdMap(self.kind, self.names.gather(rows))


def _series(names: Iterable[str]) -> pl.Series:
    return names if isinstance(names, pl.Series) else pl.Series(list(names), dtype=pl.String)

"""Leave-one-out fold-in: how well a row fitted to some pairs of an owner predicts another pair."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import percentiles

RIDGE = 0.1


@dataclass(frozen=True)
class LeaveOneOut:
    """Query pairs, each with a row fitted to its owner's other pairs; `users` are owners, `items` partners.

    Attributes:
        trained: T pairs to which rows are fitted, in owner order.
        queries: B pairs, of owners with two or more trained pairs.
        left_out: int64 [B], the partner left out of each fit: that of the query or, for a held-out query, any of the
            owner's, so that every fit has the same number of pairs.
        seen: all pairs of the owners, which are masked when one of them is ranked.
    """

    trained: Interactions
    queries: Interactions
    left_out: Ints
    seen: Interactions

    @classmethod
    def of(cls, trained: Interactions, queries: Interactions, seen: Interactions, rng: np.random.Generator) -> Self:
        """Leave out the query pair if it is a trained one, and otherwise any other pair of its owner."""
        counts = np.bincount(trained.users, minlength=int(queries.users.max(initial=-1)) + 1)
        queries = queries.select(counts[queries.users] >= 2)
        size = int(max(part.items.max(initial=0) for part in (trained, queries))) + 1
        starts = np.searchsorted(trained.users, queries.users)
        other = trained.items[starts + rng.integers(counts[queries.users])] if len(queries) else queries.items
        among = trained.contains(queries.users, queries.items, size)
        return cls(trained, queries, np.where(among, queries.items, other), seen)

    def rows(self, partners: Tensor) -> Tensor:
        """Fit a row for each pair: float32 [B, D].

        A row w minimises the sum of (w v - 1)^2 over the owner's pairs without the one left out, plus the mean of
        (w v)^2 over all partners and a ridge. One inverse per owner and a rank-one correction per pair
        (Sherman-Morrison).

        Args:
            partners: float32 [N, D], vectors of all partners.
        """
        table = partners.double()
        common = table.T @ table / len(table)
        ridge = RIDGE * common.diagonal().mean()
        common = common + ridge * torch.eye(len(common), dtype=table.dtype, device=table.device)
        fitted = torch.empty(len(self.queries), table.shape[1], dtype=table.dtype, device=table.device)
        owners, first, count = np.unique(self.queries.users, return_index=True, return_counts=True)
        for owner, start, length in zip(owners, first, count, strict=True):
            low, high = np.searchsorted(self.trained.users, (owner, owner + 1))
            spoken = table[torch.from_numpy(self.trained.items[low:high].copy()).to(table.device)]
            silent = table[torch.from_numpy(self.left_out[start : start + length].copy()).to(table.device)]
            inverse = torch.linalg.inv(common + spoken.T @ spoken)
            moved = silent @ inverse
            base = spoken.sum(dim=0) @ inverse - moved
            left = (1 - (moved * silent).sum(dim=1)).clamp(min=1e-9)
            fitted[start : start + length] = base + moved * ((base * silent).sum(dim=1) / left)[:, None]
        return fitted.to(partners.dtype)

    def percentiles(self, partners: Tensor) -> np.ndarray:
        """Compute the rank percentile of each query's partner among those that the owner never had: float32 [B]."""
        count = len(self.queries)
        rows, sizes = self.seen.rows_of_users(self.queries.users)
        own = np.repeat(np.arange(count), sizes)
        labels = np.zeros(len(rows), dtype=np.int8)
        seen = Interactions(own, self.seen.items[rows], labels)
        pairs = Interactions(np.arange(count), self.queries.items, self.queries.splits)
        return percentiles(self.rows(partners), partners, seen, pairs)


def of_whole_owners(pairs: Interactions, most: int, rng: np.random.Generator) -> Interactions:
    """Select about `most` pairs at most: all pairs of some users."""
    if len(pairs) <= most:
        return pairs
    owners, whose = np.unique(pairs.users, return_inverse=True)
    order = rng.permutation(len(owners))
    totals = np.cumsum(np.bincount(whose)[order])
    chosen = np.zeros(len(owners), dtype=bool)
    chosen[order[: max(1, int(np.searchsorted(totals, most, "right")))]] = True
    return pairs.select(chosen[whose])

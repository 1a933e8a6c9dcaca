"""Recommendation lists of one state, and what they found."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mmrecun.arrays import Bools, Doubles, Ints
from mmrecun.auditing.bands import Band, mean_bands
from mmrecun.auditing.sampling import MeasuredUsers
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation import metrics
from mmrecun.evaluation.evaluate import CUTOFFS, hits_of, measure_lists, per_user
from mmrecun.evaluation.ranking import top_k
from mmrecun.progress import Progress
from mmrecun.rng import Seed

K = 20
_SEED = Seed(20).child("measure")


@dataclass(frozen=True)
class RankedLists:
    """Recommendation lists and what they found.

    Attributes:
        rows: int64 [M] users.
        lists: int64 [M, K] item rows.
        hits: bool [M, K].
        relevant: int64 [M], how many items each user should find.
        items: I, with those that are left out of the audit.
    """

    rows: Ints
    lists: Ints
    hits: Bools
    relevant: Ints
    items: int

    def metrics(self, users: Bools | None = None) -> dict[str, float]:
        """Compute every metric, over all users or those where `users` (bool [M]) holds; empty when there is none."""
        chosen = np.ones(len(self.rows), dtype=bool) if users is None else users
        if not chosen.any():
            return {}
        return measure_lists(self.lists[chosen], self.hits[chosen], self.relevant[chosen], self.items)

    def some(self, chosen: Bools) -> "RankedLists":
        """Return those of the users where `chosen`, bool [M], holds."""
        if chosen.all():
            return self
        return RankedLists(self.rows[chosen], self.lists[chosen], self.hits[chosen], self.relevant[chosen], self.items)

    def recall(self) -> Doubles:
        """Compute recall@20 of each user; float64 [M]."""
        return metrics.recall(self.hits[:, :K], self.relevant)

    def bands(self, prefix: str) -> dict[str, Band]:
        """Return `prefix metric@k` -> band of the mean over users of every metric but coverage."""
        each = per_user(self.hits, self.relevant)
        bands = mean_bands(np.column_stack(list(each.values())), _SEED.child(prefix).numpy())
        return {f"{prefix} {name}": band for name, band in zip(each, bands, strict=False)}


def lists_of_measured(
    users: Tensor,
    items: Tensor,
    train: Interactions,
    test: Interactions,
    measured: MeasuredUsers,
    progress: Progress | None,
) -> tuple[RankedLists, RankedLists]:
    """Return lists of all that are measured, and those of the users that also have something to be found.

    Args:
        users, items: float32 [U, D] and [I, D] vectors.
        train, test: pairs that are left out of the lists, and pairs to be found.
        measured: the users.
        progress: called with the number of ranked users.
    """
    rows = measured.rows
    lists = top_k(users, items, train, rows, max(CUTOFFS), progress)
    relevant = np.bincount(test.users, minlength=len(users))[rows]
    every = RankedLists(rows, lists, hits_of(test, rows, lists, len(items)), relevant, len(items) + measured.unlisted)
    return every, every.some(relevant > 0)


def ranked_lists(
    users: Tensor, items: Tensor, seen: Interactions, truth: Interactions, unlisted: int = 0
) -> RankedLists:
    """Return the lists of everybody with a `truth`, also of users without a seen pair.

    `unlisted` is the number of further items, which are in no list.
    """
    rows, relevant = np.unique(truth.users, return_counts=True)
    lists = top_k(users, items, seen, rows, max(CUTOFFS))
    hits = hits_of(truth, rows, lists, len(items))
    return RankedLists(rows, lists, hits, relevant.astype(np.int64), len(items) + unlisted)

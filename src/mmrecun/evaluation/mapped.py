"""Ranking quality on pairs that stay on disk: `evaluate` for users whose vectors are computed in blocks."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.mapped_dataset import MappedPairs
from mmrecun.evaluation.evaluate import CUTOFFS, RankingReport, evaluate
from mmrecun.rng import Seed

RowsOf = Callable[[str, Ints], Tensor]  # vectors of "users" or "items": float32 [K, D] of rows int64 [K]
_MOST_SCORES = 2e10
_SAMPLE = 20_000


def users_to_rank(users: Ints, items: int) -> Ints:
    """Return the users that a validation ranks: all of `users` (int64 [M], ascending), or 20,000 drawn of them.

    They are drawn where all would be more than 2e10 scores, the same ones each time. The standard error of a mean over
    20,000 users is at most 0.0036.
    """
    if len(users) <= _SAMPLE or len(users) * items <= _MOST_SCORES:
        return users
    return np.sort(Seed(0).child("users to rank").numpy().choice(users, _SAMPLE, replace=False))


def evaluate_mapped_pairs(
    seen: MappedPairs,
    truth: MappedPairs,
    items: int,
    rows_of: RowsOf,
    chosen: Ints,
    cutoffs: Sequence[int] = CUTOFFS,
    lists: bool = True,
) -> RankingReport:
    """Evaluate the users `chosen` (int64 [M], ascending) as `evaluate` does, all items against them.

    Args:
        seen, truth: training pairs, and the pairs to be found.
        items: I.
        rows_of: gives vectors.
        chosen: users with a pair in `truth`.
        cutoffs, lists: as there.
    """
    known = seen.of_users(chosen, Split.TRAIN)
    asked: Interactions = truth.of_users(chosen, Split.TEST)
    vectors = rows_of("users", chosen), rows_of("items", np.arange(items))
    return evaluate(*vectors, known, asked, cutoffs, lists=lists)

"""Fairness of forgetting: retained quality by activity of users and popularity of items."""

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.stratified import degrees

ACTIVE, POPULAR = 0.05, 0.20


def top_share(degree: Ints, share: float) -> Bools:
    """Select the `share` of rows with the highest degree, in ties the lower row: bool [R].

    >>> top_share(np.array([1, 9, 5, 5]), 0.5).tolist()
    [False, True, True, False]
    """
    chosen = np.zeros(len(degree), dtype=bool)
    chosen[np.argsort(-degree, kind="stable")[: max(1, round(share * len(degree)))]] = True
    return chosen


def group_gaps(
    recall: np.ndarray, rows: Ints, found: Bools, truth: Interactions, train: Interactions, users: int, items: int
) -> dict[str, float]:
    """Compute the retained quality of each group and the gaps between groups; lower is fairer.

    `a_igf` is |mean of active users - mean of the others| (CURE4Rec, Chen et al., NeurIPS 2024), active being the
    5 % with the most training pairs; `item_gap` is the same for test pairs of the 20 % most popular items.

    Args:
        recall: float64 [M], of users `rows`.
        rows: int64 [M].
        found: bool [T], whether each of `truth` was in its user's list.
        truth: T test pairs.
        train: retained training pairs; users, items: U and I.
    """
    user_degree, item_degree = degrees(train, users, items)
    active, popular = top_share(user_degree, ACTIVE)[rows], top_share(item_degree, POPULAR)[truth.items]
    gaps = _two_means("active_users", "other_users", "a_igf", recall, active)
    return gaps | _two_means("popular_items", "other_items", "item_gap", found.astype(float), popular)


def _two_means(first: str, second: str, gap: str, values: np.ndarray, mask: Bools) -> dict[str, float]:
    if mask.all() or not mask.any():
        return {}
    inside, outside = float(values[mask].mean()), float(values[~mask].mean())
    return {first: inside, second: outside, gap: abs(inside - outside)}

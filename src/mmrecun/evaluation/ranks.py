"""Ranks in which equal values share their place."""

import numpy as np

from mmrecun.arrays import Doubles, Ints


def average_ranks(values: np.ndarray) -> Doubles:
    """Return the rank of each value, the smallest first, from 1; equal values share the mean of their ranks.

    The same as `scipy.stats.rankdata`, which takes more than a second to load.

    Args:
        values: numbers [N], none of them NaN.

    Returns:
        float64 [N].

    >>> average_ranks(np.array([0.5, 0.1, 0.5])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Doubles = (count.cumsum() - (count - 1) / 2)[place]
    return ranks


def average_ranks_within(values: np.ndarray, groups: Ints, sizes: Ints) -> Doubles:
    """Return the `average_ranks` of each value within its group.

    Args:
        values: numbers [N], none of them NaN.
        groups: int64 [N], from 0 to G - 1.
        sizes: int64 [G], of each group.

    Returns:
        float64 [N].

    >>> average_ranks_within(np.array([0.5, 9.0, 0.1, 0.5]), np.array([0, 1, 0, 0]), np.array([3, 1])).tolist()
    [2.5, 1.0, 1.0, 2.5]
    """
    order = np.lexsort((values, groups))
    value, group = values[order], groups[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = (value[1:] != value[:-1]) | (group[1:] != group[:-1])
    run = np.cumsum(new) - 1  # of equal values, one after another
    count = np.bincount(run)
    mean = count.cumsum() - (count - 1) / 2  # of the ranks among all
    ranks = np.empty(len(values))
    ranks[order] = mean[run] - (np.cumsum(sizes) - sizes)[group]
    return ranks

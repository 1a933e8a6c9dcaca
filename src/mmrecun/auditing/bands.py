"""95 % bands of means and sums, by a bootstrap over users (or items)."""

import numpy as np

from mmrecun.arrays import Doubles, Ints

Band = tuple[float, float]
DRAWS, EDGES = 200, (0.025, 0.975)
_BLOCK = 1 << 22


def mean_bands(values: Doubles, rng: np.random.Generator) -> list[Band]:
    """Compute a band for the mean of each column of [M, F], with Poisson weights of owners; empty for M = 0.

    >>> mean_bands(np.ones((5, 1)), np.random.default_rng(0))
    [(1.0, 1.0)]
    """
    if not len(values):
        return []
    drawn = np.zeros((DRAWS, values.shape[1] + 1))
    block = max(1, _BLOCK // DRAWS)
    for start in range(0, len(values), block):
        part = values[start : start + block]
        weights = rng.poisson(1.0, (DRAWS, len(part))).astype(np.float64)
        drawn += weights @ np.column_stack([part, np.ones(len(part))])
    drawn = drawn[drawn[:, -1] > 0]
    edges = np.quantile(drawn[:, :-1] / drawn[:, -1:], EDGES, axis=0)
    return [(float(low), float(high)) for low, high in edges.T]


def sum_band(total: float, parts: Doubles, owners: Ints, rng: np.random.Generator) -> Band:
    """Compute a band for a total from its `parts` [N] by owner [N]; the parts of an owner are drawn together."""
    _, whose = np.unique(owners, return_inverse=True)
    sums = np.bincount(whose, weights=parts)
    moved = rng.poisson(1.0, (DRAWS, len(sums))) @ sums - sums.sum()
    low, high = np.quantile(moved, EDGES)
    return total + float(low), total + float(high)

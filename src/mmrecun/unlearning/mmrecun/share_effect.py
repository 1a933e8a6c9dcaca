"""What the share of its pairs that a row lost has to do with its traits, found by regression and taken out."""

import numpy as np

from mmrecun.arrays import Doubles, Ints

_RIDGE = 1.0
_FULL = 0.1  # a share of lost pairs from which on it counts in full that any were lost
_LEAST_VARIANCE = 0.05  # of the usual one in any direction, so that spreads can be divided by


def without_effect(scores: Doubles, shares: Doubles, context: Doubles) -> Doubles:
    """Take out of normal scores what the share of lost pairs has to do with them.

    Their mean is a function of context (with squares), of whether any pair was lost, and of the share, whose effect may
    depend on context. That any was lost counts in proportion where it is less than a tenth: a popular row that lost one
    pair of hundreds is as it was. The covariance of what is left is linear in the share. Both are carried over to a
    share of 0.

    Args:
        scores: float64 [M, T].
        shares: float64 [M], from 0 to 1.
        context: float64 [M, C].

    Returns:
        float64 [M, T]; rows with a share of 0 stay as they are.
    """
    ones, share = np.ones((len(scores), 1)), shares[:, None]
    whatever = np.column_stack([ones, context, context**2 - 1])
    effect = np.column_stack([np.minimum(share / _FULL, 1), share, share * context])
    design = np.column_stack([whatever, effect])
    penalty = np.full(design.shape[1], 1e-9)
    penalty[whatever.shape[1] + 2 :] = _RIDGE
    weights = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ scores)
    rest = scores - design @ weights
    found: Doubles = scores - effect @ weights[whatever.shape[1] :] + _evened(rest, share) - rest
    return np.where(share > 0, found, scores)


def _evened(rest: Doubles, share: Doubles) -> Doubles:
    """Give residuals [M, T] the covariance that they have at a share of 0."""
    count = rest.shape[1]
    products = (rest[:, :, None] * rest[:, None, :]).reshape(len(rest), -1)
    weights = np.linalg.lstsq(np.column_stack([np.ones_like(share), share]), products, rcond=None)[0]
    untouched, slope = weights.astype(np.float64).reshape(2, count, count)
    # a fit may ask for a covariance that there is none of; the smallest that counts is a share of the usual one
    least = max(_LEAST_VARIANCE * float(products.mean(axis=0).reshape(count, count).diagonal().mean()), 1e-9)
    whiten = _power(untouched + share[:, :, None] * slope, -0.5, least)
    evened: Doubles = (_power(untouched, 0.5, least) @ whiten @ rest[:, :, None])[:, :, 0]
    return evened


def _power(matrices: Doubles, exponent: float, least: float) -> Doubles:
    """Raise symmetric matrices [..., T, T] to a power; eigenvalues below `least` count as that."""
    values, vectors = np.linalg.eigh(matrices)
    found: Doubles = (vectors * np.maximum(values, least)[..., None, :] ** exponent) @ np.swapaxes(vectors, -1, -2)
    return found


def at_scores(traits: Doubles, scores: Doubles, wanted: Doubles, strata: Ints) -> Doubles:
    """Return the values of traits [M, T] at other normal scores, read off the values in each stratum."""
    found = traits.copy()
    for stratum in np.unique(strata):
        inside = strata == stratum
        for column in range(traits.shape[1]):
            order = np.argsort(scores[inside, column])
            known = scores[inside, column][order], traits[inside, column][order]
            found[inside, column] = np.interp(wanted[inside, column], *known)
    return found

"""Remove the effect of the share of lost pairs on the traits of rows, estimated by regression."""

import numpy as np

from mmrecun.arrays import Bools, Doubles, Ints

_RIDGE = 1.0
_FULL = 0.1  # share of lost pairs from which on the effect of any loss is full
_LEAST_VARIANCE = 0.05  # of the usual one in any direction, so that spreads can be divided by


def without_effect(scores: Doubles, shares: Doubles, context: Doubles) -> Doubles:
    """Remove the effect of the share of lost pairs from normal scores.

    Their mean is modelled by context (with squares), by whether any pair was lost, and by the share, whose effect may
    depend on context. The effect of any loss grows with the share up to a tenth, since a popular row that lost one pair
    of hundreds hardly changes. The covariance of the residuals is linear in the share. Both are evaluated at a share
    of 0.

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
    found, lost = scores.copy(), shares > 0
    without = scores - effect @ weights[whatever.shape[1] :]
    found[lost] = without[lost] + _evened(rest, share, lost) - rest[lost]
    return found


def _evened(rest: Doubles, share: Doubles, asked: Bools) -> Doubles:
    """Give residuals [M, T] the covariance that they have at a share of 0; only the rows `asked`, bool [M]."""
    count = rest.shape[1]
    products = (rest[:, :, None] * rest[:, None, :]).reshape(len(rest), -1)
    weights = np.linalg.lstsq(np.column_stack([np.ones_like(share), share]), products, rcond=None)[0]
    untouched, slope = weights.astype(np.float64).reshape(2, count, count)
    # the fitted covariance may not be positive definite; its eigenvalues are at least a share of the usual ones
    least = max(_LEAST_VARIANCE * float(products.mean(axis=0).reshape(count, count).diagonal().mean()), 1e-9)
    whiten = _power(untouched + share[asked][:, :, None] * slope, -0.5, least)
    evened: Doubles = (_power(untouched, 0.5, least) @ whiten @ rest[asked][:, :, None])[:, :, 0]
    return evened


def _power(matrices: Doubles, exponent: float, least: float) -> Doubles:
    """Raise symmetric matrices [..., T, T] to a power; eigenvalues below `least` count as that."""
    values, vectors = np.linalg.eigh(matrices)
    found: Doubles = (vectors * np.maximum(values, least)[..., None, :] ** exponent) @ np.swapaxes(vectors, -1, -2)
    return found


def at_scores(traits: Doubles, scores: Doubles, wanted: Doubles, strata: Ints) -> Doubles:
    """Return the values of traits [M, T] at other normal scores, by the quantiles of each stratum."""
    found = traits.copy()
    by_stratum = np.argsort(strata, kind="stable")
    for inside in np.split(by_stratum, np.flatnonzero(np.diff(strata[by_stratum])) + 1):
        for column in range(traits.shape[1]):
            order = np.argsort(scores[inside, column])
            known = scores[inside, column][order], traits[inside, column][order]
            found[inside, column] = np.interp(wanted[inside, column], *known)
    return found

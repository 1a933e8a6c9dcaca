"""What an attacker with some labels could learn: a cross-validated logistic regression on normal scores."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri
from scipy.stats import rankdata

from mmrecun.arrays import Bools, Ints

Weights = npt.NDArray[np.float64]
FOLDS = 5
_RIDGE, _STEPS, _CLOSE = 1.0, 25, 1e-6


def normal_scores(values: Weights, strata: Ints) -> Weights:
    """Replace each column by the normal quantiles of its ranks within each stratum (van der Waerden scores).

    What the stratum alone decides, such as popularity, is gone from the result.

    Args:
        values: float64 [N, F].
        strata: int64 [N].

    Returns:
        float64 [N, F]; 0 throughout a stratum of equal values.
    """
    scores = np.zeros(values.shape)
    for stratum in np.unique(strata):
        inside = strata == stratum
        scores[inside] = ndtri((rankdata(values[inside], axis=0) - 0.5) / inside.sum())
    return scores


def fit_logistic(inputs: Weights, labels: Bools) -> Weights:
    """Fit a ridge-penalised logistic regression by Newton's method; the last weight is the unpenalised intercept.

    Args:
        inputs: float64 [N, F].
        labels: bool [N].

    Returns:
        float64 [F + 1].
    """
    design = np.column_stack([inputs, np.ones(len(inputs))])
    penalty = _RIDGE * np.eye(design.shape[1])
    penalty[-1, -1] = 1e-6
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = expit(design @ weights)
        gradient = design.T @ (chance - labels) + penalty @ weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < _CLOSE:
            break
    return weights


def cross_validated(inputs: Weights, labels: Bools, owners: Ints, rng: np.random.Generator) -> Weights:
    """Score every row by a model fitted to the rows of other owners.

    Each input is also given squared, so that rows which stand out to either side are found.

    Args:
        inputs: float64 [N, F], on the scale of `normal_scores`.
        labels: bool [N].
        owners: int64 [N]; the rows of one owner are in one of five folds.
        rng: shares the owners out among the folds.

    Returns:
        float64 [N]; the higher, the likelier the label.
    """
    wide = np.column_stack([inputs, inputs**2 - 1])
    _, whose = np.unique(owners, return_inverse=True)
    fold = (rng.permutation(whose.max() + 1) % FOLDS)[whose]
    scores = np.empty(len(labels))
    for number in range(FOLDS):
        out = fold == number
        weights = fit_logistic(wide[~out], labels[~out])
        scores[out] = wide[out] @ weights[:-1]  # the intercept of a fold would shift it against the others
    return scores

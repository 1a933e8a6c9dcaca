"""An attacker with some labels: a cross-validated logistic regression on normal scores."""

import numpy as np
from scipy.special import expit

from mmrecun.arrays import Bools, Doubles, Ints

FOLDS = 5
_RIDGE, _STEPS, _CLOSE = 1.0, 25, 1e-6  # penalty; Newton steps at most, until none moves a weight by more


def fit_logistic(inputs: Doubles, labels: Bools) -> Doubles:
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


def cross_validated(inputs: Doubles, labels: Bools, owners: Ints, rng: np.random.Generator) -> Doubles:
    """Score every row by a model fitted to the rows of other owners.

    Each input is also given squared, so that rows are found which stand out to either side.

    Args:
        inputs: float64 [N, F], on the scale of `normal_scores`.
        labels: bool [N].
        owners: int64 [N]; the rows of one owner are in one of five folds.
        rng: assigns the owners to folds.

    Returns:
        float64 [N]; a higher score makes the label more likely.
    """
    wide = np.column_stack([inputs, inputs**2 - 1])
    _, whose = np.unique(owners, return_inverse=True)
    fold = (rng.permutation(whose.max() + 1) % FOLDS)[whose]
    scores = np.empty(len(labels))
    for number in range(FOLDS):
        out = fold == number
        weights = fit_logistic(wide[~out], labels[~out])
        scores[out] = wide[out] @ weights[:-1]  # the intercept differs between folds and would shift their scores
    return scores

"""How far the rows go along the way that was found: until forgotten pairs look like pairs that nobody trained on."""

from collections.abc import Callable

import numpy as np

from mmrecun.arrays import Doubles
from mmrecun.unlearning.mmrecun.restoring import StepScale

_CHANCE, _NEAREST, _FARTHEST = 0.5, 0.7, 1.5
_PROBE, _MOST, _CLOSE, _ROUNDS = 0.4, 0.5, 0.02, 3


def fit_step_scale(aucs: Callable[[StepScale], tuple[Doubles, Doubles]], expected: float, spread: float) -> StepScale:
    """Find the scale at which the AUCs are at chance, each as far as its error lets it be known.

    Minimises the squared distances of the AUCs from 0.5 in standard errors, and those of the two stretches from what is
    expected in units of `spread`; by Gauss and Newton, with Broyden's update of the slopes.

    Args:
        aucs: gives AUCs and standard errors, float64 [G] both, at a scale.
        expected: the scale where nothing can be compared.
        spread: standard deviation of the scale that is right about the expected one.
    """
    at = np.array([expected, expected])
    found, errors = aucs(StepScale(*at))
    if not len(found):
        return StepScale(expected, expected)
    sides = np.eye(2) * _PROBE
    slopes = np.stack([aucs(StepScale(*(at + side)))[0] - found for side in sides], axis=1) / _PROBE
    for _ in range(_ROUNDS):
        weighted = slopes / errors[:, None] ** 2
        pull = weighted.T @ (_CHANCE - found) + (expected - at) / spread**2
        step = np.linalg.solve(weighted.T @ slopes + np.eye(2) / spread**2, pull).clip(-_MOST, _MOST)
        step = (at + step).clip(_NEAREST, _FARTHEST) - at
        if np.abs(step).max() < _CLOSE:
            break
        before, at = found, at + step
        found = aucs(StepScale(*at))[0]
        slopes += np.outer(found - before - slopes @ step, step) / (step @ step)
    return StepScale(*at.tolist())

"""How far the rows go along the way that was found: until forgotten pairs look like pairs that nobody trained on."""

from collections.abc import Callable

import numpy as np

from mmrecun.arrays import Doubles
from mmrecun.unlearning.mmrecun.restoring import StepScale

_NEAREST, _FARTHEST = 0.5, 2.0
_SPREAD, _SPREAD_OF_SIDES = 0.5, 0.1  # of the scale that is right, and of half the difference between the two sides
_PROBE, _MOST, _CLOSE, _ROUNDS = 0.4, 0.5, 0.005, 4


def fit_step_scale(excess: Callable[[StepScale], tuple[Doubles, Doubles]], expected: float) -> StepScale:
    """Find the scale at which no AUC exceeds what is expected of it, each as far as its error lets it be known.

    Minimises the squares of the excesses in standard errors, and those of the scales from what is usual:
    their mean from the expected one, and the two from each other, since rows that go much farther on one side than on
    the other stand out. By Gauss and Newton, with Broyden's update of the slopes.

    Args:
        excess: gives AUCs above the expected ones, and standard errors, float64 [G] both, at a scale.
        expected: the scale where nothing can be compared.
    """
    usual = np.array([expected, expected])
    at = usual
    found, errors = excess(StepScale(*at))
    if not len(found):
        return StepScale(expected, expected)
    sides = np.eye(2) * _PROBE
    slopes = np.stack([excess(StepScale(*(at + side)))[0] - found for side in sides], axis=1) / _PROBE
    both, apart = np.ones((2, 2)) / 4, np.array([[1, -1], [-1, 1]]) / 4  # squared mean, squared half of the difference
    precision = both / _SPREAD**2 + apart / _SPREAD_OF_SIDES**2
    for _ in range(_ROUNDS):
        weighted = slopes / errors[:, None] ** 2
        pull = precision @ (usual - at) - weighted.T @ found
        step = np.linalg.solve(weighted.T @ slopes + precision, pull).clip(-_MOST, _MOST)
        step = (at + step).clip(_NEAREST, _FARTHEST) - at
        if np.abs(step).max() < _CLOSE:
            break
        before, at = found, at + step
        found = excess(StepScale(*at))[0]
        slopes += np.outer(found - before - slopes @ step, step) / (step @ step)
    return StepScale(*at.tolist())

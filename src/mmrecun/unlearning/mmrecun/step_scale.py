"""Fit the scale of the step so that forgotten pairs are recognised no better than pairs that were not trained on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Doubles

_NEAREST, _FARTHEST = 0.4, 1.6  # of the expected scale
_SPREAD, _SPREAD_OF_SIDES = 0.5, 0.1  # standard deviations of the mean scale, and of half the difference of the sides
_DAMPING = 4  # power of the share of its pairs that a row keeps, by which the scale of its step is drawn to 1
_PROBE, _MOST, _ROUNDS = 0.4, 0.5, 4
_SHORT = 0.05  # a step that is the last: AUCs of few pairs change in jumps, so that it would tell nothing of slopes


class StepScale(NamedTuple):
    """Scale of the step of users and of items, from their initial rows, and the share of the lean that is taken out."""

    users: float
    items: float
    lean: float = 0.0


def fit_lean(excess: Callable[[StepScale], tuple[Doubles, Doubles]]) -> float:
    """Find the share of the lean to take out, from 0 to 1, so that the AUCs of steps as solved equal those expected.

    It minimises the sum of the squared excesses in standard errors, which are linear in the share, and of a squared
    prior at 1.

    Args:
        excess: see `fit_step_scale`.
    """
    without, errors = excess(StepScale(1.0, 1.0))
    slope = (excess(StepScale(1.0, 1.0, 1.0))[0] - without) / errors
    precision = 1 / _SPREAD**2
    return float(np.clip((precision - slope @ (without / errors)) / (precision + slope @ slope), 0, 1))


def fit_step_scale(
    excess: Callable[[StepScale], tuple[Doubles, Doubles]], expected: float, lean: float = 0.0
) -> StepScale:
    """Find the scale at which the AUCs equal those expected, weighted by their errors.

    It minimises the sum of the squared excesses in standard errors and of two squared priors: the deviation of the mean
    scale from the expected one, and the difference between the two sides, since rows that move much farther on one side
    stand out. The solver is Gauss-Newton with Broyden's update of the derivatives; a step that makes it worse is not
    taken, and the next one is half as long at most.

    Args:
        excess: computes AUCs above the expected ones, and standard errors, float64 [G] both, at a scale.
        expected: the scale where no pairs can be compared.
        lean: share of the lean that is taken out.
    """
    usual, both, apart = np.full(2, expected), np.ones((2, 2)) / 4, np.array([[1, -1], [-1, 1]]) / 4
    precision = both / _SPREAD**2 + apart / _SPREAD_OF_SIDES**2  # of the squared mean, and of half the difference

    def badness(scale: Doubles, found: Doubles) -> float:
        return float(np.sum((found / errors) ** 2) + (scale - usual) @ precision @ (scale - usual))

    at, longest = np.ones(2), _MOST  # the step as solved; far beyond it, AUCs may rise again
    found, errors = excess(_scale(at, lean))
    if not len(found):
        return StepScale(expected, expected, lean)
    # too low an AUC may be past its least, beyond which a longer step raises it: the way back is the nearer one
    probe = _PROBE if np.sum(found / errors**2) >= 0 else -_PROBE
    moves = probe * np.array([[1.0, 1.0], [0.5, -0.5]])  # sides go together, far, or apart, which the prior resists
    slopes = np.stack([excess(_scale(at + move, lean))[0] - found for move in moves], axis=1) @ np.linalg.inv(moves).T
    for _ in range(_ROUNDS):
        weighted = slopes / errors[:, None] ** 2
        pull = precision @ (usual - at) - weighted.T @ found
        step = np.linalg.solve(weighted.T @ slopes + precision, pull).clip(-longest, longest)
        step = (at + step).clip(_NEAREST * expected, _FARTHEST * expected) - at
        if np.abs(step).max() < _SHORT:
            at = at + step
            break
        there = excess(_scale(at + step, lean))[0]
        slopes += np.outer(there - found - slopes @ step, step) / (step @ step)
        if badness(at + step, there) < badness(at, found):
            at, found = at + step, there
        else:
            longest /= 2
    return _scale(at, lean)


def _scale(sides: Doubles, lean: float) -> StepScale:
    return StepScale(float(sides[0]), float(sides[1]), lean)


def limited(step: Tensor, longest: Tensor) -> Tensor:
    """Shorten the rows of a step, float32 [R, D], that exceed their greatest length, float32 [R, 1]."""
    factor: Tensor = (longest / step.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
    return step * factor


def row_scale(scale: float, kept: Tensor, averaged: bool) -> Tensor:
    """Return the scale of each row's step: `scale` where it keeps most of its pairs, near 1 where it keeps few.

    The step of a row that lost one of many pairs comes short. That of a row that lost half of them does not, and
    scaled by as much it would end on the other side of what was forgotten. A graph averages both kinds of rows.

    >>> row_scale(1.5, torch.tensor([1.0, 0.5, 0.0]), averaged=False)
    tensor([1.5000, 1.0312, 1.0000])

    Args:
        scale: of its side.
        kept: the share of its pairs that each row keeps, float32 [R, 1].
        averaged: whether vectors are averages of rows over a graph.
    """
    return torch.full_like(kept, scale) if averaged else 1 + (scale - 1) * kept**_DAMPING

"""Similarity of two models: order of their lists, and distance of their score distributions."""

import math

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.evaluation.changes import longer_length
from mmrecun.models.base import UserItemVectors

_CHUNK = 512
_BLOCK_BYTES = 16 << 20


def rank_biased_overlap(first: Ints, second: Ints, p: float = 0.9) -> np.ndarray:
    """Compute how far two lists agree, the top counting most: 1 for equal lists, 0 for disjoint ones.

    Extrapolated from K places to an endless list (Webber, Moffat and Zobel, TOIS 2010, equation 30). Lists that end
    before K places are extrapolated from where the longer one ends; two empty lists are equal.

    Args:
        first, second: int64 [M, K] item rows, best first, -1 for an empty place, which come last.
        p: how likely a reader goes on to the next place; 0.9 puts 86 % of the weight on ten places.

    Returns:
        float64 [M].
    """
    common = _common(first, second)
    depth = np.arange(1, common.shape[1] + 1)
    longer = longer_length(first, second)
    # behind the end of both lists nothing is added, so the agreement stays what it was there: the extrapolation
    agreement = common / np.minimum(depth, np.maximum(longer, 1)[:, None])
    series = (agreement * p**depth).sum(axis=1) * (1 - p) / p
    extrapolated: np.ndarray = np.where(longer > 0, series + agreement[:, -1] * p ** depth[-1], 1.0)
    return extrapolated


def _common(first: Ints, second: Ints) -> np.ndarray:
    """Count the items that two lists share down to each depth; int64 [M, K]."""
    size = first.shape[1]
    deepest = np.maximum.outer(np.arange(size), np.arange(size))
    found = np.zeros((len(first), size), dtype=np.int64)
    for start in range(0, len(first), _CHUNK):
        part = slice(start, start + _CHUNK)
        row, left, right = np.nonzero((first[part, :, None] == second[part, None, :]) & (first[part, :, None] >= 0))
        np.add.at(found, (row + start, deepest[left, right]), 1)
    return found.cumsum(axis=1)


def shares(users: Tensor, items: Tensor) -> Tensor:
    """Compute the softmax over all items of each user's scores; float64 [M, I] from float32 [M, D] and [I, D]."""
    return (users @ items.T).double().softmax(dim=1)


def jensen_shannon(first: Tensor, second: Tensor) -> Tensor:
    """Compute the Jensen-Shannon divergence of two distributions in bits, 0 to 1; float64 [M].

    Its square root is the Jensen-Shannon distance.

    Args:
        first, second: float64 [M, I], rows that sum to 1.
    """
    mixed = _entropy((first + second) / 2)
    return (mixed - (_entropy(first) + _entropy(second)) / 2).clamp(min=0)


def mean_divergence(first: UserItemVectors, second: UserItemVectors) -> float:
    """Average `jensen_shannon` of the `shares` of two (users [M, D], items [I, D]), a few users at a time."""
    size = max(1, _BLOCK_BYTES // (8 * len(first[1])))
    blocks = zip(torch.split(first[0], size), torch.split(second[0], size), strict=True)
    each = [jensen_shannon(shares(one, first[1]), shares(other, second[1])) for one, other in blocks]
    return float(torch.cat(each).mean())


def _entropy(shares: Tensor) -> Tensor:
    bits: Tensor = torch.special.entr(shares).sum(dim=1) / math.log(2)
    return bits

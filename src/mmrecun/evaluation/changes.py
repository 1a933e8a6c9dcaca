"""Differences between two models: in the lists for the same users, and in the vectors."""

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Floats, Ints, check_shape

_CHUNK = 512


def list_overlap(before: Ints, after: Ints) -> Floats:
    """Return the share of items that each user's lists before and after have in common; float32 [M].

    Args:
        before, after: int64 [M, K] item rows in one numbering, each at most once in a list; -1 stands for no item.

    The share is that of the longer list; two empty lists have an overlap of 1.
    """
    check_shape("lists after", after, (len(before), None))
    shared = np.zeros(len(before), dtype=np.int64)
    for start in range(0, len(before), _CHUNK):
        part = slice(start, start + _CHUNK)
        first, second = before[part], after[part]
        shared[part] = ((first[:, :, None] == second[:, None, :]) & (first >= 0)[:, :, None]).sum(axis=(1, 2))
    longer = longer_length(before, after)
    return np.where(longer > 0, shared / np.maximum(longer, 1), 1.0).astype(np.float32)


def longer_length(before: Ints, after: Ints) -> Ints:
    """Count the items of the longer of two lists, int64 [M], from two int64 [M, K] in which -1 stands for no item."""
    longer: Ints = np.maximum((before >= 0).sum(axis=1), (after >= 0).sum(axis=1))
    return longer


def same_lists(before: Ints, after: Ints) -> Bools:
    """Say which lists are equal item by item: bool [M], from two int64 [M, K]."""
    check_shape("lists after", after, before.shape)
    same: Bools = (before == after).all(axis=1)
    return same


def lists_with(lists: Ints, items: int) -> Ints:
    """Count the lists (int64 [M, K]) that contain each of the first `items` items: int64 [I]."""
    counts: Ints = np.bincount(lists[(lists >= 0) & (lists < items)], minlength=items)
    return counts


def moved(before: Tensor, after: Tensor, users: int) -> tuple[Floats, Floats]:
    """Return how far each vector moved, relative to its length, after the best common rotation.

    Scores are dot products of user and item vectors, so rotating both changes no score. The rotation that brings the
    tables closest is removed first (orthogonal Procrustes, Schoenemann 1966).

    Args:
        before, after: float32 [U + I, D], users first, rows of the same users and items.
        users: U.

    Returns:
        float32 [U] and [I]; 0 where both vectors are zero, infinity where only the earlier one is.
    """
    check_shape("vectors after", after, tuple(before.shape))
    left, _, right = torch.linalg.svd(before.double().T @ after.double())
    distance = (before.double() @ (left @ right) - after.double()).norm(dim=1)
    length = before.double().norm(dim=1)
    share = torch.where(length > 0, distance / length.clamp(min=1e-300), torch.where(distance > 0, torch.inf, 0.0))
    share = share.float().cpu()
    return share[:users].numpy(), share[users:].numpy()

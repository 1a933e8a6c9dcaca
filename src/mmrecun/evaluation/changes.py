"""How two models differ: in the lists they give the same users, and in where their vectors lie."""

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Floats, Ints, check_shape


def list_overlap(before: Ints, after: Ints) -> Floats:
    """Return the share of each list of `after` that stood in the same user's list of `before`; float32 [M].

    Args:
        before, after: int64 [M, K] item rows under one numbering, each at most once a list; -1 stands for no item.

    The share is of the longer of the two lists; two empty lists overlap wholly.
    """
    check_shape("lists after", after, (len(before), None))
    shared = ((before[:, :, None] == after[:, None, :]) & (before >= 0)[:, :, None]).sum(axis=(1, 2))
    longer = np.maximum((before >= 0).sum(axis=1), (after >= 0).sum(axis=1))
    return np.where(longer > 0, shared / np.maximum(longer, 1), 1.0).astype(np.float32)


def same_lists(before: Ints, after: Ints) -> Bools:
    """Return whether each list is the same, item by item; bool [M], from int64 [M, K] both."""
    check_shape("lists after", after, before.shape)
    same: Bools = (before == after).all(axis=1)
    return same


def lists_with(lists: Ints, items: int) -> Ints:
    """Return in how many of the lists int64 [M, K] each of the first `items` items stands; int64 [I]."""
    counts: Ints = np.bincount(lists[(lists >= 0) & (lists < items)], minlength=items)
    return counts


def moved(before: Tensor, after: Tensor, users: int) -> tuple[Floats, Floats]:
    """Return how far each vector moved, relative to its length, after the best common rotation.

    Scores are dot products of user and item vectors, so a rotation of both changes no score; the one that brings the
    tables closest is taken out first (orthogonal Procrustes, Schoenemann 1966).

    Args:
        before, after: float32 [U + I, D], users first, rows of the same users and items.
        users: U.

    Returns:
        float32 [U] and [I]; 0 where neither has any length, and infinity where only the later one has.
    """
    check_shape("vectors after", after, tuple(before.shape))
    left, _, right = torch.linalg.svd(before.double().T @ after.double())
    distance = (before.double() @ (left @ right) - after.double()).norm(dim=1)
    length = before.double().norm(dim=1)
    share = torch.where(length > 0, distance / length.clamp(min=1e-300), torch.where(distance > 0, torch.inf, 0.0))
    share = share.float().cpu()
    return share[:users].numpy(), share[users:].numpy()

"""Exposure of removed items in the rankings of a model, and in the lists that are served."""

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import top_k

_BLOCK_BYTES = 32 << 20


def exposure(
    users: Tensor, items: Tensor, seen: Interactions, rows: Ints, removed: Bools, k: int = 20
) -> dict[str, float]:
    """Measure, before any filter, the share of users with a removed item in their list, and its rank (ERASE).

    Args:
        users, items: float32 [U, D] and [I, D], removed items among them.
        seen: retained training pairs, left out of the lists.
        rows: int64 [M], the users to rank for.
        removed: bool [I].

    Returns:
        `top<k>`: from 0 to 1. `percentile`: mean over users and removed items of the share of other items that rank
        below, 1 for the top. Empty when nothing was removed.
    """
    if not removed.any() or not len(rows):
        return {}
    lists = top_k(users, items, seen, rows, k)
    listed = removed[lists] & (lists >= 0)
    return {
        f"top{k}": float(listed.any(axis=1).mean()),
        "percentile": _places(users[torch.tensor(rows)], items, removed),
    }


def _places(users: Tensor, items: Tensor, removed: Bools) -> float:
    """Compute the average share of other items that a removed one outranks; ties count half."""
    gone = torch.from_numpy(np.flatnonzero(removed))
    total, block = 0.0, max(1, _BLOCK_BYTES // (4 * len(items)))
    for start in range(0, len(users), block):
        scores = users[start : start + block] @ items.T
        ranked = scores.sort(dim=1).values
        own = scores[:, gone].contiguous()
        below = torch.searchsorted(ranked, own, right=False) + torch.searchsorted(ranked, own, right=True) - 1
        total += float(below.double().sum() / 2)
    return total / (len(users) * len(gone) * max(1, len(items) - 1))

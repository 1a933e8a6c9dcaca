"""Exposure of removed items in the rankings of a model, and in the lists that are served."""

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import top_k

_BLOCK_BYTES = 32 << 20
_FEW = 64  # removed items up to which scores are not sorted


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
        total += _outranked(scores, scores[:, gone].contiguous())
    return total / (len(users) * len(gone) * max(1, len(items) - 1))


def _outranked(scores: Tensor, own: Tensor) -> float:
    """Count the other scores of a row, float32 [B, I], that are below each of `own` [B, G] in it; ties count half.

    A score below counts 2, an equal one 1: together 1 + sign(difference). Comparing all scores costs a hundredth of
    sorting them, so only many removed items are worth a sort.
    """
    if own.shape[1] <= _FEW:
        signs = sum((each[:, None] - scores).sign_().sum(dim=1).double() for each in own.T)
        twice = signs + own.shape[1] * (scores.shape[1] - 1)
    else:
        ranked = scores.sort(dim=1).values
        twice = torch.searchsorted(ranked, own, right=False) + torch.searchsorted(ranked, own, right=True) - 1
    return float(twice.double().sum() / 2)

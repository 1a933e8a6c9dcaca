"""Exposure of removed items in the rankings of a model."""

import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import ScoreTable
from mmrecun.topk import top_k_per_row

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
    table = ScoreTable(users, items, seen, len(rows))
    out = torch.from_numpy(removed).to(users.device)
    gone, shown, outranked = out.nonzero()[:, 0], 0, 0.0
    for start, stop in table.blocks(len(rows)):
        scores = table.scores(rows[start:stop])
        outranked += _outranked(scores, scores[:, gone].contiguous())
        table.mask(scores, rows[start:stop])
        values, listed = top_k_per_row(scores, min(k, len(items)))
        shown += int((out[listed] & (values > -torch.inf)).any(dim=1).sum())
    return {
        f"top{k}": shown / len(rows),
        "percentile": outranked / (len(rows) * len(gone) * max(1, len(items) - 1)),
    }


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

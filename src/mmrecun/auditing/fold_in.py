"""Fold-in: do the retained rows still show which of the removed users or items belong together?"""

import numpy as np
import torch
from torch import Tensor

from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import percentiles
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Vectors

_BLOCK_BYTES = 64 << 20


def of_removed(whole: Vectors, partition: Partition, setup: AuditSetup) -> float | None:
    """Call `fold_in` for the removed users or items; None if none was removed, or some of both."""
    if partition.removed_users.any() == partition.removed_items.any():
        return None
    by_user = bool(partition.removed_users.any())
    gone = partition.removed_users[setup.forgotten.users] if by_user else partition.removed_items[setup.forgotten.items]
    pairs = setup.forgotten.select(gone)
    return fold_in(whole.users, whole.items, pairs if by_user else pairs.swapped(), by_user)


def fold_in(users: Tensor, items: Tensor, pairs: Interactions, by_user: bool) -> float | None:
    """Fit rows of removed users or items to half of their pairs, all else frozen, and rank the other half.

    Each row w minimises sum over the first half (w v - 1)^2 + mean over all v of (w v)^2 + ridge |w|^2, in closed form.
    A mean percentile above Gold's shows that the frozen side still knows which partners belong together.

    Args:
        users, items: float32 [U, D] and [I, D].
        pairs: pairs of removed rows (`users`) and their partners (`items`); halves alternate in row order.
        by_user: whether the removed are users; else the roles are exchanged.

    Returns:
        Mean rank percentile of the second half among all others, from 0 to 1; None when nobody has two pairs.
    """
    frozen = (items if by_user else users).double()
    starts = np.searchsorted(pairs.users, pairs.users)
    odd = (np.arange(len(pairs)) - starts) % 2 == 1
    first, second = pairs.select(~odd), pairs.select(odd)
    if not len(second):
        return None
    who = np.unique(second.users)
    kept = np.isin(first.users, who)
    known = Interactions(np.searchsorted(who, first.users[kept]), first.items[kept], first.splits[kept])
    asked = Interactions(np.searchsorted(who, second.users), second.items, second.splits)
    common = frozen.T @ frozen / len(frozen)
    common = common + 0.1 * common.diagonal().mean() * torch.eye(len(common), dtype=common.dtype, device=common.device)
    return float(percentiles(_fitted(known, frozen, common, len(who)).float(), frozen.float(), known, asked).mean())


def _fitted(known: Interactions, frozen: Tensor, common: Tensor, size: int) -> Tensor:
    """Fit a row for each of `size` removed ones: float64 [size, D]. Few [D, D] systems are held at a time."""
    dim = len(common)
    block = max(1, _BLOCK_BYTES // (8 * dim * dim))
    fitted = torch.empty(size, dim, dtype=common.dtype, device=common.device)
    for start in range(0, size, block):
        stop = min(start + block, size)
        right = torch.zeros(stop - start, dim, dtype=common.dtype, device=common.device)
        gram = common.repeat(stop - start, 1, 1)
        first, last = np.searchsorted(known.users, (start, stop))
        for low in range(first, last, block):
            part = slice(low, min(low + block, last))
            rows = torch.from_numpy(known.users[part] - start).to(common.device)
            what = frozen[torch.from_numpy(known.items[part].copy()).to(common.device)]
            gram.index_add_(0, rows, what.unsqueeze(2) * what.unsqueeze(1))
            right.index_add_(0, rows, what)
        fitted[start:stop] = torch.linalg.solve(gram, right)
    return fitted

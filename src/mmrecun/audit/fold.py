"""Fold-in: do the rows that stay still know which of the removed things go together?"""

import numpy as np
import torch
from torch import Tensor

from mmrecun.audit.probes import Probe
from mmrecun.data.forget import Partition
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import percentiles
from mmrecun.models.base import Vectors


def of_removed(whole: Vectors, parts: Partition, probe: Probe) -> float | None:
    """`fold_in` of the removed users or items; None where none was removed, or some of both."""
    if parts.lost_users.any() == parts.lost_items.any():
        return None
    by_user = bool(parts.lost_users.any())
    gone = parts.lost_users[probe.forgotten.users] if by_user else parts.lost_items[probe.forgotten.items]
    pairs = probe.forgotten.select(gone)
    return fold_in(whole.users, whole.items, pairs if by_user else _flipped(pairs), by_user)


def _flipped(pairs: Interactions) -> Interactions:
    return Interactions(pairs.items, pairs.users, pairs.splits)


def fold_in(users: Tensor, items: Tensor, pairs: Interactions, by_user: bool) -> float | None:
    """Fit rows for those removed from half of their pairs, all else frozen: how high does the other half rank?

    Each row w minimises sum over the first half (w v - 1)^2 + mean over all v of (w v)^2 + ridge |w|^2, in closed form.
    A mean percentile above Gold's says that the frozen side still knows which of the forgotten things go together.

    Args:
        users, items: float32 [U, D] and [I, D].
        pairs: of those removed, who first, what second; halves alternate in row order.
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
    rows = torch.from_numpy(np.searchsorted(who, first.users[np.isin(first.users, who)]))
    what = frozen[torch.from_numpy(first.items[np.isin(first.users, who)])]
    dim = frozen.shape[1]
    common = frozen.T @ frozen / len(frozen)
    common = common + 0.1 * common.diagonal().mean() * torch.eye(dim, dtype=frozen.dtype, device=frozen.device)
    gram = common.repeat(len(who), 1, 1).index_add_(0, rows, what.unsqueeze(2) * what.unsqueeze(1))
    right = torch.zeros(len(who), dim, dtype=frozen.dtype, device=frozen.device).index_add_(0, rows, what)
    fitted = torch.linalg.solve(gram, right)
    place = np.searchsorted(who, second.users)
    asked = Interactions(place, second.items, second.splits)
    kept = np.isin(first.users, who)
    known = Interactions(np.searchsorted(who, first.users[kept]), first.items[kept], first.splits[kept])
    return float(percentiles(fitted.float(), frozen.float(), known, asked).mean())

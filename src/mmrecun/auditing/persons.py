"""Persons: each user's recall against the Golds', and harm to the nearest neighbours of what was forgotten.

Means hide single users. So every user's own recall is compared with the Golds'. The users most similar to the removed
ones (or, where none was removed, the users with a forgotten pair) are summarised by themselves.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmrecun.arrays import Bools, Doubles, Ints
from mmrecun.auditing.figures import Harm, Persons
from mmrecun.forget.partition import Partition

_NEAREST, _MOST = 10, 1000
_WORST = (0.01, 0.05)


def against_golds(recall: Doubles, golds: Sequence[Doubles]) -> Persons | None:
    """Compute the share of users whose recall lies outside that of all Golds; None without users or two Golds.

    Args:
        recall: float64 [T], of each test user.
        golds: the same of each Gold.
    """
    if len(golds) < 2 or not len(recall):
        return None
    low, high = np.min(golds, axis=0), np.max(golds, axis=0)
    gaps = recall - np.mean(golds, axis=0)
    counts, _ = np.histogram(gaps, bins=np.linspace(-1.05, 1.05, 22))
    return Persons(
        users=len(recall),
        below=float((recall < low).mean()),
        above=float((recall > high).mean()),
        gaps=tuple((counts / max(1, len(gaps))).tolist()),
    )


def harm(before: Doubles, after: Doubles, neighbours: Bools) -> Harm | None:
    """Summarise the change of recall of `neighbours`, bool [M]; None where none of them has a test pair.

    Args:
        before, after: float64 [M], NaN without a test pair.
    """
    change = (after - before)[neighbours]
    change = change[~np.isnan(change)]
    if not len(change):
        return None
    first, fifth = np.quantile(change, _WORST)
    return Harm(users=len(change), mean=float(change.mean()), p1=float(first), p5=float(fifth))


def neighbours(users: Tensor, partition: Partition, affected: Bools, rows: Ints) -> Bools:
    """Find which of `rows`, int64 [M] of the retained data, are nearest to what was forgotten; bool [M].

    Args:
        users: float32 [U, D], the original's vectors; the ten nearest by cosine of each removed user, of 1000 at most.
        partition: original and retained data.
        affected: bool [U], the answer where no user was removed.
        rows: users with a list.
    """
    removed = np.flatnonzero(partition.removed_users)[:_MOST]
    if not len(removed):
        return affected[partition.user_rows[rows]]
    others = normalize(users[torch.from_numpy(partition.user_rows[rows])], dim=1)
    asked = normalize(users[torch.from_numpy(removed)], dim=1)
    nearest = (asked @ others.T).topk(min(_NEAREST, len(rows)), dim=1).indices
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[nearest.unique().cpu().numpy()] = True
    return chosen

"""The few items of a run in chunks that lists of some users can hold: a ranking of these gives the lists of all items.

The vectors of the items are read in blocks, and only the best are kept, so that memory does not follow their number.
"""

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.chunked.run import MappedRun
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.ranking import ScoreTable
from mmrecun.topk import top_k_per_row

_BLOCK = 1 << 14  # items whose vectors are read at once


def listed_items(run: MappedRun, users: Ints, among: Ints, k: int) -> Ints:
    """Return the items that can be among the k best of a user, whichever of the user's own items are left out.

    These are the own items, and the k best of the others.

    Args:
        run: the run.
        users: int64 [M], rows, ascending.
        among: int64 [I'], rows of the items that are ranked, ascending.
        k: length of the lists.

    Returns:
        Int64, rows, ascending.

    Raises:
        DivergedError: when a vector holds NaN or infinity.
    """
    if not len(users):
        return np.zeros(0, dtype=np.int64)
    own, vectors = run.interactions(users, *Split), run.vectors("users", users)
    best = torch.full((len(users), k), -torch.inf)
    found = torch.zeros(len(users), k, dtype=torch.int64)
    for start in range(0, len(among), _BLOCK):
        block = among[start : start + _BLOCK]
        values, columns = _best_of(vectors, run.vectors("items", block), _within(own, block), best)
        rows = torch.from_numpy(block)[columns]
        best, chosen = torch.cat([best, values], dim=1).topk(k, dim=1)
        found = torch.cat([found, rows], dim=1).gather(1, chosen)
    return np.union1d(own.items, found[best > -torch.inf].numpy())


def _within(pairs: Interactions, block: Ints) -> Interactions:
    """Return the pairs with an item of `block` (int64, ascending), by its place there."""
    near = pairs.select((pairs.items >= block[0]) & (pairs.items <= block[-1]))
    places = np.searchsorted(block, near.items)
    there = block[places] == near.items
    return Interactions(near.users[there], places[there], near.splits[there])


def _best_of(users: Tensor, items: Tensor, own: Interactions, best: Tensor) -> tuple[Tensor, Tensor]:
    """Find the best items of a block for each user, where they are better than what was found before.

    Args:
        users, items: float32 [M, D] and [B, D].
        own: pairs that are left out.
        best: float32 [M, k], scores found before, best first.

    Returns:
        Scores and columns, [M, min(k, B)].
    """
    table, k = ScoreTable(users, items, own, 1), min(best.shape[1], len(items))
    found = []
    for start, stop in table.blocks(len(users)):
        rows, bound = np.arange(start, stop), best[start:stop, -1:]
        scores = table.scores(rows)
        table.mask(scores, rows)
        found.append(top_k_per_row(scores, k, bound if bound.isfinite().all() else None))
    values, columns = zip(*found, strict=True)
    return torch.cat(values), torch.cat(columns)

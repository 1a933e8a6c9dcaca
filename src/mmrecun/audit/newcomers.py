"""Newcomers: what would this run say about users and items it had never seen?

Removed users and items have no row any more. A newcomer stands in for each: a fresh row from one fixed seed, the item's
own features, no interaction. To know what is normal for newcomers without any Gold, some retained users or items are
treated as newcomers too: their edges leave the graph, their rows are made fresh, and their pairs become the controls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmrecun.data.dataset import positions
from mmrecun.data.forget import Partition
from mmrecun.data.interactions import Interactions, Split
from mmrecun.models.base import Recommender, Sizes, carry_over
from mmrecun.rng import Seed
from mmrecun.shapes import Bools, Ints

_LEAST, _MOST, _SHARE = 50, 300, 0.1


@dataclass(frozen=True)
class Newcomers:
    """Retained users and items that are treated as never seen, in original rows.

    Attributes:
        users, items: bool [U] and [I].
        pairs: their retained training pairs, the controls.
        seen: the other retained training pairs, which make the graph.
    """

    users: Bools
    items: Bools
    pairs: Interactions
    seen: Interactions


def choose(parts: Partition, seed: Seed) -> Newcomers | None:
    """Retained users, if users were removed, and items, if items were, that were as active as the removed ones.

    As many as were removed, but at least 50 and at most 300, and never more than a tenth of all rows or pairs. None
    when no row was removed.
    """
    train = parts.held.part(Split.TRAIN)
    activity = parts.original.degrees
    rng = seed.numpy()
    users, items = (
        _alike(lost, degree, rng) for lost, degree in zip((parts.lost_users, parts.lost_items), activity, strict=True)
    )
    inside = users[train.users] | items[train.items]
    if not inside.any() or inside.all():
        return None
    return Newcomers(users, items, train.select(inside), train.select(~inside))


def _alike(lost: Bools, degree: Ints, rng: np.random.Generator) -> Bools:
    """For each removed row, in random order, the free retained row whose degree is nearest."""
    chosen = np.zeros(len(lost), dtype=bool)
    pool = rng.permutation(np.flatnonzero(~lost & (degree > 0)))
    if not lost.any() or not len(pool):
        return chosen
    wanted = min(max(_LEAST, min(int(lost.sum()), _MOST)), max(1, int(_SHARE * len(pool))))
    rounds = -(-wanted // int(lost.sum()))
    targets = np.concatenate([rng.permutation(degree[lost]) for _ in range(rounds)])[:wanted]
    distance = degree[pool].astype(np.float64)
    left = _SHARE * degree[pool].sum()
    for target in targets:
        place = int(np.abs(distance - target).argmin())
        left -= degree[pool[place]]
        if left < 0 and chosen.any():
            break
        chosen[pool[place]] = True
        distance[place] = np.inf
    return chosen


def with_newcomers(model: Recommender, parts: Partition, seed: Seed, more: Newcomers | None = None) -> Recommender:
    """A model of the retained data in original rows: fresh rows for what was removed, and for `more`."""
    original = parts.original
    known = {name: modality for name, modality in original.modalities.items() if name in model.sizes.widths}
    users = positions(parts.user_rows, len(original.users))
    items = positions(parts.item_rows, len(original.items))
    if more is not None:
        users, items = np.where(more.users, -1, users), np.where(more.items, -1, items)
    sizes = Sizes(users=len(original.users), items=len(original.items), widths=model.sizes.widths)
    return carry_over(model, sizes, users, items, {name: modality.present for name, modality in known.items()}, seed)


def without_edges(parts: Partition, more: Newcomers) -> tuple[Interactions, Mapping[str, Bools]]:
    """The training pairs and, per modality, the items that are nobody's neighbour when `more` are newcomers too."""
    return more.seen, {name: mask | more.items for name, mask in parts.newcomers().items()}

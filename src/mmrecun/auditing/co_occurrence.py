"""Residual co-occurrence: do the partners of removed users or items still predict each other?

A removed user has no row. But the user's items were learned together, so some of them may still predict the others.
Therefore a row is fitted to all of a removed user's training items but one, with all else frozen, and ranks the one
left out. The user's held-out items, which no model was trained on, are ranked in the same way. To a model that never
saw the user, training and held-out items are alike, since only the split separates them. So the AUC of the former
against the latter is 0.5 in Gold, on any data, and above 0.5 if something is left. Removed items are tested on their
users in the same way.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.membership import PairGroup
from mmrecun.data.dataset import inverse_index
from mmrecun.data.interactions import Split
from mmrecun.evaluation.left_out import LeaveOneOut, common_factor, of_whole_owners
from mmrecun.evaluation.stratified import ITEM_STEP, degree_bins, nearest_free
from mmrecun.forget.partition import Partition

_MOST_PAIRS, _FEWEST_KNOWN, _MOST_KNOWN = 8192, 30, 1000


@dataclass(frozen=True)
class CoOccurrence:
    """The query pairs for the partners of removed users, or of removed items; the same for every run of an audit.

    Partners are numbered among the retained ones.

    Attributes:
        kept: int64 [N], the original rows of the retained partners.
        of_users: whether users were removed, so that items are the partners.
        forgotten, held_out: pairs of the removed users or items.
        known: training pairs of retained users (or items) of similar degree.
        strata: int64 [N], by retained degree of the partner.
    """

    kept: Ints
    of_users: bool
    forgotten: LeaveOneOut
    held_out: LeaveOneOut
    known: LeaveOneOut
    strata: Ints

    @classmethod
    def of(cls, partition: Partition, of_users: bool, rng: np.random.Generator) -> Self | None:
        """Choose the pairs; None if none of that kind was removed, or none of their pairs can be queried."""
        gone, lost = (
            (partition.removed_users, partition.removed_items)
            if of_users
            else (partition.removed_items, partition.removed_users)
        )
        kept = np.flatnonzero(~lost)
        if not gone.any():
            return None
        whole = partition.original.interactions if of_users else partition.original.interactions.swapped()
        whole = whole.renumbered(np.arange(len(gone)), inverse_index(kept, len(lost)))
        train, aside = whole.split(Split.TRAIN), whole.held_out
        degree = np.bincount(train.users, minlength=len(gone))
        alike = _rows_of_similar_degree(degree, gone, rng)
        groups: list[LeaveOneOut] = []
        for owners, source in ((gone, train), (gone, aside), (alike, train)):
            trained = train.select(owners[train.users])
            asked = of_whole_owners(source.select(owners[source.users] & (degree[source.users] >= 2)), _MOST_PAIRS, rng)
            groups.append(LeaveOneOut.of(trained, asked, whole.select(owners[whole.users]), rng))
        if not all(len(group.queries) for group in groups):
            return None
        retained = np.bincount(train.items[~gone[train.users]], minlength=len(kept))
        forgotten, held_out, known = groups
        return cls(kept, of_users, forgotten, held_out, known, degree_bins(retained, 5))

    def groups(self, partners: Tensor) -> tuple[PairGroup, PairGroup, PairGroup]:
        """Rank forgotten, held-out and known pairs by the vectors of all partners in original rows [., D]."""
        vectors = partners[torch.from_numpy(self.kept).to(partners.device)]
        factor = common_factor(vectors)
        forgotten, held_out, known = (
            PairGroup(
                asked.percentiles(vectors, factor), ITEM_STEP * self.strata[asked.queries.items], asked.queries.users
            )
            for asked in (self.forgotten, self.held_out, self.known)
        )
        return forgotten, held_out, known


def _rows_of_similar_degree(degree: Ints, gone: Bools, rng: np.random.Generator) -> Bools:
    """Select retained rows with about the degrees of the removed ones: bool [R].

    There are as many as removed ones, at most 1000, and at least 30 for each of up to ten removed ones, if available.
    Where removed ones are more active than all that stay, the most active of those are taken: as many, and at least 30.
    """
    chosen = np.zeros(len(gone), dtype=bool)
    pool = rng.permutation(np.flatnonzero(~gone & (degree >= 2)))
    wanted = degree[gone & (degree >= 2)]
    if not len(pool) or not len(wanted):
        return chosen
    fewest = _FEWEST_KNOWN * min(len(wanted), 10)
    number = min(len(pool), max(fewest, min(len(wanted), _MOST_KNOWN)))
    ranked = pool[np.argsort(degree[pool], kind="stable")]
    targets = np.sort(rng.choice(wanted, number))
    rows = ranked[nearest_free(degree[ranked], targets)]
    less = degree[rows] < targets
    chosen[rows[~less]] = True
    chosen[rows[less][-max(_FEWEST_KNOWN, len(wanted)) :]] = True  # ascending: the most active of them
    return chosen

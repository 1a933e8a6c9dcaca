"""AUCs of forgotten against validation pairs of the same users or items: how well a model still recognises them.

If the split was random, a model that never saw either has an AUC of about 0.5. The deviation from 0.5, by the chance of
the draw or since validation pairs are later ones, is measured with vectors computed from the retained pairs alone (see
`evaluation.spectral`). So the AUC shows, without Gold, whether a model has forgotten too little or too much.

Single pairs are compared in groups of equally popular items. A pair with a rare item is remembered in the row of the
item, one with a popular item in that of the user, so that these figures show how far the rows of each side should move.
They are compared after a random split alone: models differ in how far the other pairs of a user tell of later ones.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Doubles, Floats, Ints
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.sparse import SparseMatrix
from mmrecun.evaluation.left_out import LeaveOneOut, of_whole_owners
from mmrecun.evaluation.ranking import PairsAmong
from mmrecun.evaluation.spectral import normalised_pairs, spectral_vectors
from mmrecun.evaluation.stratified import degree_bins, degrees, strata, stratified_auc
from mmrecun.forget.partition import Partition
from mmrecun.models.base import UserItemVectors

Group = tuple[np.ndarray, Ints, np.ndarray, Ints]  # percentiles and strata of forgotten and of validation pairs
_MOST = 4096
FEWEST = 10  # forgotten pairs, and validation pairs, that can be compared
_AMONG = 1024  # rows drawn to represent a side in ranks; the same for all pairs
_GROUPS, _FEWEST_OF_GROUP = 3, 10
_SPLIT_MARGIN, _SPLIT_ERRORS = 0.05, 2.5  # of the AUC of popularity, from 0.5; the latter in standard errors
_REFERENCES = 2  # factorisations whose AUCs are averaged; they differ by the random projection


def _compared(pairs: Interactions, percentiles: Floats, strata: Ints, inside: Bools) -> Group:
    """Divide those of `pairs` that are `inside` into the forgotten, which were trained on, and validation pairs."""
    forgotten = pairs.splits == Split.TRAIN
    first, second = inside & forgotten, inside & ~forgotten
    return percentiles[first], strata[first], percentiles[second], strata[second]


@dataclass(frozen=True)
class _FoldedInPairs:
    """Pairs of removed users or items, recognised by the vectors of their partners on the other side.

    Attributes:
        of_users: whether the removed are users.
        asked: the forgotten and validation pairs to be recognised.
        strata: int64 [N], strata of their partners.
        among: the same pairs, to be placed among some of the partners.
    """

    of_users: bool
    asked: LeaveOneOut
    strata: Ints
    among: PairsAmong

    def groups(self, vectors: UserItemVectors) -> list[Group]:
        """Rank forgotten and validation pairs by vectors [U', D] and [I', D] and rows fitted to the owners' others."""
        partners: Tensor = vectors[1 if self.of_users else 0]
        found = self.among.percentiles(self.asked.rows(partners), partners)
        return [_compared(self.asked.queries, found, self.strata, np.ones(len(found), dtype=bool))]


@dataclass(frozen=True)
class _SinglePairs:
    """Forgotten pairs whose user and item both stay, and validation pairs of their users, in retained rows.

    Attributes:
        pairs: both, N in all.
        strata: int64 [N], of their items.
        masks: bool [N], each group of equally popular items.
        among: the pairs, to be placed among some items.
    """

    pairs: Interactions
    strata: Ints
    masks: list[Bools]
    among: PairsAmong

    @classmethod
    def of(
        cls, forgotten: Interactions, valid: Interactions, data: Dataset, among: Ints, device: torch.device
    ) -> "_SinglePairs":
        """Compare pairs of `data`, whose training pairs are not ranked, among the items `among`."""
        degree = degrees(data.train, len(data.users), len(data.items))
        pairs = forgotten.joined(valid)
        popular, trained = strata(pairs, *degree, by="items"), pairs.splits == Split.TRAIN
        edges = np.quantile(popular[~trained], np.linspace(0, 1, _GROUPS + 1)[1:-1])  # strata ascend with popularity
        group = np.digitize(popular, edges)
        masks = [group == number for number in range(_GROUPS)]
        enough = [mask for mask in masks if min((mask & trained).sum(), (mask & ~trained).sum()) >= _FEWEST_OF_GROUP]
        return cls(pairs, popular, enough, PairsAmong(data.train, pairs, among, len(data.items), device))

    def groups(self, vectors: UserItemVectors) -> list[Group]:
        """Rank forgotten and validation pairs by vectors [U', D] and [I', D], in groups of equally popular items."""
        found = self.among.percentiles(*vectors)
        return [_compared(self.pairs, found, self.strata, mask) for mask in self.masks]


class ForgettingLevel:
    """The AUCs of one request for the vectors of any model of the retained data.

    Args:
        partition: original and retained data.
        rng: generator of samples of pairs and of the references.
        device: device of the references.
        pairs: the normalised retained pairs [U', I'], if they are there already.
    """

    def __init__(
        self,
        partition: Partition,
        rng: np.random.Generator,
        device: torch.device,
        pairs: SparseMatrix | None = None,
    ) -> None:
        self._comparisons: list[_FoldedInPairs | _SinglePairs] = []
        if len(partition.forgotten) >= FEWEST:
            found = (
                _folded_in_pairs(partition, True, rng, device),
                _folded_in_pairs(partition, False, rng, device),
                _single_pairs(partition, rng, device),
            )
            self._comparisons = [each for each in found if each is not None]
        self._expected = np.zeros(0)
        if self._comparisons:
            pairs = pairs or normalised_pairs(partition.retained, device)
            self._expected = np.mean([self.aucs(spectral_vectors(pairs, rng))[0] for _ in range(_REFERENCES)], axis=0)

    def aucs(self, vectors: UserItemVectors) -> tuple[Doubles, Doubles]:
        """Compare each group of forgotten pairs, by vectors [U', D] and [I', D].

        Returns:
            float64 [G] and [G], AUCs and their standard errors; G is 0 where too few pairs can be compared.
        """
        found = [
            (auc, _error(len(group[0]), len(group[2])))
            for each in self._comparisons
            for group in each.groups(vectors)
            if (auc := stratified_auc(*group)) is not None
        ]
        aucs, errors = np.array(found, dtype=np.float64).reshape(-1, 2).T
        return aucs, errors

    def excess(self, vectors: UserItemVectors) -> tuple[Doubles, Doubles]:
        """Compute by how much the AUCs exceed those of the references; float64 [G], with the errors [G] of the AUCs."""
        aucs, errors = self.aucs(vectors)
        return aucs - self._expected, errors


def _folded_in_pairs(
    partition: Partition, of_users: bool, rng: np.random.Generator, device: torch.device
) -> _FoldedInPairs | None:
    removed, removed_partners = (
        (partition.removed_users, partition.removed_items)
        if of_users
        else (partition.removed_items, partition.removed_users)
    )
    if not removed.any():
        return None
    whole = partition.original.interactions if of_users else partition.original.interactions.swapped()
    whole = whole.renumbered(
        np.arange(len(removed)), inverse_index(np.flatnonzero(~removed_partners), len(removed_partners))
    )
    train, valid = whole.split(Split.TRAIN), whole.split(Split.VALID)
    degree = np.bincount(train.users, minlength=len(removed))
    trained, seen = train.select(removed[train.users]), whole.select(removed[whole.users])
    groups = [
        LeaveOneOut.of(
            trained,
            of_whole_owners(pairs.select(removed[pairs.users] & (degree[pairs.users] >= 2)), _MOST, rng),
            seen,
            rng,
        )
        for pairs in (train, valid)
    ]
    retained = np.bincount(train.items[~removed[train.users]], minlength=int((~removed_partners).sum()))
    if min(len(group.queries) for group in groups) < FEWEST:
        return None
    asked = groups[0].joined(groups[1])
    among = asked.among(_drawn_rows(len(retained), rng), len(retained), device)
    return _FoldedInPairs(of_users, asked, degree_bins(retained, 5)[asked.queries.items], among)


def _single_pairs(partition: Partition, rng: np.random.Generator, device: torch.device) -> _SinglePairs | None:
    stay = partition.single_pairs.split(Split.TRAIN)
    rows = [
        inverse_index(kept, len(removed))
        for kept, removed in (
            (partition.user_rows, partition.removed_users),
            (partition.item_rows, partition.removed_items),
        )
    ]
    forgotten = stay.renumbered(*rows).sample(_MOST, rng)
    held_out, train = partition.retained.interactions.split(Split.VALID), partition.retained.train
    valid = held_out.select(np.isin(held_out.users, forgotten.users)).sample(_MOST, rng)
    degree = np.bincount(train.items, minlength=len(partition.item_rows))
    if min(len(forgotten), len(valid)) < FEWEST or not _as_popular(degree[forgotten.items], degree[valid.items]):
        return None
    return _SinglePairs.of(forgotten, valid, partition.retained, _drawn_rows(len(degree), rng), device)


def _drawn_rows(count: int, rng: np.random.Generator) -> Ints:
    """Draw the rows that represent a side in ranks."""
    return np.sort(rng.permutation(count)[:_AMONG])


def _as_popular(first: Ints, second: Ints) -> bool:
    """Say whether pairs of items of these degrees, int64 [N] and [M], are as popular as after a random split."""
    popular, others = first.astype(np.float32), second.astype(np.float32)
    auc = stratified_auc(popular, np.zeros_like(first), others, np.zeros_like(second))
    margin = max(_SPLIT_MARGIN, _SPLIT_ERRORS * _error(len(first), len(second)))
    return auc is not None and bool(abs(auc - 0.5) <= margin)


def _error(first: int, second: int) -> float:
    """Return the standard error of the AUC of two samples of these sizes from one distribution."""
    return math.sqrt((1 / first + 1 / second) / 12)

"""Lapsed features: do the shared weights still hold what was learned from the removed features of an item?

The pairs of an item that lost a modality are retained, so its trained row may rank them well. The effect of the lost
features must be gone. So the item is treated as new: the lapsed features, an untrained row, no interaction, and none of
its other modalities. Then only what the shared weights learned from features counts. If they learned from the features
of this item, users who had it in training rank it higher than the users of its held-out pairs do.

In Gold the two are nearly alike, but not quite: it still knows that these users had the item, and what it learned from
similar items' features agrees with that. So the AUC is compared with that of items which keep the modality, treated in
the same way: in a model that forgot nothing the two are equal. Places are compared within the item and, before that,
among users of equal activity.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from scipy.special import ndtr

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.cold_start import with_newcomers
from mmrecun.auditing.membership import PairGroup
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.ranking import percentiles
from mmrecun.evaluation.row_traits import degree_strata, normal_scores
from mmrecun.evaluation.stratified import ITEM_STEP, nearest_free
from mmrecun.forget.partition import Partition
from mmrecun.forget.views import View, placeholder_items
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed

Build = Callable[[View, Recommender], GraphInputs]
_SEED = Seed(20).child("lapsed features")
_MOST = 8192


@dataclass(frozen=True)
class LapsedFeatures:
    """The pairs of items that lost a modality, and of as many that keep it, in original rows.

    Attributes:
        modality: its name.
        shown: bool [I], the items of both kinds, which are treated as new.
        graph: retained training pairs of all other items.
        forgotten, held_out: training and held-out pairs of the items that lost the modality.
        known, known_held_out: the same of those that keep it.
        degree: int64 [U], number of each user's pairs in `graph`.
    """

    modality: str
    shown: Bools
    graph: Interactions
    forgotten: Interactions
    held_out: Interactions
    known: Interactions
    known_held_out: Interactions
    degree: Ints

    @classmethod
    def of(cls, partition: Partition, modality: str, rng: np.random.Generator) -> Self | None:
        """Choose the items; None where one of the four kinds of pairs is missing."""
        train, unseen = partition.retained_pairs.split(Split.TRAIN), partition.retained_pairs.held_out
        lost = partition.removed_features[modality]
        kept = partition.original.modalities[modality].present & ~lost & ~partition.removed_items
        kept = _items_of_similar_degree(lost, kept, np.bincount(train.items, minlength=len(lost)), rng)
        groups: list[Interactions] = []
        for items in (lost, kept):
            asked = unseen.select(items[unseen.items])
            known = train.select(items[train.items])
            groups += [known.select(np.isin(known.items, asked.items)).sample(_MOST, rng), asked]
        if not all(len(group) for group in groups):
            return None
        shown = lost | kept
        graph = train.select(~shown[train.items])
        degree = np.bincount(graph.users, minlength=len(partition.original.users))
        forgotten, held_out, known, aside = groups
        return cls(modality, shown, graph, forgotten, held_out, known, aside, degree)

    @torch.no_grad()
    def groups(
        self, model: Recommender, partition: Partition, build: Build
    ) -> tuple[PairGroup, PairGroup, PairGroup, PairGroup] | None:
        """Rank forgotten, held-out and both known kinds of pairs; None where the model no longer reads the modality.

        Args:
            model: model of the retained data.
            partition: original and retained data.
            build: makes, or remembers, what a model reads of a view.
        """
        if self.modality not in model.sizes.widths:
            return None
        inputs = build(self._view(partition), model)
        vectors = with_newcomers(model, partition, _SEED, self.shown).vectors(inputs)
        asked = (self.forgotten, self.held_out, self.known, self.known_held_out)
        places = [percentiles(vectors.users, vectors.items, self.graph, pairs) for pairs in asked]
        # rank percentiles depend on the activity of the user, and so does having a held-out pair
        users = np.concatenate([pairs.users for pairs in asked])
        alike = normal_scores(np.concatenate(places)[:, None].astype(np.float64), degree_strata(self.degree[users] + 1))
        pieces = np.split(ndtr(alike[:, 0]).astype(np.float32), np.cumsum([len(part) for part in places])[:-1])
        forgotten, held_out, known, aside = (
            PairGroup(part, ITEM_STEP * pairs.items, pairs.items) for part, pairs in zip(pieces, asked, strict=True)
        )
        return forgotten, held_out, known, aside

    def _view(self, partition: Partition) -> View:
        """Return the view of all original rows in which the items have this modality alone."""
        modalities = {
            name: held if name == self.modality else held.without(self.shown)
            for name, held in partition.original.modalities.items()
        }
        data = replace(partition.original, interactions=self.graph, modalities=modalities)
        newcomers = {name: mask | self.shown for name, mask in placeholder_items(partition).items()}
        return View(f"{self.modality} alone", data, newcomers)


def _items_of_similar_degree(lost: Bools, pool: Bools, degree: Ints, rng: np.random.Generator) -> Bools:
    """Choose as many items of `pool` as lost the features, of about the same degrees; bool [I]."""
    chosen = np.zeros(len(lost), dtype=bool)
    free = rng.permutation(np.flatnonzero(pool & (degree > 0)))
    order = free[np.argsort(degree[free], kind="stable")]
    targets = np.sort(degree[lost & (degree > 0)])[: len(order)]
    chosen[order[nearest_free(degree[order], targets)]] = True
    return chosen

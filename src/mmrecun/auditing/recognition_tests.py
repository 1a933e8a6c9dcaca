"""Recognition tests of an audit: one comparison for each kind of forgotten data, the same for every model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from mmrecun.arrays import Doubles
from mmrecun.auditing.co_occurrence import CoOccurrence
from mmrecun.auditing.keys import Kind
from mmrecun.auditing.lapsed_features import Build, LapsedFeatures
from mmrecun.auditing.membership import PairGroup
from mmrecun.auditing.recognition import Comparison
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.ranking import percentiles, score_pairs
from mmrecun.evaluation.row_traits import RowTraits
from mmrecun.evaluation.stratified import degrees, strata
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import Target
from mmrecun.models.base import Recommender, Vectors
from mmrecun.rng import Seed

_SEED = Seed(20).child("questions")
_MOST = 8192


@dataclass(frozen=True)
class SinglePairs:
    """Forgotten training pairs whose user and item both stay, and other pairs of their users; in original rows.

    Attributes:
        forgotten, held_out, known: forgotten pairs, held-out pairs, retained training pairs.
        seen: all retained training pairs, which are masked.
    """

    forgotten: Interactions
    held_out: Interactions
    known: Interactions
    seen: Interactions

    @classmethod
    def of(cls, partition: Partition, rng: np.random.Generator) -> Self | None:
        """Choose the pairs; None where no such pair was forgotten, or one of the kinds is missing."""
        forgotten = partition.single_pairs.split(Split.TRAIN).sample(_MOST, rng)
        seen = partition.retained_pairs.split(Split.TRAIN)
        held_out, known = (
            part.select(np.isin(part.users, forgotten.users)).sample(2 * _MOST, rng)
            for part in (partition.retained_pairs.held_out, seen)
        )
        if not (len(forgotten) and len(held_out) and len(known)):
            return None
        return cls(forgotten, held_out, known, seen)

    def comparison(self, vectors: Vectors, traits: RowTraits, structure: RowTraits) -> Comparison:
        """Make the comparison from the vectors and traits of everybody, in original rows."""
        degree = degrees(self.seen, len(vectors.users), len(vectors.items))
        groups, seen_by_attacker = [], []
        lengths = [side.norm(dim=1).cpu().double().numpy() for side in (vectors.users, vectors.items)]
        for pairs in (self.forgotten, self.held_out, self.known):
            place = percentiles(vectors.users, vectors.items, self.seen, pairs)
            groups.append(PairGroup(place, strata(pairs, *degree, by="items"), pairs.users))
            score = score_pairs(vectors.users, vectors.items, pairs.users, pairs.items).cpu().double().numpy()
            cosine = score / np.maximum(lengths[0][pairs.users] * lengths[1][pairs.items], 1e-12)
            seen_by_attacker.append(
                np.column_stack([place, score, cosine, traits.users[pairs.users], traits.items[pairs.items]])
            )
        forgotten, held_out, known = groups
        of_forgotten, of_held_out = (
            np.column_stack([structure.users[pairs.users], structure.items[pairs.items]])
            for pairs in (self.forgotten, self.held_out)
        )
        return Comparison(
            forgotten,
            held_out,
            known,
            held_out,
            (seen_by_attacker[0], seen_by_attacker[1]),
            (of_forgotten, of_held_out),
        )


@dataclass(frozen=True)
class RecognitionTests:
    """The recognition tests of one request.

    Attributes:
        partition: original and retained data.
        co_occurrence: for removed users, removed items.
        pairs: for single pairs.
        features: for each modality that items lost.
    """

    partition: Partition
    co_occurrence: Mapping[Target, CoOccurrence]
    pairs: SinglePairs | None
    features: Mapping[str, LapsedFeatures]

    @classmethod
    def of(cls, partition: Partition) -> Self:
        """Choose the pairs of all comparisons."""
        sides = {Target.USERS: True, Target.ITEMS: False}
        partners = {
            target: CoOccurrence.of(partition, users, _SEED.child(target).numpy()) for target, users in sides.items()
        }
        features = {
            name: LapsedFeatures.of(partition, name, _SEED.child(name).numpy()) for name in partition.removed_features
        }
        return cls(
            partition,
            {target: found for target, found in partners.items() if found is not None},
            SinglePairs.of(partition, _SEED.child("pairs").numpy()),
            {name: found for name, found in features.items() if found is not None},
        )

    def comparisons(
        self, model: Recommender | None, vectors: Vectors, traits: RowTraits, structure: RowTraits, build: Build
    ) -> dict[Kind, Comparison]:
        """Make all comparisons of one model.

        Args:
            model: model of the retained data; None for the original, which has no comparison of lapsed features.
            vectors, traits, structure: see `of_pairs`.
            build: see `LapsedFeatures.groups`.
        """
        found = self.of_pairs(vectors, traits, structure)
        for name, lapsed in self.features.items():
            if model is not None and (groups := lapsed.groups(model, self.partition, build)) is not None:
                empty = tuple(np.empty((len(group.owners), 0)) for group in groups[:2])
                none = empty[0], empty[1]
                found[Kind.of_features(name)] = Comparison(*groups, none, none)
        return found

    def of_pairs(self, vectors: Vectors, traits: RowTraits, structure: RowTraits) -> dict[Kind, Comparison]:
        """Compare the pairs of removed users, of removed items and of those that stay.

        Args:
            vectors: vectors of all users and items in original rows.
            traits, structure: traits of the retained rows; see `row_traits`.
        """
        whole, shown = (_in_original_rows(rows, self.partition) for rows in (traits, structure))
        found: dict[Kind, Comparison] = {}
        for target, asked in self.co_occurrence.items():
            partners, seen = (vectors.items, whole.items) if asked.of_users else (vectors.users, whole.users)
            forgotten, held_out, known = asked.groups(partners)
            of_forgotten, of_held_out = (
                np.column_stack([group.percentiles, seen[asked.kept[left_out.queries.items]]]).astype(np.float64)
                for group, left_out in ((forgotten, asked.forgotten), (held_out, asked.held_out))
            )
            theirs = shown.items if asked.of_users else shown.users
            data = tuple(theirs[asked.kept[part.queries.items]] for part in (asked.forgotten, asked.held_out))
            found[Kind(target)] = Comparison(
                forgotten, held_out, known, held_out, (of_forgotten, of_held_out), (data[0], data[1])
            )
        if self.pairs is not None:
            found[Kind(Target.INTERACTIONS)] = self.pairs.comparison(vectors, whole, shown)
        return found


def _in_original_rows(traits: RowTraits, partition: Partition) -> RowTraits:
    """Put traits into original rows; rows that left are zero."""
    sizes, rows = (
        (len(partition.original.users), len(partition.original.items)),
        (partition.user_rows, partition.item_rows),
    )
    whole: list[Doubles] = []
    for size, at, values in zip(sizes, rows, traits, strict=True):
        table = np.zeros((size, values.shape[1]))
        table[at] = values
        whole.append(table)
    return RowTraits(*whole)

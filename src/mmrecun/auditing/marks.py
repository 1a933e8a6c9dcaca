"""Marks: can the rows that a request touched be identified?

Unlearning must not publish what it erased. An attacker who has the new model and the retained data compares the length
of each row, and its agreement with its neighbourhood. Rows that were rotated, shrunk or reset stand out. A classifier
is trained on four fifths of the rows, with labels for the touched ones, and scores the others. Some can be found
without any model: if the most active users leave, certain items lose pairs, and the retained pairs show which. So a
second classifier sees the pairs alone. In Gold the model adds nothing to them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from mmrecun.arrays import Bools, Doubles, Ints
from mmrecun.auditing.classifier import cross_validated
from mmrecun.auditing.figures import Mark
from mmrecun.auditing.membership import PairGroup, auc_beside
from mmrecun.evaluation.row_traits import degree_strata, normal_scores
from mmrecun.evaluation.stratified import ITEM_STEP
from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed

_SEED = Seed(20).child("marks")
_FEWEST, _MOST = 5, 20_000


@dataclass(frozen=True)
class AffectedRows:
    """The retained rows that a request affected, with others of the same retained degree.

    Attributes:
        rows: int64 [N], rows of the retained data that are compared.
        affected: bool [N], whether the row lost a larger share of its pairs than the median row of its stratum.
        strata: int64 [N], by retained degree.
        shares: float64 [R], the share that each retained row lost, of all R.
        all_strata: int64 [R], the stratum of each.
        all_affected: bool [R], as `affected`.
    """

    rows: Ints
    affected: Bools
    strata: Ints
    shares: Doubles
    all_strata: Ints
    all_affected: Bools

    @classmethod
    def of(cls, partition: Partition, users: bool, features: bool = False) -> Self:
        """Choose the rows that are compared, of users or of items.

        Args:
            partition: original and retained data.
            users: whether users are meant.
            features: whether losing a modality counts as losing that share of an item's pairs. The data themselves
                show which items lack a modality, so such items cannot be marked.
        """
        rows = partition.user_rows if users else partition.item_rows
        before = partition.original.degrees[0 if users else 1]
        forgotten = partition.forgotten.users if users else partition.forgotten.items
        lost = np.bincount(forgotten, minlength=len(before))
        shares = lost / np.maximum(before, 1)
        if features:
            shares = shares + _features_lost(partition)
        shares, retained = shares[rows], (before - lost)[rows]
        every = degree_strata(retained)
        above = np.zeros(len(rows), dtype=bool)
        for stratum in np.unique(every):
            inside = every == stratum
            above[inside] = shares[inside] > np.median(shares[inside])
        compared = _sample(above, np.flatnonzero(every > 0))
        return cls(compared, above[compared], every[compared], shares, every, above)

    def mark(self, traits: Doubles, structure: Doubles) -> Mark | None:
        """Compute the AUC of the classifier, and its level without the model; None where too few rows were touched.

        Args:
            traits: float64 [R, F], of all retained rows in the model.
            structure: float64 [R, G], of all retained rows in the data.
        """
        count = int(self.affected.sum())
        if min(count, len(self.rows) - count) < _FEWEST:
            return None
        both = self._found(np.column_stack([structure, traits]))
        alone = self._found(structure)
        found, level = auc_beside(both, alone)
        return Mark(rows=count, others=len(self.rows) - count, auc=found.value, auc_error=found.error, level=level)

    def _found(self, traits: Doubles) -> tuple[PairGroup, PairGroup]:
        """Score touched and other rows by a classifier that was trained without them."""
        inputs = normal_scores(traits[self.rows], self.strata)
        return self.groups(cross_validated(inputs, self.affected, np.arange(len(self.rows)), _SEED.numpy()))

    def groups(self, scores: Doubles) -> tuple[PairGroup, PairGroup]:
        """Return the touched and the other rows, within strata, by scores [N] of the compared rows."""
        touched, others = (
            PairGroup(scores[mask].astype(np.float32), ITEM_STEP * self.strata[mask], self.rows[mask])
            for mask in (self.affected, ~self.affected)
        )
        return touched, others


def _features_lost(partition: Partition) -> Doubles:
    """Compute the share of its modalities that each item lost; float64 [I]."""
    had = sum(
        (modality.present.astype(int) for modality in partition.original.modalities.values()),
        start=np.zeros(1, dtype=int),
    )
    lost = sum((mask.astype(int) for mask in partition.removed_features.values()), start=np.zeros(1, dtype=int))
    share: Doubles = np.broadcast_to(lost / np.maximum(had, 1), (len(partition.original.items),))
    return share


def _sample(touched: Bools, rows: Ints) -> Ints:
    """Draw at most 20,000 of the touched and of the other rows; int64, ascending."""
    rng = _SEED.child("sample").numpy()
    parts = (rows[touched[rows]], rows[~touched[rows]])
    chosen = [part if len(part) <= _MOST else rng.choice(part, _MOST, replace=False) for part in parts]
    return np.sort(np.concatenate(chosen))

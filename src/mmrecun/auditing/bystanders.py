"""Bystanders: how the lists of the users least related to a request change, and what lists reveal.

The lists of twenty before and after are compared. Other seeds also change which items gain places, but Gold does not
favour touched items: among items of equal retained degree, the AUC of gained places is at most 0.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mmrecun.arrays import Bools, Doubles, Ints
from mmrecun.auditing.figures import Bystanders, Mark
from mmrecun.auditing.marks import AffectedRows
from mmrecun.auditing.membership import matched_auc
from mmrecun.evaluation.changes import list_overlap, lists_with
from mmrecun.forget.partition import Partition

FEWEST, QUARTER = 50, 0.25
_K = 20


@dataclass(frozen=True)
class ListChanges:
    """The users whose lists are compared, and the affected items.

    Attributes:
        rows: int64 [M], the users with a list.
        bystanders: bool [M].
        affected: the affected items.
    """

    rows: Ints
    bystanders: Bools
    affected: AffectedRows

    def lists_mark(self, before: Ints, after: Ints) -> Mark | None:
        """Measure whether touched items gained places in the lists int64 [M, K]; None if no item is touched."""
        touched = self.affected
        count = int(touched.affected.sum())
        if not count or count == len(touched.rows):
            return None
        gained = (item_counts(after, len(touched.all_strata)) - item_counts(before, len(touched.all_strata)))[
            touched.rows
        ]
        estimate = matched_auc(*touched.groups(gained.astype(np.float64)))
        assert estimate is not None
        return Mark(rows=count, others=len(touched.rows) - count, auc=estimate.value, auc_error=estimate.error)

    def measure(self, before: Ints, after: Ints, recall: Mapping[str, Doubles]) -> Bystanders | None:
        """Measure how the bystanders' lists changed; None for fewer than 50 bystanders.

        Args:
            before, after: int64 [M, K].
            recall: float64 [M] `before` and `after`, NaN for users without a test pair.
        """
        first, second = before[self.bystanders], after[self.bystanders]
        if len(first) < FEWEST:
            return None
        items, touched = len(self.affected.all_strata), self.affected
        slots = item_counts(first, items), item_counts(second, items)
        gain = slots[1] / max(1, slots[1].sum()) - slots[0] / max(1, slots[0].sum())
        change, error = weighted_gain(touched.shares, gain, touched.all_strata)
        both = [values[self.bystanders] for values in (recall["before"], recall["after"])]
        asked = ~np.isnan(both[0])
        return Bystanders(
            users=len(first),
            overlap=float(list_overlap(first[:, :_K], second[:, :_K]).mean()),
            share_before=float(slots[0][touched.all_affected].sum() / max(1, slots[0].sum())),
            share_after=float(slots[1][touched.all_affected].sum() / max(1, slots[1].sum())),
            gain=change,
            gain_error=error,
            recall_before=float(both[0][asked].mean()) if asked.any() else None,
            recall_after=float(both[1][asked].mean()) if asked.any() else None,
        )


def item_counts(lists: Ints, items: int) -> Ints:
    """Count how often each of `items` is in the first twenty places of the lists [M, K]; int64 [I]."""
    return lists_with(lists[:, :_K], items)


def weighted_gain(weights: Doubles, gain: Doubles, strata: Ints) -> tuple[float, float]:
    """Measure how gained places follow lost pairs: the gain beyond chance, and the spread of chance.

    Chance means that weights are permuted among the items of a stratum; its mean and variance are exact.

    Args:
        weights: float64 [I], the share that each item lost.
        gain: float64 [I], change of its share of all places.
        strata: int64 [I].
    """
    excess, variance = 0.0, 0.0
    for stratum in np.unique(strata):
        inside = strata == stratum
        away, moved = weights[inside] - weights[inside].mean(), gain[inside] - gain[inside].mean()
        excess += float(away @ moved)
        variance += float((away**2).sum() * (moved**2).sum()) / max(1, len(away) - 1)
    return excess, float(np.sqrt(variance))


def least_affected(partition: Partition, rows: Ints) -> Bools:
    """Select the users of `rows` (int64 [M], retained) who share nothing with the request: bool [M].

    None of their pairs was forgotten, and none of their items lost a pair or a feature; "touched" items lost more than
    most. If there are fewer than 50, the quarter of the users is taken whose items lost the smallest share of their
    pairs.
    """
    train, users = partition.retained.train, len(partition.user_rows)
    lost = np.bincount(partition.forgotten.items, minlength=len(partition.original.items))
    share = (lost / np.maximum(partition.original.degrees[1], 1))[partition.item_rows]
    for mask in partition.removed_features.values():
        share = share + mask[partition.item_rows]
    count = np.maximum(np.bincount(train.users, minlength=users), 1)
    exposure = np.bincount(train.users, weights=share[train.items], minlength=users) / count
    own = np.bincount(partition.forgotten.users, minlength=len(partition.original.users))
    exposure = (exposure + (own / np.maximum(partition.original.degrees[0], 1))[partition.user_rows])[rows]
    untouched = exposure == 0
    return untouched if untouched.sum() >= FEWEST else exposure <= np.quantile(exposure, QUARTER)

"""How well the forgotten pairs are still told from validation pairs of the same users or items.

To a model that never learned them the two are alike, if a random draw split them: the AUC is 0.5. So it says,
without any Gold, whether a model has forgotten too little or too much.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.dataset import positions
from mmrecun.data.interactions import Interactions, Split
from mmrecun.evaluation.left_out import LeftOut, of_whole_owners
from mmrecun.evaluation.ranking import percentiles
from mmrecun.evaluation.stratified import degree_bins, degrees, strata, stratified_auc
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Pair

_MOST, _FEWEST = 2048, 200
_SPLIT_MARGIN = 0.05


@dataclass(frozen=True)
class _Partners:
    """Pairs of those who left, asked about by their partners' vectors; the partners are users where items left."""

    of_users: bool
    forgotten: LeftOut
    valid: LeftOut
    strata: Ints

    def places(self, vectors: Pair) -> tuple[np.ndarray, Ints, np.ndarray, Ints]:
        partners: Tensor = vectors[1 if self.of_users else 0]
        return (
            self.forgotten.places(partners),
            self.strata[self.forgotten.asked.items],
            self.valid.places(partners),
            self.strata[self.valid.asked.items],
        )


@dataclass(frozen=True)
class _Singles:
    """Forgotten pairs whose ends both stay, and validation pairs of their users, in retained rows."""

    forgotten: Interactions
    valid: Interactions
    seen: Interactions

    def places(self, vectors: Pair) -> tuple[np.ndarray, Ints, np.ndarray, Ints]:
        users, items = vectors
        degree = degrees(self.seen, len(users), len(items))
        first, second = (percentiles(users, items, self.seen, pairs) for pairs in (self.forgotten, self.valid))
        return first, strata(self.forgotten, *degree, by="items"), second, strata(self.valid, *degree, by="items")


class Level:
    """The AUC of one request, by the vectors of any model of the retained data.

    Args:
        parts: original and retained data.
        rng: draws pairs where there are many.
    """

    def __init__(self, parts: Partition, rng: np.random.Generator) -> None:
        asked = [_partners(parts, True, rng), _partners(parts, False, rng), _singles(parts, rng)]
        self._asked = [each for each in asked if each is not None]

    def auc(self, vectors: Pair) -> float | None:
        """Mean over what was forgotten, by vectors [U', D] and [I', D]; None where too few pairs can be compared."""
        places = [each.places(vectors) for each in self._asked]
        found = [(stratified_auc(*each), len(each[0])) for each in places]
        known = [(auc, count) for auc, count in found if auc is not None]
        weight = sum(count for _, count in known)
        return sum(auc * count for auc, count in known) / weight if known else None


def _partners(parts: Partition, of_users: bool, rng: np.random.Generator) -> _Partners | None:
    gone, lost = (parts.lost_users, parts.lost_items) if of_users else (parts.lost_items, parts.lost_users)
    whole = parts.original.interactions if of_users else parts.original.interactions.flipped()
    whole = whole.renumbered(np.arange(len(gone)), positions(np.flatnonzero(~lost), len(lost)))
    train, valid = whole.part(Split.TRAIN), whole.part(Split.VALID)
    degree = np.bincount(train.users, minlength=len(gone))
    trained, seen = train.select(gone[train.users]), whole.select(gone[whole.users])
    groups = [
        LeftOut.of(
            trained,
            of_whole_owners(pairs.select(gone[pairs.users] & (degree[pairs.users] >= 2)), _MOST, rng),
            seen,
            rng,
        )
        for pairs in (train, valid)
    ]
    retained = np.bincount(train.items[~gone[train.users]], minlength=int((~lost).sum()))
    if not _comparable(retained, groups[0].asked, groups[1].asked):
        return None
    return _Partners(of_users, groups[0], groups[1], degree_bins(retained, 5))


def _singles(parts: Partition, rng: np.random.Generator) -> _Singles | None:
    stay = parts.forgotten.select(~parts.lost_users[parts.forgotten.users] & ~parts.lost_items[parts.forgotten.items])
    rows = [
        positions(kept, len(lost))
        for kept, lost in ((parts.user_rows, parts.lost_users), (parts.item_rows, parts.lost_items))
    ]
    forgotten = stay.renumbered(*rows).sample(_MOST, rng)
    held, train = parts.retained.interactions.part(Split.VALID), parts.retained.train
    valid = held.select(np.isin(held.users, forgotten.users)).sample(_MOST, rng)
    degree = np.bincount(train.items, minlength=len(parts.item_rows))
    return _Singles(forgotten, valid, train) if _comparable(degree, forgotten, valid) else None


def _comparable(degree: Ints, forgotten: Interactions, valid: Interactions) -> bool:
    """Whether there are enough of both, and they are alike in popularity, as a random split makes them."""
    if min(len(forgotten), len(valid)) < _FEWEST:
        return False
    popular = [degree[pairs.items].astype(np.float32) for pairs in (forgotten, valid)]
    alike = [np.zeros(len(each), dtype=np.int64) for each in popular]
    auc = stratified_auc(popular[0], alike[0], popular[1], alike[1])
    return auc is not None and abs(auc - 0.5) <= _SPLIT_MARGIN

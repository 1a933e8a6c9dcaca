"""The data of shadow models: the original without a chosen part of what was forgotten."""

from dataclasses import dataclass

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.setup import AuditSetup
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest


@dataclass(frozen=True)
class Candidates:
    """What the halves are drawn from, in original rows: users and items as wholes, and pairs of neither.

    Attributes:
        users, items: int64, removed rows; none where a branch is judged.
        pairs: forgotten pairs whose user and item both stayed.
        carriers: int64, items that lost the feature whose branch is judged.
    """

    users: Ints
    items: Ints
    pairs: Interactions
    carriers: Ints

    @classmethod
    def of(cls, setup: AuditSetup) -> "Candidates":
        """Of the forgotten pairs under test."""
        partition, pairs = setup.cache.partition, setup.forgotten
        if setup.branch:
            nobody = np.empty(0, dtype=np.int64)
            none = pairs.select(np.zeros(len(pairs), dtype=bool))
            return cls(nobody, nobody, none, np.flatnonzero(partition.removed_features[setup.branch]))
        single = ~partition.removed_users[pairs.users] & ~partition.removed_items[pairs.items]
        return cls(
            np.flatnonzero(partition.removed_users),
            np.flatnonzero(partition.removed_items),
            pairs.select(single),
            np.empty(0, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.users) + len(self.items) + len(self.pairs) + len(self.carriers)


def without(setup: AuditSetup, candidates: Candidates, left_out: Bools) -> tuple[Dataset, Bools]:
    """The original data without some of the candidates (bool over users, items, pairs and carriers in this order).

    Returns:
        The data of a shadow, and bool [N], which of the pairs under test are in them.
    """
    request = _request(setup, candidates, left_out)
    original = setup.cache.partition.original
    data = original if request.empty() else Partition.from_request(original, request).retained
    known = Partition.between(original, data)
    if setup.branch:
        return data, ~np.isin(setup.forgotten.items, candidates.carriers[left_out])
    train = known.retained_pairs.split(Split.TRAIN)
    return data, train.contains(setup.forgotten.users, setup.forgotten.items, len(original.items))


def _request(setup: AuditSetup, candidates: Candidates, left_out: Bools) -> ForgetRequest:
    original, pairs = setup.cache.partition.original, candidates.pairs
    ends = np.cumsum([len(candidates.users), len(candidates.items), len(pairs)])
    users, items, single, carriers = np.split(left_out, ends)
    single_pairs = pairs.select(single)
    lost = _names(original.items, candidates.carriers[carriers])
    return ForgetRequest(
        users=_names(original.users, candidates.users[users]),
        items=_names(original.items, candidates.items[items]),
        pairs=tuple(
            zip(
                _names(original.users, single_pairs.users),
                _names(original.items, single_pairs.items),
                strict=True,
            )
        ),
        modalities={setup.branch: lost} if lost else {},
    )


def _names(ids: IdMap, rows: Ints) -> tuple[str, ...]:
    return tuple(ids.names.gather(rows))

"""The data of shadow models: the original without a chosen part of what was forgotten."""

from dataclasses import dataclass

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.auditing.setup import Probe
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget.partition import partition, retain
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
    def of(cls, probe: Probe) -> "Candidates":
        """Of the forgotten pairs under test."""
        parts, pairs = probe.stage.parts, probe.forgotten
        if probe.branch:
            nobody = np.empty(0, dtype=np.int64)
            none = pairs.select(np.zeros(len(pairs), dtype=bool))
            return cls(nobody, nobody, none, np.flatnonzero(parts.lost_features[probe.branch]))
        single = ~parts.lost_users[pairs.users] & ~parts.lost_items[pairs.items]
        return cls(
            np.flatnonzero(parts.lost_users),
            np.flatnonzero(parts.lost_items),
            pairs.select(single),
            np.empty(0, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.users) + len(self.items) + len(self.pairs) + len(self.carriers)


def without(probe: Probe, candidates: Candidates, left_out: Bools) -> tuple[Dataset, Bools]:
    """The original data without some of the candidates (bool over users, items, pairs and carriers in this order).

    Returns:
        The data of a shadow, and bool [N], which of the pairs under test are in them.
    """
    request = _request(probe, candidates, left_out)
    original = probe.stage.parts.original
    data = original if request.empty() else retain(original, request)
    known = partition(original, data)
    if probe.branch:
        return data, ~np.isin(probe.forgotten.items, candidates.carriers[left_out])
    train = known.held.part(Split.TRAIN)
    return data, train.contains(probe.forgotten.users, probe.forgotten.items, len(original.items))


def _request(probe: Probe, candidates: Candidates, left_out: Bools) -> ForgetRequest:
    original, pairs = probe.stage.parts.original, candidates.pairs
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
        modalities={probe.branch: lost} if lost else {},
    )


def _names(ids: IdMap, rows: Ints) -> tuple[str, ...]:
    return tuple(ids.names.gather(rows))

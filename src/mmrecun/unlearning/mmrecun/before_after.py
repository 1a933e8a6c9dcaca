"""The loss over the pairs before a request and after it, with the same draws."""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Floats, Ints
from mmrecun.data.dataset import inverse_index
from mmrecun.data.interactions import Split
from mmrecun.forget.partition import Partition
from mmrecun.models.info_nce import InfoNCETerm
from mmrecun.unlearning.mmrecun.expected_bpr import ExpectedBPR, NewNegatives, SampledPairs
from mmrecun.unlearning.mmrecun.expected_info_nce import ExpectedInfoNCE
from mmrecun.unlearning.mmrecun.expected_loss import ExpectedLoss
from mmrecun.unlearning.mmrecun.links import Links
from mmrecun.unlearning.vector_model import blocks

_PAIRS = 8  # drawn for every negative; they cost less


class BeforeAndAfter(NamedTuple):
    """The loss over the original and over the retained pairs, with the same draws, so that sampling errors cancel.

    Attributes:
        before: in original rows.
        after: in retained rows.
    """

    before: ExpectedLoss
    after: ExpectedLoss

    @classmethod
    def of(
        cls,
        partition: Partition,
        size: int,
        rng: np.random.Generator,
        device: torch.device,
        term: InfoNCETerm | None = None,
    ) -> Self:
        """Draw `size` negatives, eight times as many pairs of either kind, and rows to meet in batches for a `term`."""
        before, after = _PairedSampler(partition, size, rng, device).losses()
        if term is None:
            return cls(ExpectedLoss(before), ExpectedLoss(after))
        old, new = ExpectedInfoNCE.before_and_after(term, partition, size, rng, device)
        return cls(ExpectedLoss(before, old), ExpectedLoss(after, new))


class _PairedSampler:
    def __init__(self, partition: Partition, size: int, rng: np.random.Generator, device: torch.device) -> None:
        self._partition, self._size, self._rng, self._device = partition, size, rng, device
        retained, forgotten = partition.retained_pairs.split(Split.TRAIN), partition.forgotten
        # retained pairs come first in both, so that their draws have the same indices before and after
        self._users, self._items = (
            np.concatenate([getattr(pairs, side) for pairs in (retained, forgotten)]) for side in ("users", "items")
        )
        self._retained_count = len(retained)
        self._sizes = len(partition.original.users), len(partition.original.items)
        self._positives = partition.original.train.matrix(*self._sizes)
        self._kept = np.bincount(retained.users, minlength=self._sizes[0])
        # how many items each user may draw as a negative, before the request and after it
        counts = self._sizes[1] - partition.original.degrees[0], len(partition.item_rows) - self._kept
        self._negative_counts = tuple(np.maximum(count, 1) for count in counts)
        self._row_of = tuple(
            inverse_index(rows, size)
            for rows, size in zip((partition.user_rows, partition.item_rows), self._sizes, strict=True)
        )

    def losses(self) -> tuple[ExpectedBPR, ExpectedBPR]:
        partition = self._partition
        items = np.sort(self._rng.permutation(partition.item_rows)[: self._size])
        allowed = 1 - self._positives[:, items].toarray().astype(np.float32)
        shares = allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)
        retained, forgotten = (
            np.sort(self._rng.permutation(np.arange(*span))[: _PAIRS * self._size])
            for span in ((0, self._retained_count), (self._retained_count, len(self._users)))
        )
        before = ExpectedBPR(
            Links(self._tensor(self._users), self._tensor(self._items), self._sizes),
            self._tensor(items),
            self._tensor(shares),
            (
                *self._sampled_pairs(retained, self._retained_count),
                *self._sampled_pairs(forgotten, len(self._users) - self._retained_count),
            ),
        )
        users, kept = (
            row_of[rows[: self._retained_count]]
            for row_of, rows in zip(self._row_of, (self._users, self._items), strict=True)
        )
        after = ExpectedBPR(
            Links(self._tensor(users), self._tensor(kept), (len(partition.user_rows), len(partition.item_rows))),
            self._tensor(self._row_of[1][items]),
            self._tensor((shares * (1 - self._new_share())[:, None])[partition.user_rows]),
            tuple(self._sampled_pairs(retained, self._retained_count, retained=True)),
            self._new_negatives(),
        )
        return before, after

    def _sampled_pairs(self, places: Ints, number: int, retained: bool = False) -> Iterator[SampledPairs]:
        """Yield the pairs at `places` for `number` of them, in pieces, since each is compared with every item."""
        for part in blocks(len(places), self._sizes[1]):
            users = self._users[places[part]]
            weights = (number / len(places) / self._negative_counts[retained][users]).astype(np.float32)
            rows, columns = (axis.astype(np.int64) for axis in self._positives[users].nonzero())
            if retained:
                columns = self._row_of[1][columns]
                rows, columns = rows[columns >= 0], columns[columns >= 0]
            positives = self._tensor(rows), self._tensor(columns)
            yield SampledPairs(self._tensor(places[part]), self._tensor(weights), positives)

    def _new_pairs(self) -> tuple[Ints, Ints]:
        """Return the users and items of forgotten pairs that become negatives, in original rows."""
        users, items = self._users[self._retained_count :], self._items[self._retained_count :]
        stay = (self._row_of[0][users] >= 0) & (self._row_of[1][items] >= 0) & (self._kept[users] > 0)
        return users[stay], items[stay]

    def _new_share(self) -> Floats:
        """Return the share of each user's negatives after the request that were no negatives before: float32 [U]."""
        found = np.bincount(self._new_pairs()[0], minlength=self._sizes[0]) / self._negative_counts[1]
        return found.astype(np.float32)

    def _new_negatives(self) -> NewNegatives | None:
        users, items = self._new_pairs()
        if not len(users):
            return None
        start = np.searchsorted(self._users[: self._retained_count], users)
        positives = self._items[start + (self._rng.random(len(users)) * self._kept[users]).astype(np.int64)]
        weights = self._kept[users] / self._negative_counts[1][users]
        rows = self._row_of[0][users], self._row_of[1][positives], self._row_of[1][items]
        first, second, third = (self._tensor(column) for column in rows)
        return NewNegatives(first, second, third, self._tensor(weights.astype(np.float32)))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

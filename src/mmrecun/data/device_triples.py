"""BPR triples drawn on the device, in random order, without rejection and without reading anything back."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import NegativeSampler, Triples
from mmrecun.data.dataset import inverse_index
from mmrecun.data.interactions import Interactions


class DeviceTriples:
    """Draws epochs of the same pairs on a device.

    A user with d known items among C candidates has C - d negatives. A rank among them is drawn, and the negative of
    that rank is looked up: the j-th known item, at position p, has p - j negatives before it. These counts ascend, so a
    binary search finds how many known items come before the negative. No draw has to be repeated.

    Args:
        pairs: training pairs; those of users without a negative are skipped, unless there are no others.
        sampler: the known items and the candidates.
        device: device of all arrays and draws.
    """

    def __init__(self, pairs: Interactions, sampler: NegativeSampler, device: torch.device) -> None:
        served = sampler.has_negative(pairs.users)
        if served.any() and not served.all():
            pairs = pairs.select(served)
        known = sampler.positives
        place = inverse_index(sampler.candidates, sampler.items)[known.items]
        users, place = known.users[place >= 0], place[place >= 0]
        count = 1 + max(int(side.max(initial=0)) for side in (pairs.users, users))
        taken = np.bincount(users, minlength=count)
        starts = np.cumsum(taken) - taken
        if not (np.diff(sampler.candidates) > 0).all():
            raise ValueError("candidates must ascend")
        before = place - (np.arange(len(users)) - starts[users])  # negatives before each known item
        self._width = len(sampler.candidates) + 1
        self.users, self.positives = _on(device, pairs.users), _on(device, pairs.items)
        self._candidates = _on(device, sampler.candidates)
        self._keys, self._starts = _on(device, users * self._width + before), _on(device, starts)
        self._left = _on(device, np.where(taken < len(sampler.candidates), len(sampler.candidates) - taken, 0))

    def __len__(self) -> int:
        return len(self.users)

    def negatives(self, users: Tensor, rng: torch.Generator) -> Tensor:
        """Draw a negative for each of `users`, int64 [B]; any candidate for a user who has them all."""
        chance = torch.rand(len(users), dtype=torch.float64, generator=rng, device=users.device)
        left = self._left[users]
        full = left == 0
        left = torch.where(full, len(self._candidates), left)
        rank = torch.minimum((chance * left).long(), left - 1)  # rounding can make the product equal to `left`
        passed = torch.searchsorted(self._keys, users * self._width + rank, right=True) - self._starts[users]
        return self._candidates[torch.where(full, rank, rank + passed)]

    def epoch(self, batch_size: int, rng: torch.Generator) -> Iterator[Triples]:
        """Yield all pairs in random order, with one negative each, in batches of `batch_size` at most.

        All batches are of one length, so that one captured step serves them all. To fill the last one, fewer pairs than
        there are batches come twice, with another negative.
        """
        count = -(-len(self) // batch_size)
        size = -(-len(self) // max(count, 1))
        order = torch.randperm(len(self), generator=rng, device=self.users.device)
        order = torch.cat([order, order[: count * size - len(self)]])
        users = self.users[order]
        everything = Triples(users, self.positives[order], self.negatives(users, rng))
        for start in range(0, len(order), max(size, 1)):
            yield everything.take(slice(start, start + size))


def _on(device: torch.device, array: np.ndarray) -> Tensor:
    return torch.tensor(array, device=device)

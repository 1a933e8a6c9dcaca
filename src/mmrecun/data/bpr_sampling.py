"""BPR triples: each training pair with a uniformly drawn negative that is not one of the user's positives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from mmrecun.arrays import Bools, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Interactions
from mmrecun.errors import DataError

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Triples:
    """B (user, positive, negative) rows.

    Attributes:
        users, positives, negatives: int64 [B].
    """

    users: torch.Tensor
    positives: torch.Tensor
    negatives: torch.Tensor

    def __len__(self) -> int:
        return len(self.users)

    def columns(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return users, positives and negatives."""
        return self.users, self.positives, self.negatives

    def to(self, device: torch.device) -> "Triples":
        """Return the same on another device."""
        return Triples(*(column.to(device) for column in self.columns()))

    def joined(self, others: "Triples") -> "Triples":
        """Return these triples followed by `others`."""
        return Triples(*(torch.cat(both) for both in zip(self.columns(), others.columns(), strict=True)))

    def take(self, at: slice) -> "Triples":
        """Return some of the triples."""
        return Triples(*(column[at] for column in self.columns()))


class NegativeSampler:
    """Draws items that are not among a user's known positives.

    A user with all candidates has no negative. `bpr_batches` skips such users; `draw` returns any candidate for them,
    so that one user cannot make a whole request fail.

    Args:
        positives: pairs never to be drawn.
        users, items: U and I.
        candidates: int64 item rows to draw from; all by default.

    Raises:
        DataError: when every user with an item has all items, so that there is nothing to learn.
    """

    def __init__(self, positives: Interactions, users: int, items: int, candidates: Ints | None = None) -> None:
        self.items = items
        self.positives = positives
        self.candidates = np.arange(items) if candidates is None else candidates
        allowed = np.zeros(items, dtype=bool)
        allowed[self.candidates] = True
        taken = np.bincount(positives.users[allowed[positives.items]], minlength=users)
        self._full: Bools = taken >= len(self.candidates)
        self._any_full = bool(self._full.any())
        if self._any_full and self._full[np.unique(positives.users)].all():
            raise DataError("everybody has every item; there is no negative to draw")

    @classmethod
    def of_dataset(cls, dataset: Dataset, candidates: Ints | None = None) -> Self:
        """Return a sampler that never draws a training pair of `dataset`; errors as of the class."""
        return cls(dataset.train, len(dataset.users), len(dataset.items), candidates)

    def has_negative(self, users: Ints) -> Bools:
        """Say for each of `users` (int64 [B]) whether some candidate is not a positive; bool [B]."""
        return ~self._full[users]

    def draw(self, users: Ints, rng: np.random.Generator) -> Ints:
        """Draw one negative for each of `users` (int64 [B]); int64 [B]."""
        drawn = self.candidates[rng.integers(len(self.candidates), size=len(users))]
        redraw = np.flatnonzero(self._known(users, drawn))
        if self._any_full:
            redraw = redraw[self.has_negative(users[redraw])]
        while len(redraw):
            drawn[redraw] = self.candidates[rng.integers(len(self.candidates), size=len(redraw))]
            redraw = redraw[self._known(users[redraw], drawn[redraw])]
        return drawn

    def _known(self, users: Ints, items: Ints) -> Bools:
        return self.positives.contains(users, items, self.items)


def bpr_batches(
    pairs: Interactions,
    sampler: NegativeSampler,
    batch_size: int,
    rng: np.random.Generator,
    device: torch.device = _CPU,
) -> Iterator[Triples]:
    """Yield each pair once, in random order, with one negative, in batches of `batch_size`; the last may be shorter.

    Pairs of users without a negative are skipped, unless there are no others. All triples are copied to `device` at
    once, so that no step waits for a copy.
    """
    served = sampler.has_negative(pairs.users)
    if served.any() and not served.all():
        pairs = pairs.select(served)
    order = rng.permutation(len(pairs))
    users, positives = pairs.users[order], pairs.items[order]
    columns = (users, positives, sampler.draw(users, rng))
    everything = Triples(*(torch.from_numpy(column) for column in columns)).to(device)
    for start in range(0, len(pairs), batch_size):
        yield everything.take(slice(start, start + batch_size))

"""BPR triples of pairs that stay on disk: the same, bit for bit, as `bpr_batches` draws of the same pairs in memory.

An epoch's order and negatives are two scratch files of four bytes a pair; a batch is gathered when it is its turn.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.mapped_dataset import MappedPairs
from mmrecun.data.npy import new_mapped_npy
from mmrecun.errors import DataError

_BLOCK = 1 << 20


class MappedTriples:
    """Draws epochs of the same pairs.

    Args:
        pairs: pairs to train on; those of users who have every item are skipped.
        items: I.
        scratch: folder of two temporary files.

    Raises:
        DataError: when every user with an item has all items, so that there is nothing to learn.
    """

    def __init__(self, pairs: MappedPairs, items: int, scratch: Path) -> None:
        self._pairs, self._items, self._scratch = pairs, items, scratch
        counts = np.diff(pairs.starts)
        full = np.flatnonzero(counts >= items)
        if len(full) and len(full) == np.count_nonzero(counts):
            raise DataError("everybody has every item; there is no negative to draw")
        self._served: Ints | None = None
        if len(full):
            served = np.ones(len(pairs), dtype=bool)
            served[pairs.places_of(full)[0]] = False
            self._served = np.flatnonzero(served)

    def __len__(self) -> int:
        return len(self._pairs) if self._served is None else len(self._served)

    def epoch(self, batch_size: int, rng: np.random.Generator) -> Iterator[Triples]:
        """Yield every pair once, in random order, with a negative each, in batches; the last may be shorter."""
        order, negatives = self._file("order"), self._file("negatives")
        for start in range(0, len(self), _BLOCK):
            order[start : start + _BLOCK] = np.arange(start, min(start + _BLOCK, len(self)))
        rng.shuffle(order)  # draws what rng.permutation does, in half of the memory
        self._draw(order, negatives, rng)
        for start in range(0, len(self), batch_size):
            at = slice(start, start + batch_size)
            columns = (*self._at(order[at]), negatives[at].astype(np.int64))
            yield Triples(*(torch.from_numpy(column) for column in columns))

    def _file(self, name: str) -> np.ndarray:
        dtype = np.int32 if max(len(self), self._items) <= np.iinfo(np.int32).max else np.int64
        path = self._scratch / f"{name}.npy"
        return new_mapped_npy(path, dtype, (len(self),))

    def _at(self, chosen: np.ndarray) -> tuple[Ints, Ints]:
        """Return the users and items of the pairs that an order names; int64 both."""
        places = chosen if self._served is None else self._served[chosen]
        return self._pairs.users[places].astype(np.int64), self._pairs.items[places].astype(np.int64)

    def _draw(self, order: np.ndarray, negatives: np.ndarray, rng: np.random.Generator) -> None:
        """Draw as `NegativeSampler.draw` does: for all pairs, then again for those whose draw is a known item."""
        again = [np.zeros(0, dtype=np.int64)]
        for start in range(0, len(self), _BLOCK):
            users, _ = self._at(order[start : start + _BLOCK])
            drawn = rng.integers(self._items, size=len(users))
            negatives[start : start + _BLOCK] = drawn
            again.append(start + np.flatnonzero(self._pairs.contains(users, drawn)))
        redraw = np.concatenate(again)
        while len(redraw):
            drawn = rng.integers(self._items, size=len(redraw))
            negatives[redraw] = drawn
            redraw = redraw[self._pairs.contains(self._at(order[redraw])[0], drawn)]

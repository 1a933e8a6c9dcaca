"""A list of whole numbers for each row, in chunks: read by row, changed by copy on write.

A chunk holds as many whole lists as make about 1 MiB: their lengths, uint32, and then their values, uint32. A list that
is emptied leaves nothing but a length of zero.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.chunked.chunks import CHUNK_BYTES, ChunkFolder
from mmrecun.settings import Settings

_UINT = np.dtype("<u4")


class ListsSpec(Settings):
    """What a manifest says of lists.

    Attributes:
        starts: the first row of each chunk, and the number of rows.
        chunks: digests, in order.
    """

    starts: tuple[int, ...]
    chunks: tuple[str, ...]


@dataclass(frozen=True)
class ChunkedLists:
    """Lists that are read where they lie.

    Attributes:
        spec: of the lists.
        folder: of their chunks.
    """

    spec: ListsSpec
    folder: ChunkFolder

    def __len__(self) -> int:
        return self.spec.starts[-1]

    @classmethod
    def write(cls, blocks: Iterable[tuple[Ints, np.ndarray]], folder: ChunkFolder) -> Self:
        """Write lists that come in blocks of rows: their lengths, int64 [M], and their values one after another."""
        starts, chunks = [0], []
        for lengths, values in blocks:
            ends = np.cumsum(lengths)
            size = (np.arange(1, len(lengths) + 1) + ends) * _UINT.itemsize
            first = 0
            while first < len(lengths):
                before = int(size[first - 1]) if first else 0
                last = max(first + 1, int(np.searchsorted(size, before + CHUNK_BYTES, side="right")))
                part = values[int(ends[first - 1]) if first else 0 : int(ends[last - 1])]
                chunks.append(folder.put(_packed(lengths[first:last], part)))
                starts.append(starts[-1] + last - first)
                first = last
        return cls(ListsSpec(starts=tuple(starts), chunks=tuple(chunks)), folder)

    def lists(self, at: Ints) -> list[np.ndarray]:
        """Return the lists of rows `at` (int64 [K]): uint32, read-only, each a view of its chunk."""
        found: list[np.ndarray] = [np.empty(0, dtype=_UINT)] * len(at)
        for number, places in self._by_chunk(at):
            lengths, values = self._chunk(number)
            ends = np.cumsum(lengths, dtype=np.int64)
            for place in places:
                row = int(at[place]) - self.spec.starts[number]
                found[place] = values[ends[row] - lengths[row] : ends[row]]
        return found

    def edited(self, changed: Mapping[int, np.ndarray], folder: ChunkFolder) -> Self:
        """Return the lists with those of some rows replaced; the chunks that hold them go to `folder`."""
        chunks, at = list(self.spec.chunks), np.array(list(changed), dtype=np.int64)
        for number, places in self._by_chunk(at):
            lengths, values = self._chunk(number)
            parts = np.split(values, np.cumsum(lengths, dtype=np.int64)[:-1])
            for place in places:
                parts[int(at[place]) - self.spec.starts[number]] = changed[int(at[place])]
            kept = np.array([len(part) for part in parts], dtype=np.int64)
            chunks[number] = folder.put(_packed(kept, np.concatenate(parts)))
        return type(self)(self.spec.model_copy(update={"chunks": tuple(chunks)}), folder)

    def _chunk(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        content = self.folder.get(self.spec.chunks[number]).view(_UINT)
        rows = self.spec.starts[number + 1] - self.spec.starts[number]
        return content[:rows], content[rows:]

    def _by_chunk(self, at: Ints) -> Iterator[tuple[int, Ints]]:
        """Yield each chunk that is asked for, and which of `at` lie there."""
        numbers = np.searchsorted(np.array(self.spec.starts), at, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        for places in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
            if len(places):
                yield int(numbers[places[0]]), places


def _packed(lengths: Ints, values: np.ndarray) -> bytes:
    return np.concatenate([lengths.astype(_UINT), values.astype(_UINT, copy=False)]).tobytes()

"""A list of whole numbers for each row, in chunks: read by row, changed by copy on write.

A chunk holds as many whole lists as fill about 1 MiB: their lengths, uint32, and then their values, uint32. An
emptied list keeps only a length of zero. Where an erasure changes many chunks, changed lists are written to a patch
first (`chunked.patches`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.chunked.chunks import CHUNK_BYTES, ChunkFolder, by_chunk
from mmrecun.chunked.patches import places_in, written_now
from mmrecun.chunked.rows import ChunkedRows, RowsSpec
from mmrecun.settings import Settings

_UINT = np.dtype("<u4")


class ListsSpec(Settings):
    """The part of a manifest that describes lists.

    Attributes:
        starts: the first row of each chunk, and the number of rows.
        chunks: digests, in order.
        patch: rows whose lists changed since their chunks were written, int64 [K], ascending, and the lists.
    """

    starts: tuple[int, ...]
    chunks: tuple[str, ...]
    patch: "tuple[RowsSpec, ListsSpec] | None" = None

    def digests(self) -> set[str]:
        """Return the digests of all chunks, with those of the patch."""
        return set(self.chunks).union(*(part.digests() for part in self.patch or ()))


@dataclass(frozen=True)
class ChunkedLists:
    """Lists read from their chunks.

    Attributes:
        spec: description in the manifest.
        folder: folder of the chunks.
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
        """Return the lists of rows `at` (int64 [K]): uint32, each a copy."""
        found: list[np.ndarray] = [np.empty(0, dtype=_UINT)] * len(at)
        for number, places in by_chunk(self._numbers(at)):
            lengths, values = self._chunk(number)
            rows = at[places] - self.spec.starts[number]
            ends = np.cumsum(lengths[: rows.max() + 1], dtype=np.int64)
            for place, row in zip(places.tolist(), rows.tolist(), strict=True):
                found[place] = values[ends[row] - lengths[row] : ends[row]].copy()
        rows, waiting = self._patch()
        here, there = places_in(rows, at)
        for place, values in zip(here, waiting.lists(there) if len(there) else (), strict=True):
            found[place] = values
        return found

    def candidates(self, other: Self) -> Iterator[Ints]:
        """Yield the rows, int64, ascending, whose lists may differ from those in `other`, lists of as many rows.

        They are those that differ in their chunks, and those that wait in a patch.
        """
        waiting = np.union1d(self._patch()[0], other._patch()[0])
        one, two = self.spec, other.spec
        for number, (first, last) in enumerate(pairwise(one.starts)):
            inside = waiting[(waiting >= first) & (waiting < last)]
            if one.starts != two.starts:
                yield np.arange(first, last)
            elif one.chunks[number] == two.chunks[number]:
                yield inside
            else:
                yield np.union1d(first + lists_that_differ(self._chunk(number), other._chunk(number)), inside)

    def edited(
        self, changed: Mapping[int, np.ndarray], folder: ChunkFolder, urgent: Collection[int] | None = None
    ) -> Self:
        """Return the lists with those of some rows replaced; what is written goes to `folder`.

        Args:
            changed: row -> its list, uint32.
            folder: folder of the new lists.
            urgent: rows that are written into their chunks in any case; None for all of `changed`.
        """
        due = set(changed if urgent is None else urgent)
        rows, waiting = self._patch()
        old = dict(zip(rows.tolist(), waiting.lists(np.arange(len(rows))) if len(rows) else (), strict=True))
        pending = dict(sorted({**old, **changed}.items()))
        at = np.array(list(pending), dtype=np.int64)
        sizes = np.array([values.nbytes for values in pending.values()], dtype=np.int64)
        now = written_now(self._numbers(at), np.isin(at, list(due)), sizes)
        chunks = list(self.spec.chunks)
        for number, places in by_chunk(self._numbers(at[now])):
            chunks[number] = folder.put(self._replaced(number, at[now][places], pending))
        patch = None if now.all() else _written_patch({row: pending[row] for row in at[~now].tolist()}, folder)
        return type(self)(self.spec.model_copy(update={"chunks": tuple(chunks), "patch": patch}), folder)

    def folded(self, folder: ChunkFolder) -> Self:
        """Return the same lists without a patch; the chunks that are written for it go to `folder`."""
        if self.spec.patch is None:
            return self
        rows, waiting = self._patch()
        changed = dict(zip(rows.tolist(), waiting.lists(np.arange(len(rows))), strict=True))
        return type(self)(self.spec.model_copy(update={"patch": None}), self.folder).edited(changed, folder)

    def _patch(self) -> tuple[Ints, Self]:
        """Return the rows in the patch, int64 [K], and their lists, which may be read only if K > 0."""
        if self.spec.patch is None:
            return np.zeros(0, dtype=np.int64), self
        rows, lists = self.spec.patch
        return ChunkedRows(rows, self.folder).whole(), type(self)(lists, self.folder)

    def _replaced(self, number: int, rows: Ints, changed: Mapping[int, np.ndarray]) -> memoryview:
        """Return the content of a chunk with the lists of some of its rows (ascending) replaced."""
        lengths, values = self._chunk(number)
        ends, kept = np.cumsum(lengths, dtype=np.int64), lengths.astype(np.int64)
        parts, done = [], 0
        for row in rows.tolist():
            at = row - self.spec.starts[number]
            parts += [values[done : ends[at] - lengths[at]], changed[row]]
            kept[at], done = len(changed[row]), ends[at]
        return _packed(kept, np.concatenate([*parts, values[done:]]))

    def _numbers(self, at: Ints) -> Ints:
        return np.searchsorted(np.array(self.spec.starts), at, side="right") - 1

    def _chunk(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        content = self.folder.get(self.spec.chunks[number]).view(_UINT)
        rows = self.spec.starts[number + 1] - self.spec.starts[number]
        return content[:rows], content[rows:]


def lists_that_differ(one: tuple[np.ndarray, np.ndarray], two: tuple[np.ndarray, np.ndarray]) -> Ints:
    """Find which of M lists differ in two sets of them: int64, ascending.

    Args:
        one, two: the length of each list, [M], and the values of all lists, one after another.

    >>> lists_that_differ((np.array([2, 1]), np.array([5, 6, 7])), (np.array([2, 1]), np.array([5, 6, 8]))).tolist()
    [1]
    """
    differ = one[0] != two[0]
    values, theirs = (all_values[np.repeat(~differ, lengths)] for lengths, all_values in (one, two))
    owners = np.repeat(np.flatnonzero(~differ), one[0][~differ])
    differ[owners[values != theirs]] = True
    return np.flatnonzero(differ)


def _written_patch(changed: Mapping[int, np.ndarray], folder: ChunkFolder) -> tuple[RowsSpec, ListsSpec]:
    lists = list(changed.values())
    block = np.array([len(each) for each in lists], dtype=np.int64), np.concatenate(lists)
    rows = ChunkedRows.write(np.array(list(changed), dtype=np.int64), folder)
    return rows.spec, ChunkedLists.write([block], folder).spec


def _packed(lengths: Ints, values: np.ndarray) -> memoryview:
    return np.concatenate([lengths.astype(_UINT), values.astype(_UINT, copy=False)]).data

"""A table of rows in chunks: read by row, changed by copy on write or, where many chunks are touched, by a patch."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.chunked.chunks import ChunkFolder, by_chunk, chunk_bytes
from mmrecun.chunked.patches import Mask, places_in, written_now
from mmrecun.settings import Settings


class RowsSpec(Settings):
    """The part of a manifest that describes a table.

    Attributes:
        dtype: dtype as NumPy writes it, such as "<f4".
        shape: rows first.
        per_chunk: rows of every chunk but the last.
        chunks: digests, in order.
        patch: rows that changed since their chunks were written, int64 [K], ascending, and their values; see
            `chunked.patches`.
    """

    dtype: str
    shape: tuple[int, ...]
    per_chunk: int
    chunks: tuple[str, ...]
    patch: "tuple[RowsSpec, RowsSpec] | None" = None

    def digests(self) -> set[str]:
        """Return the digests of all chunks, with those of the patch."""
        return set(self.chunks).union(*(part.digests() for part in self.patch or ()))


@dataclass(frozen=True)
class ChunkedRows:
    """A table read from its chunks.

    Attributes:
        spec: description in the manifest.
        folder: folder of the chunks.
    """

    spec: RowsSpec
    folder: ChunkFolder

    def __len__(self) -> int:
        return self.spec.shape[0]

    @classmethod
    def write(cls, values: np.ndarray, folder: ChunkFolder) -> Self:
        """Write an array, which may be mapped, chunk by chunk."""
        dtype = values.dtype.newbyteorder("<")
        width = dtype.itemsize * int(np.prod(values.shape[1:], dtype=np.int64))
        per_chunk = max(1, chunk_bytes(width * len(values)) // width)
        chunks = [
            folder.put(np.ascontiguousarray(values[start : start + per_chunk], dtype=dtype).data)
            for start in range(0, len(values), per_chunk)
        ]
        return cls(RowsSpec(dtype=dtype.str, shape=values.shape, per_chunk=per_chunk, chunks=tuple(chunks)), folder)

    def chunk(self, number: int) -> np.ndarray:
        """Return one chunk as rows, mapped and read-only, without the patch."""
        rows = self.folder.get(self.spec.chunks[number]).view(self.spec.dtype)
        return rows.reshape(-1, *self.spec.shape[1:])

    def rows(self, at: Ints) -> np.ndarray:
        """Return rows `at` (int64 [K], in any order), as a copy."""
        found = np.empty((len(at), *self.spec.shape[1:]), dtype=self.spec.dtype)
        width = found.itemsize * int(np.prod(found.shape[1:], dtype=np.int64))
        records = found.reshape(-1).view(np.uint8).reshape(len(at), width)
        for number, places in by_chunk(at // self.spec.per_chunk):
            inside = at[places] - number * self.spec.per_chunk
            self.folder.read_records(self.spec.chunks[number], inside, records, places)
        if self.spec.patch is not None:
            changed, values = (type(self)(part, self.folder) for part in self.spec.patch)
            here, there = places_in(changed.whole(), at)
            found[here] = values.rows(there)
        return found

    def whole(self) -> np.ndarray:
        """Return all rows, as a copy."""
        return self.rows(np.arange(len(self)))

    def edited(self, at: Ints, values: np.ndarray, folder: ChunkFolder, urgent: Mask | None = None) -> Self:
        """Return the table with some rows replaced; what is written goes to `folder`.

        Args:
            at: int64 [K], distinct.
            values: [K, ...], what they become.
            folder: folder of the new table.
            urgent: bool [K], rows that are written into their chunks in any case; None for all of them.
        """
        urgent = np.ones(len(at), dtype=bool) if urgent is None else urgent
        at, values, urgent = self._with_waiting(at, values, urgent)
        now = written_now(at // self.spec.per_chunk, urgent, np.full(len(at), values[:1].nbytes))
        chunks = list(self.spec.chunks)
        for number, places in by_chunk(at[now] // self.spec.per_chunk):
            rows = self.chunk(number).copy()
            rows[at[now][places] - number * self.spec.per_chunk] = values[now][places]
            chunks[number] = folder.put(rows.data)
        patch = None
        if not now.all():
            patch = type(self).write(at[~now], folder).spec, type(self).write(values[~now], folder).spec
        return type(self)(self.spec.model_copy(update={"chunks": tuple(chunks), "patch": patch}), folder)

    def folded(self, folder: ChunkFolder) -> Self:
        """Return the same table without a patch; the chunks that are written for it go to `folder`."""
        if self.spec.patch is None:
            return self
        at, values = (type(self)(part, self.folder).whole() for part in self.spec.patch)
        return type(self)(self.spec.model_copy(update={"patch": None}), self.folder).edited(at, values, folder)

    def _with_waiting(self, at: Ints, values: np.ndarray, urgent: Mask) -> tuple[Ints, np.ndarray, Mask]:
        """Add the rows of the patch that do not change again; ascending."""
        values = np.asarray(values, dtype=self.spec.dtype)
        if self.spec.patch is not None:
            waiting, theirs = (type(self)(part, self.folder).whole() for part in self.spec.patch)
            stay = ~np.isin(waiting, at)
            at, values = np.concatenate([at, waiting[stay]]), np.concatenate([values, theirs[stay]])
            urgent = np.concatenate([urgent, np.zeros(int(stay.sum()), dtype=bool)])
        order = np.argsort(at)
        return at[order], values[order], urgent[order]

    def with_chunk(self, number: int, rows: np.ndarray, folder: ChunkFolder) -> Self:
        """Return the table with one chunk replaced by `rows`, of the same number."""
        chunks = list(self.spec.chunks)
        chunks[number] = folder.put(np.ascontiguousarray(rows, dtype=self.spec.dtype).data)
        return type(self)(self.spec.model_copy(update={"chunks": tuple(chunks)}), folder)

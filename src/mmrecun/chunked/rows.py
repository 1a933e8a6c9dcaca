"""A table of rows in chunks: read by row, changed by copy on write."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.chunked.chunks import CHUNK_BYTES, ChunkFolder
from mmrecun.settings import Settings


class RowsSpec(Settings):
    """What a manifest says of a table.

    Attributes:
        dtype: such as "<f4".
        shape: rows first.
        per_chunk: rows of every chunk but the last.
        chunks: digests, in order.
    """

    dtype: str
    shape: tuple[int, ...]
    per_chunk: int
    chunks: tuple[str, ...]


@dataclass(frozen=True)
class ChunkedRows:
    """A table that is read where it lies.

    Attributes:
        spec: of the table.
        folder: of its chunks.
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
        per_chunk = max(1, CHUNK_BYTES // width)
        chunks = [
            folder.put(np.ascontiguousarray(values[start : start + per_chunk], dtype=dtype).tobytes())
            for start in range(0, len(values), per_chunk)
        ]
        return cls(RowsSpec(dtype=dtype.str, shape=values.shape, per_chunk=per_chunk, chunks=tuple(chunks)), folder)

    def chunk(self, number: int) -> np.ndarray:
        """Return one chunk as rows, mapped and read-only."""
        rows = self.folder.get(self.spec.chunks[number]).view(self.spec.dtype)
        return rows.reshape(-1, *self.spec.shape[1:])

    def rows(self, at: Ints) -> np.ndarray:
        """Return rows `at` (int64 [K], in any order), as a copy."""
        found = np.empty((len(at), *self.spec.shape[1:]), dtype=self.spec.dtype)
        for number, places, inside in self._by_chunk(at):
            found[places] = self.chunk(number)[inside]
        return found

    def edited(self, at: Ints, values: np.ndarray, folder: ChunkFolder) -> Self:
        """Return the table with rows `at` (int64 [K], distinct) replaced; the chunks that hold them go to `folder`."""
        chunks = list(self.spec.chunks)
        for number, places, inside in self._by_chunk(at):
            rows = self.chunk(number).copy()
            rows[inside] = values[places]
            chunks[number] = folder.put(rows.tobytes())
        return type(self)(self.spec.model_copy(update={"chunks": tuple(chunks)}), folder)

    def with_chunk(self, number: int, rows: np.ndarray, folder: ChunkFolder) -> Self:
        """Return the table with one chunk replaced by as many rows."""
        chunks = list(self.spec.chunks)
        chunks[number] = folder.put(np.ascontiguousarray(rows, dtype=self.spec.dtype).tobytes())
        return type(self)(self.spec.model_copy(update={"chunks": tuple(chunks)}), folder)

    def _by_chunk(self, at: Ints) -> Iterator[tuple[int, Ints, Ints]]:
        """Yield each chunk that is asked for, which of `at` lie there, and where inside."""
        numbers = at // self.spec.per_chunk
        order = np.argsort(numbers, kind="stable")
        for places in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
            if len(places):
                number = int(numbers[places[0]])
                yield number, places, at[places] - number * self.spec.per_chunk

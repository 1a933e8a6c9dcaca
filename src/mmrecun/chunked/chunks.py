"""A folder of chunks of about 1 MiB, each a file named by the SHA-256 of its content.

Two runs on one file system share a chunk as one file with two names (hard links). So a run folder is complete by
itself, and a chunk is freed when the last run folder with it is removed; no references are counted.
"""

import errno
import hashlib
import mmap
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import isqrt
from pathlib import Path

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.atomic import unwritable
from mmrecun.errors import ArtifactError

CHUNK_BYTES = 1 << 20
_LARGE = 1 << 29  # bytes of a table from which on its chunks are larger
_FEW = 16  # records of a chunk up to which each is read separately
_OPEN = 320  # chunks that stay mapped; each takes a file descriptor, of which a process often has 1,024


class ChunkFolder:
    """Chunks below one folder.

    Args:
        path: the folder; made when the first chunk is written.
        behind: where chunks are read that are not here (yet).
    """

    def __init__(self, path: Path, behind: "ChunkFolder | None" = None) -> None:
        self.path, self._behind = path, behind
        self._open: OrderedDict[str, np.ndarray] = OrderedDict()

    def get(self, digest: str) -> np.ndarray:
        """Return a chunk as bytes, uint8 [B], mapped and read-only.

        Raises:
            ArtifactError: when it is missing.
        """
        found = self._open.pop(digest, None)
        if found is None:
            try:
                found = _mapped(f"{self.path}/{digest}")
            except (FileNotFoundError, ValueError):
                if self._behind is not None:
                    return self._behind.get(digest)
                raise self._missing(digest) from None
        self._open[digest] = found
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return found

    def read_records(self, digest: str, at: Ints, into: np.ndarray, places: Ints) -> None:
        """Copy some records of a chunk; a few are read separately.

        Mapping a chunk for one row costs twenty times as much as reading the row.

        Args:
            digest: digest of the chunk.
            at: int64 [K], indices of the records.
            into: uint8 [N, W] for records of W bytes; contiguous.
            places: int64 [K], the rows of `into` that they are copied to.

        Raises:
            ArtifactError: when the chunk is missing or cut short.
        """
        if digest in self._open or len(at) > _FEW:
            into[places] = self.get(digest).reshape(-1, into.shape[1])[at]
            return
        try:
            file = os.open(f"{self.path}/{digest}", os.O_RDONLY)
        except FileNotFoundError:
            if self._behind is None:
                raise self._missing(digest) from None
            self._behind.read_records(digest, at, into, places)
            return
        try:
            for record, place in zip(at.tolist(), places.tolist(), strict=True):
                if os.preadv(file, [into[place]], into.shape[1] * record) < into.shape[1]:
                    raise ArtifactError(f"{self.path / digest}: cut short; restore the run")
        finally:
            os.close(file)

    def _missing(self, digest: str) -> ArtifactError:
        return ArtifactError(f"{self.path / digest}: missing or empty; the run is incomplete")

    def put(self, content: bytes | memoryview) -> str:
        """Write a chunk and return its digest; one that is there already is left.

        Raises:
            ArtifactError: when the chunk cannot be written, such as when the disk is full.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self.path / digest
        if not path.exists():
            self.path.mkdir(exist_ok=True)
            try:
                path.write_bytes(content)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise unwritable(path, error.errno or errno.EIO) from None
        return digest

    def share(self, other: "ChunkFolder", digests: Iterable[str]) -> None:
        """Take over chunks of another folder that are not here yet; copied where files cannot have two names.

        Raises:
            ArtifactError: when a chunk is missing there.
        """
        self.path.mkdir(exist_ok=True)
        there, here = str(other.path), str(self.path)  # a Path for each of thousands costs more than its link
        for digest in digests:
            try:
                os.link(f"{there}/{digest}", f"{here}/{digest}")
            except FileExistsError:
                continue
            except FileNotFoundError:
                raise ArtifactError(f"{there}/{digest}: missing; the run is incomplete") from None
            except OSError:
                shutil.copyfile(f"{there}/{digest}", f"{here}/{digest}")

    def refuse_changed(self, digests: Iterable[str]) -> None:
        """Raise ArtifactError for a chunk whose content does not match its name."""
        for digest in digests:
            if hashlib.sha256(self.get(digest).data).hexdigest() != digest:
                raise ArtifactError(f"{self.path / digest}: changed since it was written; restore the run")


def chunk_bytes(table: int) -> int:
    """Return the size of the chunks of a table of `table` bytes: CHUNK_BYTES, and more for a large table.

    An erasure copies each chunk that it changes, and links every other one, so large chunks cost as much as many. With
    a size that follows the square root of the table's, neither cost grows faster than that.

    >>> [chunk_bytes(table << 20) >> 20 for table in (1, 512, 2048, 8192)]
    [1, 1, 2, 4]
    """
    return CHUNK_BYTES * isqrt(max(table, _LARGE)) // isqrt(_LARGE)


def by_chunk(numbers: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each chunk that occurs among `numbers` (int64 [K]), ascending, and where: int64, ascending.

    >>> [(number, places.tolist()) for number, places in by_chunk(np.array([7, 3, 7]))]
    [(3, [1]), (7, [0, 2])]
    """
    order = np.argsort(numbers, kind="stable")
    ascending = numbers[order]
    bounds = [0, *(np.flatnonzero(ascending[1:] != ascending[:-1]) + 1).tolist(), len(order)]
    for start, stop in pairwise(bounds):
        if start < stop:  # not so if `numbers` is empty
            yield int(ascending[start]), order[start:stop]


def _mapped(path: str) -> np.ndarray:
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

"""A folder of chunks of about 1 MiB, each a file named by the SHA-256 of its content.

Two runs on one file system share a chunk as one file with two names (hard links). So a run folder is whole by itself,
and a chunk is gone from the disk when the last run folder that names it is removed; nothing counts references.
"""

import hashlib
import mmap
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.errors import ArtifactError

CHUNK_BYTES = 1 << 20
_FEW = 16  # records of a chunk that are read one by one
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
                raise ArtifactError(f"{self.path / digest}: missing or empty; the run is incomplete") from None
        self._open[digest] = found
        if len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return found

    def records(self, digest: str, width: int, at: Ints) -> np.ndarray:
        """Return some of the records of a chunk: uint8 [K, width], read one by one where they are few.

        Mapping a chunk for a row costs twenty times as much as reading the row.

        Args:
            digest: of the chunk.
            width: bytes of a record.
            at: int64 [K], which of them.

        Raises:
            ArtifactError: when the chunk is missing.
        """
        if digest in self._open or len(at) > _FEW:
            return self.get(digest).reshape(-1, width)[at]
        try:
            file = os.open(f"{self.path}/{digest}", os.O_RDONLY)
        except FileNotFoundError:
            return self._behind.records(digest, width, at) if self._behind else self.get(digest)
        try:
            content = b"".join([os.pread(file, width, width * place) for place in at.tolist()])
        finally:
            os.close(file)
        return np.frombuffer(content, np.uint8).reshape(-1, width)

    def put(self, content: bytes | memoryview) -> str:
        """Write a chunk and return its digest; one that is there already is left.

        Raises:
            ArtifactError: when the chunk cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self.path / digest
        if not path.exists():
            self.path.mkdir(exist_ok=True)
            try:
                path.write_bytes(content)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise ArtifactError(f"{path}: cannot be written: {error.strerror or error}") from None
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
        """Raise ArtifactError for a chunk whose content is no longer what its name says."""
        for digest in digests:
            if hashlib.sha256(self.get(digest).data).hexdigest() != digest:
                raise ArtifactError(f"{self.path / digest}: changed since it was written; restore the run")


def _mapped(path: str) -> np.ndarray:
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

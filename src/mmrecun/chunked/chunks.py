"""A folder of chunks of about 1 MiB, each a file named by the SHA-256 of its content.

Two runs on one file system share a chunk as one file with two names (hard links). So a run folder is whole by itself,
and a chunk is gone from the disk when the last run folder that names it is removed; nothing counts references.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmrecun.errors import ArtifactError

CHUNK_BYTES = 1 << 20


class ChunkFolder:
    """Chunks below one folder.

    Args:
        path: the folder; made when the first chunk is written.
        behind: where chunks are read that are not here (yet).
    """

    def __init__(self, path: Path, behind: "ChunkFolder | None" = None) -> None:
        self.path, self._behind = path, behind
        self._open: dict[str, np.ndarray] = {}

    def get(self, digest: str) -> np.ndarray:
        """Return a chunk as bytes, uint8 [B], mapped and read-only.

        Raises:
            ArtifactError: when it is missing.
        """
        if digest not in self._open:
            path = self.path / digest
            try:
                self._open[digest] = np.memmap(path, np.uint8, "r").view(np.ndarray)
            except (FileNotFoundError, ValueError):
                if self._behind is not None:
                    return self._behind.get(digest)
                raise ArtifactError(f"{path}: missing or empty; the run is incomplete") from None
        return self._open[digest]

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
        for digest in digests:
            try:
                os.link(other.path / digest, self.path / digest)
            except FileExistsError:
                continue
            except FileNotFoundError:
                raise ArtifactError(f"{other.path / digest}: missing; the run is incomplete") from None
            except OSError:
                shutil.copyfile(other.path / digest, self.path / digest)

    def refuse_changed(self, digests: Iterable[str]) -> None:
        """Raise ArtifactError for a chunk whose content is no longer what its name says."""
        for digest in digests:
            if hashlib.sha256(self.get(digest).data).hexdigest() != digest:
                raise ArtifactError(f"{self.path / digest}: changed since it was written; restore the run")

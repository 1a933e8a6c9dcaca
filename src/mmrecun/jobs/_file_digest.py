"""The digest of a model of another library, which may be a file or a folder."""

import hashlib
from pathlib import Path

from mmrecun.errors import ArtifactError


def refuse_changed(path: Path, digest: str, otherwise: str) -> None:
    """Raise ArtifactError if there is no such file, or, with the words `otherwise`, if it has another digest."""
    if not path.exists():
        raise ArtifactError(f"{path}: no such file")
    if file_digest(path) != digest:
        raise ArtifactError(f"{path}: {otherwise}")


def file_digest(path: Path) -> str:
    """Compute SHA-256 of a file, or of the names and contents of all files in a folder, as hexadecimal text."""
    state = hashlib.sha256()
    inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else []
    for one in inside:
        state.update(f"{one.relative_to(path).as_posix()}\x00{file_digest(one)}".encode())
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return state.hexdigest()

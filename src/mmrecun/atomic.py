"""Atomic writes: a folder or file is filled under a temporary name beside its target, then renamed."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrecun.errors import ArtifactError


def refuse_existing(target: Path) -> None:
    """Raise ArtifactError if writing to `target` would replace something."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ArtifactError(f"{target} already exists; choose another --out or remove it first")


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder. It becomes `target` when the block succeeds, and is removed when it fails.

    Raises:
        ArtifactError: when `target` exists already, or its parent cannot be written.
    """
    refuse_existing(target)
    staging = _beside(target)
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {target}: {error.strerror}") from None
    try:
        yield staging
        refuse_existing(target)  # another process may have written it first
        if target.is_dir():
            target.rmdir()
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _beside(target: Path) -> Path:
    """Return a hidden name that no other process uses, even in a folder that several machines share."""
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name to write a file under, which takes the place of `path` when the block ends well.

    Readers see the old file or the new one, never a part.
    """
    staging = _beside(path)
    try:
        yield staging
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step."""
    with replacing(path) as staging:
        staging.write_bytes(content)

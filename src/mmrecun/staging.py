"""A folder appears whole or not at all: it is filled under another name beside its place, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrecun.errors import ArtifactError


def refuse_existing(target: Path) -> None:
    """Raise ArtifactError when something stands at `target` that writing would replace."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ArtifactError(f"{target} already exists; choose another --out or remove it first")


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when the block ends well and vanishes when it does not.

    Raises:
        ArtifactError: when `target` exists already, or its parent cannot be written.
    """
    refuse_existing(target)
    staging = target.parent / f".{target.name}.{os.getpid()}.partial"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {target}: {error.strerror}") from None
    try:
        yield staging
        if target.is_dir():
            target.rmdir()
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: readers see the old file or the new one, never a part."""
    staging = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        staging.write_bytes(content)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)

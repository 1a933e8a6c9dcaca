"""Claims on a folder that is being made: one command at a time, and what killed ones left of it is removed.

A claim is a lock on an empty file beside the folder. The system gives it up with the process, however that ends.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmrecun.atomic import followed, refuse_unwritable
from mmrecun.errors import ArtifactError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def claimed(target: Path) -> Iterator[None]:
    """Keep other commands from making `target` during the block, and remove what killed ones left unfinished.

    The state of an interrupted training is no such thing, since the same command goes on from it. Where a file system
    has no locks, nothing is kept away or removed. Folders that are made on the way to `target` go again if nothing is
    put into them.

    Raises:
        ArtifactError: when another command is making `target`, or nothing can be made there.
    """
    target = followed(target)
    refuse_unwritable(target.parent, target)
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        _make(target.parent, target)
        with _locked(_lock_file(target), target) as alone:
            if alone:
                _remove_unfinished(target)
            yield
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


def _make(folder: Path, target: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {target}: {error.strerror}") from None


def is_claimed(target: Path) -> bool:
    """Say whether a command is making `target` now."""
    path = _lock_file(target)
    if fcntl is None or not path.exists():
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_file(target: Path) -> Path:
    return target.with_name(f".{target.name}.lock")


@contextmanager
def _locked(path: Path, target: Path) -> Iterator[bool]:
    """Hold the lock during the block; yields whether there is one."""
    file = _opened(path, target)
    if file is None:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _opened(path: Path, target: Path) -> int | None:
    """Return the locked file, or None where there are no locks."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ArtifactError(f"cannot write {target}: {error.strerror}") from None
        if fcntl is None or not _lock(file, target):
            os.close(file)
            path.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file)):
                return file
        os.close(file)  # whoever had it has removed it since it was opened here


def _lock(file: int, target: Path) -> bool:
    """Take the lock, and say whether the file system knows locks.

    Raises:
        ArtifactError: when another process has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise ArtifactError(
            f"another command is making {target} now; wait until it has ended, or choose another --out"
        ) from None
    except OSError:
        return False
    return True


def _remove_unfinished(target: Path) -> None:
    """Remove the folders and files of `staged_folder` and `replacing` that no process fills any more."""
    name = re.escape(target.name)
    unfinished = rf"(?:\.{name}|\.\.{name}\.resume\.safetensors)\.[0-9a-f]{{16}}\.partial"
    for path in list(target.parent.iterdir()):
        if not re.fullmatch(unfinished, path.name, re.DOTALL):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

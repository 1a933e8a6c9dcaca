"""Claims on a folder that is being made: only one command makes it, and leftovers of killed commands are removed.

A claim is a lock on an empty file beside the folder. The system releases it when the process ends, however it ends.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmrecun.atomic import beside, followed, refuse_unwritable, with_own_name
from mmrecun.errors import ArtifactError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


_PARTIAL = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{16}\.partial", re.DOTALL)
_LOCK = re.compile(r"\.(?P<target>.+)\.lock", re.DOTALL)
_STATE = re.compile(r"\.(?P<target>.+)\.(?:resume\.safetensors|training)", re.DOTALL)
_HELD: set[Path] = set()  # lock files that this process holds
_MANIFESTS = ("manifest.json", "mapped.json")  # one of them is in every run folder


@contextmanager
def claimed(target: Path, wait: bool = False, within: Iterable[Path] = ()) -> Iterator[None]:
    """Keep other commands from making `target` during the block, and remove what killed ones left unfinished.

    The checkpoints of an interrupted training are kept, since the same command resumes from them, unless its run folder
    exists. A file system without locks neither keeps commands away nor allows removal. Parent folders made on the way
    to `target` are removed again if they stay empty.

    Args:
        target: folder or file to make.
        wait: wait until another command that makes it has ended; for short writes.
        within: folders that only commands with this claim write to; what is unfinished there is removed, too.

    Raises:
        ArtifactError: when another command is making `target` and `wait` is not set, or nothing can be made there.
    """
    target = with_own_name(followed(target))
    refuse_unwritable(target.parent, target)
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        _make(target.parent, target)
        with _locked(_lock_file(target), target, wait) as alone:
            if alone:
                _remove_unfinished(target)
                for folder in (target.parent, *filter(Path.is_dir, within)):
                    _remove_finished_states(folder)
                _remove_partials(within)
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


def makes_something() -> bool:
    """Say whether this process holds a claim now, so that its end would leave something behind."""
    return bool(_HELD)


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
    return beside(target, "lock")


@contextmanager
def _locked(path: Path, target: Path, wait: bool) -> Iterator[bool]:
    """Hold the lock during the block; yields whether there is one."""
    file = _opened(path, target, wait)
    if file is None:
        yield False
        return
    _HELD.add(path)
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(file)
        _HELD.discard(path)


def _opened(path: Path, target: Path, wait: bool) -> int | None:
    """Return the locked file, or None where there are no locks."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ArtifactError(f"cannot write {target}: {error.strerror}") from None
        if fcntl is None or not _lock(file, target, wait):
            os.close(file)
            path.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file)):
                return file
        os.close(file)  # its former owner removed the file after it was opened here


def _lock(file: int, target: Path, wait: bool) -> bool:
    """Take the lock, and return whether the file system has locks.

    Raises:
        ArtifactError: when another process holds it and `wait` is not set.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(file)
        raise ArtifactError(
            f"another command is making {target} now; wait until it has ended, or choose another --out"
        ) from None
    except OSError:
        return False
    return True


def _remove_partials(folders: Iterable[Path]) -> None:
    """Remove what is unfinished in folders, where they are; what another command has claimed there stays."""
    for folder in folders:
        for path in list(folder.iterdir()) if folder.is_dir() else ():
            if is_unfinished(path):
                _remove(path)


def is_unfinished(path: Path) -> bool:
    """Say whether a file or folder is a leftover of a killed command: its claim, or something half-written."""
    match = _PARTIAL.fullmatch(path.name) or _LOCK.fullmatch(path.name)
    return match is not None and not is_claimed(path.parent / match["target"])


def _remove_unfinished(target: Path) -> None:
    """Remove the folders and files of `staged_folder` and `replacing` that no process fills any more."""
    of_target = {target.name, f".{target.name}.resume.safetensors"}
    for path in list(target.parent.iterdir()):
        match = _PARTIAL.fullmatch(path.name)
        if match and match["target"] in of_target:
            _remove(path)


def _remove_finished_states(folder: Path) -> None:
    """Remove the states of trainings that were killed after their runs were whole."""
    for path in list(folder.iterdir()):
        match = _STATE.fullmatch(path.name)
        if match is None or is_claimed(run := folder / match["target"]):
            continue
        if _is_run(run):
            _remove(path)


def refuse_run(target: Path) -> None:
    """Raise ArtifactError if `target`, a folder for several runs or parts of one, is a run itself."""
    if _is_run(target):
        raise ArtifactError(f"{target} is a run, in which no others are made; choose another --out")


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _MANIFESTS)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)

"""Atomic writes: a folder or file is filled under a temporary name beside its target, then renamed."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmrecun.errors import ArtifactError, DiskError, MMRecUnError

_DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
_NUMBER = re.compile(r"(?:os error |errno )(\d+)")


def as_path(value: object, what: str) -> Path:
    """Return a path that is given as text or as a path.

    Args:
        value: the path.
        what: what it names, for the message.

    Raises:
        ArtifactError: for any other type.
    """
    if isinstance(value, str | os.PathLike):
        if "\0" in str(value):
            raise ArtifactError(f"{what}: {str(value)!r} holds a NUL, which no path can")
        return Path(value)
    raise ArtifactError(f"{what}: a {type(value).__name__} is not a path; give the path of a folder as text")


def refuse_existing(target: Path) -> None:
    """Raise ArtifactError if writing to `target` would replace something, or its parent cannot be written.

    Long work calls this before it begins, so that its result is not lost at the end.
    """
    if _is_current(target):
        raise ArtifactError(f"{target} is the folder that this command runs in; choose an --out in it or beside it")
    refuse_filled(target)


def refuse_filled(target: Path) -> None:
    """Do as `refuse_existing` for a folder that is not replaced by another, since several are made in it."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ArtifactError(f"{target} already exists; choose another --out or remove it first")
    if target.parts[:1] and target.parts[0].startswith("~"):
        raise ArtifactError(f"cannot write {target}: '{target.parts[0]}' stands for no folder here; write it out")
    refuse_unwritable(followed(target).parent, target)


def _is_current(target: Path) -> bool:
    with suppress(OSError):  # the current folder may have been removed
        return target.samefile(os.curdir)
    return False


def refuse_within(run: Path, target: Path) -> None:
    """Raise ArtifactError if `target` is the folder of a run or lies in it, and would be removed with it."""
    place = target.resolve()
    if run.resolve() in (place, *place.parents):
        where = "is the run itself" if place == run.resolve() else f"lies within {run}, and would go with it"
        raise ArtifactError(f"{target} {where}; choose an --out beside it")


def refuse_unwritable(folder: Path, target: Path | None = None) -> None:
    """Raise ArtifactError if nothing can be made in `folder`, which may be missing itself.

    Args:
        folder: folder to write in.
        target: path that is to be made, for the message; the folder by default.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    fault = errno.EACCES if there.is_dir() else errno.ENOTDIR
    if fault == errno.ENOTDIR or not os.access(there, os.W_OK | os.X_OK):
        raise ArtifactError(f"cannot write {target or folder}: {there}: {os.strerror(fault)}")


def beside(target: Path, ending: str) -> Path:
    """Return the hidden path beside a file or folder that is named after it and ends in `ending`.

    >>> str(beside(Path("runs/mine"), "lock"))
    'runs/.mine.lock'
    """
    target = with_own_name(target)
    return target.with_name(f".{target.name}.{ending}")


def with_own_name(target: Path) -> Path:
    """Return the same path, absolute where its last part names no file or folder, as in `.` and `..`."""
    return target.resolve() if target.name in ("", "..") else target


def followed(target: Path) -> Path:
    """Return the target of a symbolic link, whether or not it exists; any other path unchanged."""
    return Path(os.path.realpath(target)) if target.is_symlink() else target


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder. It becomes `target` when the block succeeds, and is removed when it fails.

    Raises:
        ArtifactError: when `target` exists already, or its parent cannot be written.
    """
    refuse_existing(target)
    target = with_own_name(followed(target))
    staging = _unused(target)
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {target}: {error.strerror}") from None
    try:
        with _naming(target, staging):
            yield staging
        refuse_existing(target)  # another process may have written it first
        if target.is_dir():
            target.rmdir()
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unused(target: Path) -> Path:
    """Return a hidden name that no other process uses, even in a folder that several machines share."""
    return beside(target, f"{secrets.token_hex(8)}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name to write a file under, which replaces `path` when the block ends without an error.

    Readers see the old file or the new one, never a part.
    """
    staging = _unused(path)
    try:
        with _naming(path, staging):
            yield staging
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


@contextmanager
def _naming(target: Path, staging: Path) -> Iterator[None]:
    """Name the target and the system's error in any failure to write, such as a full disk.

    Libraries word such errors differently, and some name the temporary file.
    """
    try:
        yield
    except Exception as error:
        fault, inside = _fault(error), str(staging) in f"{error}{getattr(error, 'filename', None)}"
        named = isinstance(error, MMRecUnError) or getattr(error, "filename", None) is not None
        if named and not inside:
            raise
        if fault is not None:
            raise unwritable(target, fault) from None
        if isinstance(error, ArtifactError):
            raise type(error)(str(error).replace(str(staging), str(target))) from None
        raise


def unwritable(target: Path, fault: int) -> ArtifactError:
    """Return the error that `target` cannot be written, by the number of the system's error."""
    kind = DiskError if fault in _DISK_FAULTS else ArtifactError
    return kind(f"{target}: cannot be written: {os.strerror(fault)}")


def _fault(error: Exception) -> int | None:
    """Return the number of the system's error, which libraries may report as text; None for any other error."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    number = next((int(number) for number in _NUMBER.findall(str(error))), None)
    return number if number in _DISK_FAULTS else None


@contextmanager
def usual_permissions(path: Path) -> Iterator[None]:
    """Give the file that the block writes the permissions of any new file.

    safetensors makes files that only their owner may read, so that a service under another account could not load a
    model.
    """
    path.touch()
    mode = path.stat().st_mode
    yield
    path.chmod(mode)


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step."""
    with replacing(path) as staging:
        staging.write_bytes(content)


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Give a file a second name, or copy it where that is not possible.

    It is for files that are replaced and never changed, so that what the second name means stays what it is.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

"""Read and write npy files; every error names the file, and nothing is unpickled."""

import errno
import os
import warnings
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from mmrecun.atomic import unwritable
from mmrecun.errors import ArtifactError, DataError, DiskError

_NO_RESERVING = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}  # of file systems that cannot set space aside


def read_npy(path: Path) -> np.ndarray:
    """Memory-map an npy file; pickled content is refused, never loaded.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a header that Python 2 wrote is read all the same
            return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (ValueError, OSError, EOFError, SyntaxError, TokenError, MemoryError, OverflowError, TypeError) as error:
        # NumPy parses the header as Python tokens, and unpickles a file that does not begin as an npy file
        if _begins_as_npy(path) and ("allow_pickle" in str(error) or "Python objects" in str(error)):
            raise DataError(
                f"{path}: holds Python objects, which are never loaded; save it again as an array of float32"
            ) from None
        reason = error if _begins_as_npy(path) else "it does not begin as one"
        raise DataError(f"{path}: not a readable npy file: {reason}") from None


def write_npy(path: Path, values: np.ndarray) -> None:
    """Write an npy file.

    Raises:
        ArtifactError: naming the file, such as when the disk is full.
    """
    try:
        with path.open("wb") as file:  # by its name alone, NumPy would add .npy to others
            np.save(file, values, allow_pickle=False)
    except OSError as error:  # NumPy's error lacks the reason, such as a full disk
        raise _unwritable(path, error) from None


def new_mapped_npy(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> np.ndarray:
    """Make an npy file that is mapped for writing, and set aside its space on the disk.

    Without that, a full disk would kill the process when the mapping is written to.

    Raises:
        ArtifactError: naming the file, such as when the disk is too small for it.
    """
    try:
        mapped = np.lib.format.open_memmap(path, "w+", dtype, shape)
        _set_aside(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    return mapped.view(np.ndarray)


def _set_aside(path: Path) -> None:
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in _NO_RESERVING:
                raise


def _unwritable(path: Path, error: OSError) -> ArtifactError:
    if error.errno is None:
        return DiskError(f"{path}: cannot be written: {error}; the disk may be full")
    return unwritable(path, error.errno)


def _begins_as_npy(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(6) == b"\x93NUMPY"
    except OSError:
        return False

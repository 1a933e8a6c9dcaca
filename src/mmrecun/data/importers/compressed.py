"""Files compressed with gzip or Zstandard, read like plain ones."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from mmrecun.errors import DataError
from mmrecun.extras import library
from mmrecun.text import reason_of

_SUFFIXES = {".gz": "gzip", ".zst": "Zstandard", ".zstd": "Zstandard"}


def plain(path: Path) -> Path:
    """Return a path without the suffix of its compression.

    >>> plain(Path("events.csv.gz")).name, plain(Path("events.csv")).name
    ('events.csv', 'events.csv')
    """
    return path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading what it holds, decompressed where its suffix says so.

    Raises:
        ConfigError: for a .zst file, where pyarrow is not installed.
    """
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if kind == "Zstandard":
        pyarrow = library("pyarrow", "parquet", f"{path}: a file compressed with Zstandard")
        with path.open("rb"):  # an ordinary error where it is missing
            return cast(BinaryIO, pyarrow.CompressedInputStream(str(path), "zstd"))
    return path.open("rb")


def open_text(path: Path, errors: str = "strict", newline: str | None = None) -> TextIO:
    """Open a UTF-8 text file, with or without a byte order mark, decompressed where its suffix says so.

    Args:
        path: the file.
        errors: what to do with bytes that are not UTF-8; see `open`.
        newline: which line ends are kept; see `open`.
    """
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", errors=errors, newline=newline)


@contextmanager
def readable_text(path: Path) -> Iterator[TextIO]:
    """Open a text file as `open_text` does; every error names the file.

    Raises:
        DataError: when it cannot be read, is damaged, or is not UTF-8 text.
    """
    try:
        with decompressing(path), open_text(path) as file:
            yield file
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


@contextmanager
def decompressing(path: Path) -> Iterator[None]:
    """Turn what a damaged compressed file raises into an error that names it.

    Raises:
        DataError: naming the file and its compression.
    """
    kind = _SUFFIXES.get(path.suffix.lower())
    try:
        yield
    except (EOFError, zlib.error, OSError) as error:
        if kind is None or (isinstance(error, OSError) and error.errno is not None):
            raise
        raise DataError(f"{path}: damaged, or not compressed with {kind}: {reason_of(error)}") from None

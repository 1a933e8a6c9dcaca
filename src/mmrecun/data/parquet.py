"""Read and write Parquet files; every error names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from mmrecun.data.parquet_pages import check_pages
from mmrecun.errors import ArtifactError, DataError
from mmrecun.text import reason_of

_LEVEL = 1  # of Zstandard: columns of ids become as small as at the default level 3, in less time


@contextmanager
def readable_parquet(path: Path) -> Iterator[None]:
    """Name the file in any error of polars or the disk, and refuse what would end the process in polars.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    check_pages(path)
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {reason_of(error)}") from None


def read_parquet(path: Path, columns: tuple[str, ...] = ()) -> pl.DataFrame:
    """Read a Parquet file that must have `columns`.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    with readable_parquet(path):
        table = pl.read_parquet(path, glob=False)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(f"{path}: column '{missing[0]}' is missing; there are: {', '.join(table.columns)}")
    return table


def write_parquet(table: pl.DataFrame | pl.LazyFrame, path: Path) -> None:
    """Write a Parquet file; a lazy table is never held whole.

    Raises:
        ArtifactError: naming the file, such as when the disk is full.
    """
    try:
        table.lazy().sink_parquet(path, compression_level=_LEVEL, statistics=False)  # tables are read whole
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactError(f"{path}: cannot be written: {reason_of(error)}") from None

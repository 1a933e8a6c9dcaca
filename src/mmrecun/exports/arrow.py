"""pyarrow, to write a Parquet file block by block; polars, used for all others, needs the whole table."""

from types import ModuleType

from mmrecun.extras import library


def pyarrow() -> ModuleType:
    """Import pyarrow with its `parquet`.

    Raises:
        ConfigError: when it is not installed.
    """
    purpose = "an export of vectors or lists to Parquet"
    package = library("pyarrow", "parquet", purpose)
    library("pyarrow.parquet", "parquet", purpose)  # becomes an attribute of the package
    return package

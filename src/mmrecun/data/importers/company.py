"""A table of interactions with named columns, features as npy or Parquet, and tables of attributes."""

from pathlib import Path

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.features import from_npy, from_parquet
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.pairs import interactions
from mmrecun.data.importers.tables import Source, ids, read_table, separator_of
from mmrecun.data.modality import Modality
from mmrecun.errors import DataError, some
from mmrecun.shapes import Ints


def read(path: Path, options: ImportOptions) -> Imported:
    """Read the table at `path` and whatever `options` name beside it.

    Raises:
        DataError: with file and line.
    """
    source = read_table(path, separator_of(options.separator))
    users, user_attributes, user_rows = _ids(source, "user", options.user, options.users)
    items, item_attributes, item_rows = _ids(source, "item", options.item, options.items)
    label = options.split_column
    if label is not None and options.split is not None:
        raise DataError(f"--split {options.split} and --split-column {label} contradict each other; give one of them")
    if label is None and options.split is None and "split" in source.table.columns:
        label = "split"
    pairs, warnings = interactions(source, user_rows, item_rows, label, options)
    modalities = {name: _modality(name, file, items, options) for name, file in options.features.items()}
    name = options.name or path.stem
    return Imported(Dataset(name, users, items, pairs, modalities, user_attributes, item_attributes), tuple(warnings))


def _ids(source: Source, kind: str, column: str, table: Path | None) -> tuple[IdMap, pl.DataFrame, Ints]:
    names = ids(source, column)
    if table is None:
        known = IdMap(kind, names.unique(maintain_order=True).alias("id"))
        return known, pl.DataFrame(), known.rows(names)
    listed = read_table(table)
    try:
        known = IdMap(kind, ids(listed, "id"))
    except DataError as error:
        raise DataError(str(error) if str(table) in str(error) else f"{table}: {error}") from None
    rows = known.find(names)
    unknown = (rows < 0).nonzero()[0]
    if len(unknown):
        raise DataError(
            f"{source.at(int(unknown[0]))}: {kind} '{names[int(unknown[0])]}' is not in {table}; "
            f"unknown in all: {some(names.gather(unknown).unique(maintain_order=True))}"
        )
    return known, _typed(listed.table.drop("id")), rows


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    """Text columns that are numbers throughout become numbers, so that `year < 2010` means what it says.

    A leading zero is part of a code, such as 007, and stays.
    """
    columns = []
    for column in table.get_columns():
        if column.dtype == pl.String and column.str.contains(r"^[+-]?0\d").any():
            columns.append(column)
            continue
        for dtype in (pl.Int64, pl.Float64):
            converted = column.cast(dtype, strict=False) if column.dtype == pl.String else column
            if column.dtype == pl.String and converted.null_count() == column.null_count() < len(column):
                column = converted  # noqa: PLW2901
        columns.append(column)
    return pl.DataFrame(columns)


def _modality(name: str, path: Path, items: IdMap, options: ImportOptions) -> Modality:
    if path.suffix == ".parquet":
        return from_parquet(name, path, items)
    if path.suffix != ".npy":
        raise DataError(f"{path}: features must be .npy or .parquet")
    if options.items is None:
        raise DataError(f"{path}: npy rows need an order; give --items TABLE with its rows in that order")
    return from_npy(name, path, len(items))

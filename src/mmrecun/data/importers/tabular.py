"""A table of interactions with named columns, features as npy or Parquet, and tables of attributes."""

from pathlib import Path

import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import attributes, id_column, ids, refuse_headless
from mmrecun.data.importers.features import from_npy, from_parquet
from mmrecun.data.importers.interactions import heavy_enough, interactions
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.readers import Source, read_table, separator_of
from mmrecun.data.modality import Modality
from mmrecun.errors import DataError
from mmrecun.text import preview


def read(path: Path, options: ImportOptions) -> Imported:
    """Read the table at `path` and whatever `options` name beside it.

    Raises:
        DataError: with file and line.
    """
    source, warnings = heavy_enough(read_table(path, separator_of(options.separator), options.columns), options)
    users, user_attributes, user_rows = _ids(source, "user", options.user, options.users, warnings)
    items, item_attributes, item_rows = _ids(source, "item", options.item, options.items, warnings)
    label = options.split_column
    if label is not None and options.split is not None:
        raise DataError(f"--split {options.split} and --split-column {label} contradict each other; give one of them")
    if label is None and options.split is None and "split" in source.table.columns:
        label = "split"
    pairs, more = interactions(source, user_rows, item_rows, label, options)
    modalities = {name: _modality(name, file, items, options) for name, file in options.features.items()}
    name, columns = options.name or path.stem, {"user": options.user, "item": options.item}
    dataset = Dataset(name, users, items, pairs, modalities, user_attributes, item_attributes, columns)
    return Imported(dataset, (*source.warnings, *warnings, *more))


def _ids(
    source: Source, kind: str, column: str, table: Path | None, warnings: list[str]
) -> tuple[IdMap, pl.DataFrame, Ints]:
    names, padded = ids(source, column)
    refuse_headless(source, column, names)
    warnings += padded
    if table is None:
        known = IdMap(kind, names.unique(maintain_order=True).alias("id"))
        return known, pl.DataFrame(), known.rows(names)
    known, told = id_table(read_table(table), kind, column, warnings, names)
    rows = known.find(names)
    unknown = (rows < 0).nonzero()[0]
    if len(unknown):
        raise DataError(
            f"{source.at(int(unknown[0]))}: {kind} '{names[int(unknown[0])]}' is not in {table}; "
            f"unknown in all: {preview(names.gather(unknown).unique(maintain_order=True))}"
        )
    return known, told, rows


def id_table(
    listed: Source, kind: str, column: str, warnings: list[str], wanted: pl.Series | None = None
) -> tuple[IdMap, pl.DataFrame]:
    """Return the ids of a table of users or items, and its attributes; `warnings` grow by what its owner should know.

    Among several columns that may hold the ids, the one with all those `wanted` is taken.

    Raises:
        DataError: naming the file, for a table without a column of ids, or an id that is missing or repeated.
    """
    key = id_column(listed, kind, column, wanted)
    names, padded = ids(listed, key)
    try:
        known = IdMap(kind, names.alias("id"))
    except DataError as error:
        raise DataError(f"{listed.path}: {error}") from None
    told, odd = attributes(listed, listed.table.drop(key))
    warnings += [*listed.warnings, *padded, *odd]
    return known, told


def _modality(name: str, path: Path, items: IdMap, options: ImportOptions) -> Modality:
    if path.suffix == ".parquet":
        return from_parquet(name, path, items, options.item)
    if path.suffix != ".npy":
        raise DataError(f"{path}: features must be .npy or .parquet")
    if options.items is None:
        raise DataError(f"{path}: npy rows need an order; give --items TABLE with its rows in that order")
    return from_npy(name, path, items)

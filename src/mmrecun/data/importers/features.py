"""Feature files of other tools: npy with one row per item, or Parquet with an id column.

A row that is missing, or NaN throughout, means that the item has none; a row that is so in part is a mistake.
"""

from pathlib import Path

import numpy as np
import polars as pl

from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import as_ids, id_column
from mmrecun.data.importers.readers import Source, read_foreign_parquet, read_table
from mmrecun.data.lookalikes import stripped
from mmrecun.data.modality import Modality
from mmrecun.data.npy import read_npy
from mmrecun.errors import DataError
from mmrecun.text import counted, preview


def from_npy(name: str, path: Path, items: IdMap) -> Modality:
    """Read features whose row r belongs to item row r.

    Raises:
        DataError: when there are fewer or more rows than items, or the array is not two-dimensional numbers.
    """
    features = read_npy(path)
    if features.ndim != 2:
        raise DataError(f"{path}: an array of shape {list(features.shape)}; expected one row of features per item")
    if features.dtype.kind not in "fiubc":
        raise DataError(f"{path}: holds {features.dtype}, not numbers")
    if features.dtype.kind in "iub":
        features = np.asarray(features, dtype=np.float32)
    elif not features.dtype.isnative:  # torch reads only the machine's own byte order
        features = np.asarray(features, dtype=features.dtype.newbyteorder("="))
    count = len(items)
    if len(features) < count:
        raise DataError(
            f"{path}: {counted(len(features), 'feature row')} for {counted(count, 'item')}; item row {len(features)} "
            f"('{items.names[len(features)]}') has none"
        )
    if len(features) > count:
        raise DataError(
            f"{path}: {counted(len(features), 'feature row')} for only {counted(count, 'item')}; "
            "which row is whose is unknown"
        )
    present = np.ones(count, dtype=bool) if features.dtype.kind != "f" else ~np.isnan(features).all(axis=1)
    partly = np.flatnonzero(present & ~np.isfinite(features).all(axis=1))
    if len(partly):
        row = int(partly[0])
        raise DataError(
            f"{path}: features hold NaN or infinity in row {row} (item '{items.names[row]}'); correct them; "
            "NaN in the whole row would mean that the item has none"
        )
    return _modality(name, path, features, present)


def with_ids(name: str, path: Path, ids_path: Path, items: IdMap, warnings: list[str]) -> Modality:
    """Read an npy file whose row r belongs to the item on line r of another file.

    Args:
        name: name of the modality.
        path: the npy file.
        ids_path: a table with a column of item ids, an npy file of ids, or text with one id a line and no header.
        items: items of the dataset.
        warnings: grow by what was left out.

    Raises:
        DataError: when the numbers of rows differ, or for unknown or repeated ids.
    """
    features = read_npy(path)
    if features.ndim != 2 or features.dtype.kind not in "fiub":
        raise DataError(f"{path}: {features.dtype} of shape {list(features.shape)}; expected numbers, a row an item")
    listed = _listed(ids_path)
    if len(listed) != len(features):
        raise DataError(
            f"{path}: {counted(len(features), 'row')} of features, but {ids_path} has {counted(len(listed), 'id')}"
        )
    with np.errstate(over="ignore"):
        values = np.asarray(features, dtype=np.float32)
    return from_table(name, path, pl.DataFrame({"id": listed, "features": values}), items, "", warnings)


def _listed(path: Path) -> pl.Series:
    if path.suffix == ".npy":
        values = read_npy(path)
        if values.ndim != 1 or values.dtype.kind not in "iuUS":
            raise DataError(f"{path}: {values.dtype} of shape {list(values.shape)}; expected ids")
        try:
            text = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(str)
        except UnicodeDecodeError:
            raise DataError(f"{path}: its ids are no UTF-8 text") from None
        return pl.Series("id", text.tolist(), dtype=pl.String)
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from None
        return pl.Series("id", [line.strip() for line in lines], dtype=pl.String)
    source = read_table(path)
    return as_ids(source.column(id_column(source, "item")), str(path)).alias("id")


def from_parquet(name: str, path: Path, items: IdMap, further: str, warnings: list[str]) -> Modality:
    """Read features by id from a Parquet file; see `from_table`."""
    return from_table(name, path, read_foreign_parquet(path), items, further, warnings)


def from_table(
    name: str, path: Path, table: pl.DataFrame, items: IdMap, further: str = "", warnings: list[str] | None = None
) -> Modality:
    """Sort features by id: a column of item ids, and one list column or several columns of numbers or truth values.

    Args:
        name: name of the modality.
        path: the file, for messages.
        table: its rows.
        items: items of the dataset.
        further: another name that the column of ids may have.
        warnings: grow by what was left out; None where nothing may be.

    Raises:
        DataError: for ragged, incomplete or unknown rows; the id is named.
    """
    listed, values, others = _checked(path, table, items, further)
    if others:
        named = f"{counted(len(others), 'column')} that {'is' if len(others) == 1 else 'are'} no features"
        shown = preview(f"'{column}'" for column in others)
        if warnings is None:
            raise DataError(f"{path}: {named}: {shown}; leave {'it' if len(others) == 1 else 'them'} out")
        warnings.append(f"{path}: {named}, left out: {shown}")
    given = ~np.isnan(values).all(axis=1)
    rows = items.find(listed)
    features = np.zeros((len(items), values.shape[1]), dtype=np.float32)
    present = np.zeros(len(items), dtype=bool)
    kept = (rows >= 0) & given
    features[rows[kept]] = values[kept]
    present[rows[kept]] = True
    if not (rows >= 0).any():
        raise DataError(
            f"{path}: none of its {counted(len(listed), 'id')} is an item of the dataset, such as {preview(listed, 3)}"
        )
    strangers = listed.filter(rows < 0)
    if len(strangers) and warnings is not None:
        warnings.append(
            f"{path}: {len(strangers)} of its rows are of no item of the dataset and were left out, "
            f"such as {preview(strangers, 3)}"
        )
    if not present.any():
        raise DataError(f"{path}: holds features of no item of the dataset")
    return _modality(name, path, features, present)


def _checked(path: Path, table: pl.DataFrame, items: IdMap, further: str) -> tuple[pl.Series, np.ndarray, list[str]]:
    """Return the ids and the values [rows, F] of a table of features, NaN throughout where a row has none.

    Further come the names of the columns that are neither.
    """
    key = id_column(Source(path, table, None), "item", further, items.names, every=False)
    listed = stripped(as_ids(table[key], str(path)))
    if not len(listed):
        raise DataError(f"{path}: holds no rows")
    if listed.null_count():
        raise DataError(f"{path}, row {int(listed.is_null().arg_true()[0])}: '{key}' is missing")
    if listed.n_unique() != len(listed):
        raise DataError(f"{path}: ids occur more than once: {preview(listed.filter(listed.is_duplicated()).unique())}")
    values, others = _matrix(path, table.drop(key), listed)
    given = ~np.isnan(values).all(axis=1)
    if not given.any():
        raise DataError(f"{path}: no row holds a number; each is missing or NaN throughout")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1) & given)
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{path}, row {row} (id {listed[row]}): features are missing, NaN or infinite in part")
    return listed, values, others


def _matrix(path: Path, table: pl.DataFrame, listed: pl.Series) -> tuple[np.ndarray, list[str]]:
    """Return features as float32 [rows, F], NaN throughout where a row is missing or an empty list.

    Further come the names of the columns that hold none.
    """
    lists = [column for column in table.columns if table[column].dtype in (pl.List, pl.Array)]
    if not lists:
        kinds = table.schema.items()
        numbers = [column for column, dtype in kinds if dtype.is_numeric() or dtype == pl.Boolean]
        if not numbers:
            raise DataError(f"{path}: neither a list column nor numeric columns")
        others = [column for column in table.columns if column not in numbers]
        return table.select(numbers).cast(pl.Float32).to_numpy(), others
    if len(lists) > 1:
        raise DataError(f"{path}: several list columns ({', '.join(lists)}); leave one, the features")
    column = table[lists[0]]
    column = column.arr.to_list() if column.dtype == pl.Array else column
    if not (column.dtype.inner.is_numeric() or column.dtype.inner == pl.Null):  # type: ignore[attr-defined]
        raise DataError(f"{path}: column '{column.name}' holds lists of {column.dtype.inner}, not of numbers")  # type: ignore[attr-defined]
    lengths = column.list.len().fill_null(0)
    given = lengths > 0
    if not given.any():
        raise DataError(f"{path}: no row holds a number; each is missing or empty")
    usual = lengths.filter(given).mode().max()
    ragged = (given & (lengths != usual)).arg_true()
    if len(ragged):
        row = int(ragged[0])
        has = counted(int(lengths[row]), "feature")
        raise DataError(f"{path}, row {row} (id {listed[row]}): {has}, others have {usual!r}")
    width = int(lengths.filter(given)[0])
    values = np.full((len(column), width), np.nan, dtype=np.float32)
    values[given.to_numpy()] = column.filter(given).cast(pl.List(pl.Float32)).list.to_array(width).to_numpy()
    return values, [name for name in table.columns if name != column.name]


def _modality(name: str, path: Path, features: np.ndarray, present: np.ndarray) -> Modality:
    try:
        return Modality(name, features, present)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None

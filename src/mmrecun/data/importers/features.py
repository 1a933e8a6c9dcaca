"""Feature files of other tools: npy with one row per item, or Parquet with an id column."""

from pathlib import Path

import numpy as np
import polars as pl

from mmrecun.data.files import read_npy, read_parquet
from mmrecun.data.ids import IdMap
from mmrecun.data.modality import Modality
from mmrecun.errors import DataError, some


def from_npy(name: str, path: Path, items: int) -> Modality:
    """Features whose row r belongs to item row r.

    Raises:
        DataError: when there are fewer or more rows than items, or the array is not two-dimensional numbers.
    """
    features = read_npy(path)
    if features.ndim != 2:
        raise DataError(f"{path}: an array of shape {list(features.shape)}; expected one row of features per item")
    if features.dtype.kind in "iub":
        features = np.asarray(features, dtype=np.float32)
    if len(features) < items:
        raise DataError(f"{path}: {len(features)} feature rows for {items} items; item row {len(features)} has none")
    if len(features) > items:
        raise DataError(f"{path}: {len(features)} feature rows for only {items} items; which row is whose is unknown")
    return _modality(name, path, features, np.ones(items, dtype=bool))


def from_parquet(name: str, path: Path, items: IdMap) -> Modality:
    """Features by id: an `id` (or `item`) column, and one list column or several numeric columns.

    Raises:
        DataError: for ragged, missing or unknown rows; the id is named.
    """
    table = read_parquet(path)
    key = next((column for column in ("id", "item") if column in table.columns), None)
    if key is None:
        raise DataError(f"{path}: column 'id' is missing; there are: {', '.join(table.columns)}")
    if table[key].dtype.is_nested():
        raise DataError(f"{path}: column '{key}' holds {table[key].dtype}, not ids")
    listed = table[key].cast(pl.String)
    if not len(listed):
        raise DataError(f"{path}: holds no rows")
    if listed.null_count():
        raise DataError(f"{path}, row {int(listed.is_null().arg_true()[0])}: '{key}' is missing")
    if listed.n_unique() != len(listed):
        raise DataError(f"{path}: ids occur more than once: {some(listed.filter(listed.is_duplicated()).unique())}")
    values = _matrix(path, table.drop(key), listed)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{path}, row {row} (id {listed[row]}): features are missing, NaN or infinite")
    rows = items.find(listed)
    features = np.zeros((len(items), values.shape[1]), dtype=np.float32)
    present = np.zeros(len(items), dtype=bool)
    features[rows[rows >= 0]] = values[rows >= 0]
    present[rows[rows >= 0]] = True
    if not present.any():
        raise DataError(f"{path}: none of its {len(listed)} ids is an item of the dataset, such as {some(listed, 3)}")
    return _modality(name, path, features, present)


def _matrix(path: Path, table: pl.DataFrame, listed: pl.Series) -> np.ndarray:
    lists = [column for column in table.columns if table[column].dtype in (pl.List, pl.Array)]
    if not lists:
        numbers = [column for column in table.columns if table[column].dtype.is_numeric()]
        if not numbers:
            raise DataError(f"{path}: neither a list column nor numeric columns")
        return table.select(numbers).cast(pl.Float32).to_numpy()
    if len(lists) > 1:
        raise DataError(f"{path}: several list columns ({', '.join(lists)}); leave one, the features")
    column = table[lists[0]]
    column = column.arr.to_list() if column.dtype == pl.Array else column
    lengths = column.list.len()
    usual = lengths.drop_nulls().mode().max() or 0
    ragged = (lengths.is_null() | (lengths != usual)).arg_true()
    if len(ragged):
        row = int(ragged[0])
        raise DataError(f"{path}, row {row} (id {listed[row]}): {lengths[row] or 'no'} features, others have {usual!r}")
    width = int(lengths[0])
    if not column.dtype.inner.is_numeric():  # type: ignore[attr-defined]
        raise DataError(f"{path}: column '{column.name}' holds lists of {column.dtype.inner}, not of numbers")  # type: ignore[attr-defined]
    return column.cast(pl.List(pl.Float32)).list.to_array(width).to_numpy()


def _modality(name: str, path: Path, features: np.ndarray, present: np.ndarray) -> Modality:
    try:
        return Modality(name, features, present)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None

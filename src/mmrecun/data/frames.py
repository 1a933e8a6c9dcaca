"""Build a dataset from data frames and arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mmrecun.arrays import Ints, Labels
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.columns import as_ids, id_column, ids, numeric, times
from mmrecun.data.importers.features import from_table
from mmrecun.data.importers.interactions import given_labels
from mmrecun.data.importers.readers import Source
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.modality import Modality
from mmrecun.data.splits import random_split
from mmrecun.errors import DataError
from mmrecun.rng import Seed
from mmrecun.text import counted, preview, unknown_name

Frame = Any  # a polars DataFrame or LazyFrame, or a pandas DataFrame; pandas is never imported here
COLUMNS = ("user", "item", "split", "timestamp", "weight")


def from_frames(
    interactions: Frame,
    items: Frame | None = None,
    users: Frame | None = None,
    features: Mapping[str, Any] | None = None,
    name: str = "dataset",
    seed: int = 0,
) -> Dataset:
    """Build a dataset from frames; see `Dataset.from_frames`.

    Raises:
        DataError: naming the frame, and the row or id that is wrong.
    """
    if features is not None and not isinstance(features, Mapping):
        raise DataError(f"features: a {type(features).__name__}; give a mapping of names, such as {{'image': array}}")
    events = _source("interactions", interactions)
    for column in events.table.columns:
        if column not in COLUMNS:
            raise DataError(f"interactions: {unknown_name('column', column, list(COLUMNS))}; rename it or leave it out")
    user_map, user_attributes, user_rows = _entities(events, "user", users)
    item_map, item_attributes, item_rows = _entities(events, "item", items)
    pairs = _pairs(events, user_rows, item_rows, Seed(seed).child("split"))
    modalities = {
        str(kind): _modality(str(kind), values, item_map, items is not None)
        for kind, values in (features or {}).items()
    }
    return Dataset(name, user_map, item_map, pairs, modalities, user_attributes, item_attributes)


def to_frames(dataset: Dataset) -> dict[str, Any]:
    """Return a dataset as the arguments of `from_frames` that give it again: see `Dataset.to_frames`."""
    pairs = dataset.interactions
    events = pl.DataFrame(
        {
            "user": dataset.users.names.gather(pairs.users),
            "item": dataset.items.names.gather(pairs.items),
            "split": pl.Series([split.label for split in Split]).gather(pairs.splits),
        }
    )
    listed = {
        kind: pl.DataFrame({"id": ids.names}).hstack(attributes.get_columns())
        for kind, ids, attributes in (
            ("users", dataset.users, dataset.user_attributes),
            ("items", dataset.items, dataset.item_attributes),
        )
    }
    features = {
        name: (dataset.items.names.filter(modality.present), np.array(modality.features[modality.present]))
        for name, modality in dataset.modalities.items()
    }
    return {
        "interactions": events.hstack(pairs.attributes.get_columns()),
        **listed,
        "features": features,
        "name": dataset.name,
    }


def _source(what: str, frame: Frame) -> Source:
    """Return a frame in polars, with its name for messages."""
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "columns"):
        frame = _from_pandas(what, frame)
    if not isinstance(frame, pl.DataFrame):
        raise DataError(f"{what}: a {type(frame).__name__}; give a polars or pandas DataFrame")
    if not frame.height:
        raise DataError(f"{what}: the frame has no rows")
    return Source(Path(what), frame, None)


def _from_pandas(what: str, frame: Frame) -> pl.DataFrame:
    """Convert a pandas frame column by column, which needs no pyarrow; a named index becomes a column."""
    if any(level is not None for level in frame.index.names):
        frame = frame.reset_index()
    columns: dict[str, pl.Series] = {}
    for place, label in enumerate(frame.columns):
        if str(label) in columns:
            raise DataError(f"{what}: there are two columns '{label}'")
        columns[str(label)] = _column(what, str(label), frame.iloc[:, place])
    return pl.DataFrame(columns)


def _column(what: str, label: str, column: Any) -> pl.Series:
    values = column.to_numpy()
    if values.dtype.kind in "iub":
        return pl.Series(label, values)
    # NaN, NaT and pd.NA all mean a missing value; a list or array of features is never missing as a whole
    given = [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
    try:
        return pl.Series(label, given)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        kinds = sorted({type(value).__name__ for value in given if value is not None})
        raise DataError(f"{what}: column '{label}' mixes values of different kinds: {', '.join(kinds)}") from None


def _ids(source: Source, column: str) -> pl.Series:
    names, _ = ids(source, column)
    padded = (names != as_ids(source.column(column), str(source.path))).arg_true()
    if len(padded):
        row = int(padded[0])
        raise DataError(f"{source.at(row)}: {column} '{names[row]}' has blank or invisible signs around it; strip them")
    return names


def _entities(events: Source, kind: str, frame: Frame | None) -> tuple[IdMap, pl.DataFrame, Ints]:
    """Return the id map of users or items, their attributes, and the row of each event, int64 [N].

    With a frame, its rows fix the order, and it must list every id; without one the order is that of first appearance.
    """
    named = _ids(events, kind)
    if frame is None:
        known = IdMap(kind, named.unique(maintain_order=True).alias("id"))
        return known, pl.DataFrame(), known.rows(named)
    listed = _source(f"{kind}s", frame)
    key = id_column(listed, kind, wanted=named)
    known = IdMap(kind, _ids(listed, key).alias("id"))
    rows = known.find(named)
    unknown = named.filter(rows < 0).unique(maintain_order=True)
    if len(unknown):
        strangers = counted(len(unknown), f"{kind} id", "is", "are")
        raise DataError(f"interactions: {strangers} not in the frame of {kind}s: {preview(unknown)}")
    attributes = listed.table.drop(key)
    if "id" in attributes.columns:
        raise DataError(f"{kind}s: column 'id' is no attribute, since the ids are those of '{key}'; rename one of them")
    return known, attributes, rows


def _pairs(events: Source, users: Ints, items: Ints, seed: Seed) -> Interactions:
    keys = users * (int(items.max()) + 1) + items
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(len(keys)))
    if len(again):
        row = int(again[0])
        raise DataError(
            f"{events.at(row)}: the same user and item as in row {first[inverse[row]]}; "
            "keep one of them, such as with .unique(['user', 'item']) or .drop_duplicates(['user', 'item'])"
        )
    columns = {}
    if "timestamp" in events.table.columns:
        columns["timestamp"] = times(events, "timestamp")
    if "weight" in events.table.columns:
        columns["weight"] = numeric(events, "weight", pl.Float32)
    return Interactions(users, items, _splits(events, users, seed), pl.DataFrame(columns))


def _splits(events: Source, users: Ints, seed: Seed) -> Labels:
    if "split" in events.table.columns:
        labels = given_labels(events, "split")
        if not (labels == Split.TRAIN).any():
            raise DataError("interactions: no row has the split 'train'; there must be some")
        return labels
    labels = random_split(users, seed)
    if any(not (labels == split).any() for split in Split):
        raise DataError("interactions: no user has three of them, so none can be held out; give a column 'split'")
    return labels


def _modality(kind: str, values: Any, items: IdMap, ordered: bool) -> Modality:
    """Read features in item order, from a frame with ids, (ids, array), or an array in the frame's order."""
    where = f"features '{kind}'"
    if isinstance(values, tuple):
        if len(values) != 2:
            raise DataError(f"{where}: a tuple of {len(values)}; give (ids, array)")
        table = _with_ids(where, values[0], _array(where, values[1]))
    elif hasattr(values, "columns") or isinstance(values, pl.LazyFrame):
        table = _source(where, values).table
    elif ordered:
        table = _with_ids(where, items.names, _array(where, values))
    else:
        raise DataError(f"{where}: whose row is whose? Give (ids, array), or the items in the order of its rows")
    key = id_column(Source(Path(where), table, None), "item", wanted=items.names, every=False)
    named = _ids(Source(Path(where), table, None), key)
    unknown = named.filter(items.find(named) < 0).unique(maintain_order=True)
    if len(unknown):
        hint = "not in the frame of items" if ordered else "without interactions; give items=... to keep them"
        raise DataError(f"{where}: {counted(len(unknown), 'item')} {hint}: {preview(unknown)}")
    return from_table(kind, Path(where), table, items)


def _with_ids(where: str, names: Any, features: np.ndarray) -> pl.DataFrame:
    listed = names if isinstance(names, pl.Series) else pl.Series([str(name) for name in names], dtype=pl.String)
    if len(listed) != len(features):
        raise DataError(f"{where}: {counted(len(features), 'row')} of features for {counted(len(listed), 'id')}")
    return pl.DataFrame({"id": listed, "features": features})


def _array(where: str, values: Any) -> np.ndarray:
    """Return features as float32; masked ones are missing.

    Raises:
        DataError: when they are no table of real numbers.
    """
    try:
        plain = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
        if np.iscomplexobj(plain):
            raise TypeError("it holds complex ones")
        features = np.ma.filled(plain.astype(np.float32), np.nan)
    except (TypeError, ValueError, RuntimeError) as error:  # the last from tensors that need a gradient
        raise DataError(f"{where}: not an array of numbers ({error})") from None
    if features.ndim != 2 or not features.shape[1]:
        raise DataError(f"{where}: an array of shape {list(features.shape)}; expected one row of features per item")
    return features

"""Training data of a foreign model as a dataset, from a folder, a table or sparse matrices."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.batches import open_table
from mmrecun.data.importers.options import ImportOptions, SplitKind
from mmrecun.data.importers.read import read
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import DataError
from mmrecun.text import counted

WEIGHT = "weight"
_LABELS = ("split", "x_label")  # names of columns of splits, that of MMRec last


def opened_data(data: Dataset | str | Path) -> Dataset:
    """Return a dataset unchanged, or read it from a dataset folder or a table with the columns `user` and `item`.

    All rows of a table without a column of splits, `split` or `x_label`, are training pairs. Weights in `.inter` files
    are ignored.

    Raises:
        DataError: when there is nothing there, or it cannot be read.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, str | Path):
        raise DataError(
            f"the data are a {type(data).__name__}; give a dataset, such as Dataset.from_frames(frame) with a column "
            "`split` that says train of what the model was trained on, or the path of a table"
        )
    path = Path(data)
    if (path / "dataset.toml").is_file():
        return files.load(path)
    if (path / "train.txt").is_file():
        raise DataError(
            f"{path}: lists of items; make a dataset folder of them with 'mmrecun data import', and name that"
        )
    there = _headers(path)
    weight = WEIGHT if WEIGHT in there and path.suffix != ".inter" else None
    if label := next((name for name in _LABELS if name in there), None):
        return read(path, ImportOptions(weight=weight, split_column=label)).dataset
    return read(path, ImportOptions(weight=weight, split=SplitKind.NONE)).dataset


def _headers(path: Path) -> list[str]:
    """Return the names of the columns of a table, or of the `.inter` file in a folder; no row is read."""
    table = next(iter(sorted(path.glob("*.inter"))), path) if path.is_dir() else path
    return list(open_table(table).columns) if table.is_file() else []


def dataset_of(
    train: sp.sparray | sp.spmatrix,
    valid: sp.sparray | sp.spmatrix | None = None,
    test: sp.sparray | sp.spmatrix | None = None,
    users: Iterable[object] | None = None,
    items: Iterable[object] | None = None,
    name: str = "interactions",
) -> Dataset:
    """Return the dataset of [U, I] matrices, such as `implicit` is trained on; explicit zeros are not pairs.

    Args:
        train: the training matrix; values are kept as the attribute `weight`.
        valid, test: held-out pairs, for measuring quality; a pair must be in one matrix only.
        users, items: ids in row and column order; by default the numbers of rows and columns, as text.
        name: name of the dataset, for reports.

    Raises:
        DataError: when the matrices differ in shape, a pair is in two, or a weight is NaN or infinite.
    """
    given = {Split.TRAIN: train, Split.VALID: valid, Split.TEST: test}
    parts = {split: sp.coo_array(matrix) for split, matrix in given.items() if matrix is not None}
    shapes = {part.shape for part in parts.values()}
    if len(shapes) != 1:
        raise DataError(f"the matrices differ in shape: {', '.join(str(shape) for shape in sorted(shapes))}")
    columns = [_columns(part, split) for split, part in parts.items()]
    rows, places, splits, weights = (np.concatenate(column) for column in zip(*columns, strict=True))
    kept = weights != 0
    attributes = pl.DataFrame({WEIGHT: weights[kept]})
    pairs = Interactions(rows[kept], places[kept], splits[kept], attributes)
    weights_of(pairs)  # which refuses those that are none
    sizes = parts[Split.TRAIN].shape
    return Dataset(name, _ids("user", users, sizes[0]), _ids("item", items, sizes[1]), pairs)


def _columns(matrix: sp.coo_array, split: Split) -> tuple[np.ndarray, ...]:
    matrix.sum_duplicates()
    rows, columns = (axis.astype(np.int64) for axis in matrix.coords)
    return rows, columns, np.full(len(rows), split, dtype=np.int8), matrix.data.astype(np.float64)


def _ids(kind: str, names: Iterable[object] | None, size: int) -> IdMap:
    ids = IdMap.of(kind, (str(name) for name in (range(size) if names is None else names)))
    if len(ids) != size:
        raise DataError(f"the matrix has {counted(size, kind)}, but {counted(len(ids), 'id', 'was', 'were')} given")
    return ids


def weight_matrices(dataset: Dataset) -> tuple[sp.csr_array, sp.csr_array]:
    """Return the weights of the training pairs as users and as items have them: float64 sparse [U, I] and [I, U]."""
    train = dataset.train
    shape = len(dataset.users), len(dataset.items)
    pairs = sp.csr_array((weights_of(train), (train.users, train.items)), shape=shape)
    return pairs, pairs.T.tocsr()


def weights_of(pairs: Interactions) -> np.ndarray:
    """Return the attribute `weight` of N pairs, 1 where there is none: float64 [N].

    Raises:
        DataError: when one is NaN or infinite, which would spread over all rows.
    """
    if WEIGHT not in pairs.attributes.columns:
        return np.ones(len(pairs))
    weights = pairs.attributes[WEIGHT].cast(pl.Float64).fill_null(1.0).to_numpy()
    odd = np.flatnonzero(~np.isfinite(weights))
    if len(odd):
        raise DataError(
            f"the weight of the pair of user row {pairs.users[odd[0]]} and item row {pairs.items[odd[0]]} is "
            f"{weights[odd[0]]}; it must be a finite number"
        )
    return weights

"""Plain user and item vectors, of Merlin, TensorFlow or a company's own trainer: npy, Parquet, safetensors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl
import safetensors
import safetensors.numpy

from mmrecun.adapters.adapter import Adapter
from mmrecun.adapters.embeddings import HISTORIES, SERVED_ITEMS, as_recommender, rows_of
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.interactions import opened_data
from mmrecun.adapters.row_map import Array, Ids, RowMap
from mmrecun.adapters.row_order import in_order
from mmrecun.arrays import Ints
from mmrecun.atomic import staged_folder
from mmrecun.data.dataset import Dataset
from mmrecun.data.npy import read_npy
from mmrecun.data.parquet import read_parquet, write_parquet
from mmrecun.errors import ArtifactError
from mmrecun.models.base import Recommender
from mmrecun.text import counted

_VECTORS_ONLY = "what made these vectors (towers, checkpoints, optimisers) is not reached; only the vectors are edited"


class VectorTable(NamedTuple):
    """One table of vectors and the layout of its file.

    Attributes:
        values: [R, D].
        file: name of the file, whose suffix is the format.
        ids: ids of the rows; None if the format has none.
        columns: columns of ids and of vectors in Parquet; in safetensors the second is the name of the tensor.
    """

    values: Array
    file: str
    ids: pl.Series | None = None
    columns: tuple[str, str] = ("id", "vector")

    def write(self, folder: Path, emptied: Ints) -> None:
        """Write the table; if its rows have ids, the emptied ones are left out."""
        path = folder / self.file
        if path.suffix == ".npy":
            np.save(path, self.values, allow_pickle=False)
        elif path.suffix == ".safetensors":
            path.write_bytes(safetensors.numpy.save({self.columns[1]: self.values}))
        else:
            assert self.ids is not None
            kept = np.setdiff1d(np.arange(len(self.values)), emptied)
            vectors = pl.Series(self.columns[1], self.values[kept]).cast(pl.List(pl.Float32))
            table = pl.DataFrame({self.columns[0]: self.ids.gather(kept), self.columns[1]: vectors})
            write_parquet(table, path)


@dataclass(frozen=True)
class VectorFiles:
    """A table of users and one of items."""

    users: VectorTable
    items: VectorTable
    empty: tuple[Ints, Ints]
    name: str = "vectors"
    suffix: str = ""
    limits: tuple[str, ...] = (_VECTORS_ONLY, SERVED_ITEMS, HISTORIES)

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return the vectors of the users and items that stay, in their rows."""
        users, items = rows_of(model)
        return replace(
            self,
            users=self.users._replace(values=row_map.put_users(self.users.values, users)),
            items=self.items._replace(values=row_map.put_items(self.items.values, items)),
            empty=(row_map.empty_users, row_map.empty_items),
        )

    def write(self, path: Path) -> None:
        """Write a folder with both files, named as they were."""
        with staged_folder(path) as staging:
            for table, emptied in zip((self.users, self.items), self.empty, strict=True):
                table.write(staging, emptied)


class VectorFolders(Adapter):
    """A folder with a file of users' vectors and one of items'."""

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read `users` and `items` with any suffix that `load` knows.

        Raises:
            ArtifactError: when there is none of a name, or several.
        """
        return load(_named(path, "users"), _named(path, "items"), data, users, items)


def _named(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder; vectors are read from a folder with a file 'users' and 'items'")
    found = [folder / f"{name}{suffix}" for suffix in _READERS if (folder / f"{name}{suffix}").is_file()]
    if len(found) != 1:
        problem = "several files" if found else "no file"
        raise ArtifactError(f"{folder}: {problem} called '{name}'; one of {', '.join(name + end for end in _READERS)}")
    return found[0]


def load(
    users: str | Path | Array,
    items: str | Path | Array,
    data: Dataset | str | Path,
    user_ids: Ids | None = None,
    item_ids: Ids | None = None,
) -> ForeignModel:
    """Read vectors whose dot products are the scores; `save` writes a folder with two files named as these.

    Args:
        users, items: [U, D] and [I, D] arrays, or files: `.npy`, `.safetensors` with one tensor, or `.parquet` with a
            column of ids and one of lists.
        data: what they were trained on.
        user_ids, item_ids: ids of the rows in order; read from Parquet, and by default those of the dataset.

    Raises:
        ArtifactError: when a file is not of its format.
        DataError: when rows and ids do not fit together.
    """
    dataset = opened_data(data)
    first, second = _table(users, "users.npy"), _table(items, "items.npy")
    if first.file == second.file:
        first, second = (
            table._replace(file=f"{of}-{table.file}") for of, table in (("users", first), ("items", second))
        )
    orders = (user_ids if first.ids is None else first.ids), (item_ids if second.ids is None else second.ids)
    row_map = RowMap.of(dataset, *orders, (len(first.values), len(second.values)))
    artifact = VectorFiles(first, second, (row_map.empty_users, row_map.empty_items))
    return in_order(
        ForeignModel(dataset, as_recommender(first.values, second.values, row_map), artifact, row_map), *orders
    )


def _table(source: str | Path | Array, default: str) -> VectorTable:
    if isinstance(source, np.ndarray):
        return VectorTable(source, default)
    path = Path(source)
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise ArtifactError(f"{path}: vectors are read from {', '.join(_READERS)}")
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    return reader(path)


def _npy(path: Path) -> VectorTable:
    return VectorTable(read_npy(path), path.name)


def _safetensors(path: Path) -> VectorTable:
    try:
        tensors = safetensors.numpy.load(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ArtifactError(f"{path}: not a readable safetensors file: {error}") from None
    except KeyError as error:  # a type that NumPy has not
        raise ArtifactError(f"{path}: holds numbers of type {error.args[0]}; save them as float32") from None
    if len(tensors) != 1:
        raise ArtifactError(f"{path}: holds {counted(len(tensors), 'tensor')}; one table of vectors was expected")
    ((name, values),) = tensors.items()
    return VectorTable(values, path.name, columns=("", name))


def _parquet(path: Path) -> VectorTable:
    table = read_parquet(path)
    lists = [
        name for name, kind in table.schema.items() if isinstance(kind, pl.List | pl.Array) and kind.inner.is_numeric()
    ]
    if len(lists) != 1 or table.width != 2:
        raise ArtifactError(f"{path}: a column of ids and one of vectors were expected, not {', '.join(table.columns)}")
    (ids,) = (name for name in table.columns if name not in lists)
    widths = table[lists[0]].cast(pl.List(pl.Float32)).list.len().unique()
    if len(widths) != 1:
        raise ArtifactError(f"{path}: vectors of {len(widths)} different lengths in '{lists[0]}'")
    values = np.stack(table[lists[0]].cast(pl.List(pl.Float32)).to_list()).astype(np.float32)
    return VectorTable(values, path.name, table[ids], (ids, lists[0]))


_READERS: dict[str, Callable[[Path], VectorTable]] = {
    ".npy": _npy,
    ".parquet": _parquet,
    ".safetensors": _safetensors,
}

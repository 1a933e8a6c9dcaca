"""Checkpoint files of torch, of which two tables are named: RecBole, MMRec and plain state dicts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pydantic import NonNegativeInt

from mmrecun.adapters.adapter import Adapter, AdapterConfig, Tables
from mmrecun.adapters.checkpoint_file import CheckpointFile
from mmrecun.adapters.embeddings import HISTORIES, SERVED_ITEMS, SHARED_PARAMETERS, as_recommender, rows_of
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.further_rows import FurtherRows, lists_of_ids
from mmrecun.adapters.interactions import opened_data
from mmrecun.adapters.row_map import Ids, RowMap
from mmrecun.adapters.row_order import in_order
from mmrecun.data.dataset import Dataset
from mmrecun.models.base import Recommender

_OPTIMISER = "optim"  # with which the names of what torch's optimisers hold begin, in the keys of a checkpoint


@dataclass(frozen=True)
class TablesInFile:
    """A checkpoint with two tables that change; the state of an optimiser in it is zeroed.

    Attributes:
        file: the checkpoint.
        users, items: names of the tables.
        further: other tables with a row for each user or item, of which those of the forgotten are emptied.
    """

    file: CheckpointFile
    users: str
    items: str
    further: FurtherRows
    name: str
    suffix: str = ".pth"

    @property
    def limits(self) -> tuple[str, ...]:
        """Limits of forgetting in this format, one sentence each."""
        prefix = self.users.rpartition("/")[0]
        shared = [name for name in self.file.tensors if name.rpartition("/")[0] == prefix]
        layers = (SHARED_PARAMETERS,) if len(shared) > 2 else ()
        return (*layers, *self.further.limits, SERVED_ITEMS, HISTORIES)

    def with_parameters_of(self, model: Recommender, row_map: RowMap) -> Self:
        """Return the file with the rows of the retained users and items, in their places.

        Moments of optimisers, which depend on every row, are zero.
        """
        users, items = rows_of(model)
        changed = {name: self.further.emptied(name, self.file.array(name), row_map) for name in self.further.owned}
        changed |= {
            self.users: row_map.put_users(self.file.array(self.users), users),
            self.items: row_map.put_items(self.file.array(self.items), items),
        }
        moments = [name for name, tensor in self.file.tensors.items() if _is_moment(name) and tensor.shape]
        return replace(self, file=self.file.without_numbers(moments).with_arrays(changed))

    def write(self, path: Path) -> None:
        """Write the checkpoint with these values, and everything else unchanged."""
        self.file.write(path)


def _is_moment(name: str) -> bool:
    return any(part.lower().startswith(_OPTIMISER) for part in name.split("/")[:-1])


class TorchConfig(AdapterConfig):
    """Settings of reading a checkpoint of torch.

    Attributes:
        tables: names of the tables of users and of items, as `load` takes them.
        layers: hops over the user-item graph, if the model propagates its rows as LightGCN does.
    """

    tables: Tables = ("user_embedding.weight", "item_embedding.weight")
    layers: NonNegativeInt = 0


class TorchCheckpoints(Adapter):
    """A file that `torch.save` wrote, of which two tables are named."""

    Config = TorchConfig
    config: TorchConfig

    def read(self, path: Path, data: Dataset, users: Ids | None, items: Ids | None) -> ForeignModel:
        """Read it; see `load`."""
        return load(path, *self.config.tables, data, users, items, self.config.layers)


def load(
    path: str | Path,
    users: str,
    items: str,
    data: Dataset | str | Path,
    user_ids: Ids | None = None,
    item_ids: Ids | None = None,
    layers: int = 0,
    name: str = "torch",
) -> ForeignModel:
    """Read a `.pth` file, without running anything in it.

    Args:
        path: written by `torch.save`.
        users, items: names of the two tables, such as "user_embedding.weight", or with the keys of outer dictionaries
            before them: "state_dict/user_embedding.weight".
        data: the data that it was trained on.
        user_ids, item_ids: ids of the rows in order, padding rows included; by default the order of the dataset.
        layers: hops over the user-item graph, if the model propagates its rows as LightGCN does.
        name: name of the library.

    Raises:
        ArtifactError: when the file is not of this format, or has no such table.
        DataError: when rows and ids do not fit together.
    """
    dataset, file = opened_data(data), CheckpointFile.read(Path(path))
    first, second = file.array(users), file.array(items)
    row_map = RowMap.of(dataset, user_ids, item_ids, (len(first), len(second)))
    shapes = {table: tensor.shape for table, tensor in file.tensors.items() if not _is_moment(table)}
    further = FurtherRows.of(shapes, (users, items), lists_of_ids(file.whole, dataset))
    for table in further.owned:
        file.array(table)  # which refuses a damaged one before the work
    artifact = TablesInFile(file, users, items, further, name)
    mine = ForeignModel(dataset, as_recommender(first, second, row_map, layers), artifact, row_map)
    return in_order(mine, user_ids, item_ids)

"""A model's tables as mapped files of rows with their moments, and the model that reads a few of them."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs
from mmrecun.errors import ConfigError
from mmrecun.models.base import ModelConfig, Recommender, Sizes
from mmrecun.training.losses import training_loss
from mmrecun.training.row_adam import RowStates
from mmrecun.training.row_exchange import Shard

_BLOCK = 1 << 16


def refuse_whole_tables(cls: type[Recommender], name: str) -> None:
    """Refuse a model whose batch reads more than the rows of its users and items.

    Raises:
        ConfigError: naming a storage that holds it.
    """
    if not cls.row_wise:
        raise ConfigError(
            f"{name} reads whole tables in each step, so it cannot be trained on mapped files; "
            "choose bprmf, or train it in memory"
        )


class RowModel:
    """A model of one kind without tables of its own, which is given the rows of a batch.

    Args:
        cls: of the model; `row_wise`.
        config: its settings.
    """

    def __init__(self, cls: type[Recommender], config: ModelConfig) -> None:
        self.model = cls(config, Sizes(users=1, items=1), None)
        self.widths = {name: table.weight.shape[1] for name, table in self.model.tables().items()}
        self.sides = {name: table.side for name, table in self.model.tables().items()}
        self._tables = self.model.tables()
        for table in self._tables.values():
            del table._parameters["weight"]  # a plain tensor takes its place with each batch

    def loss(self, rows: dict[str, Tensor], triples: Triples) -> Tensor:
        """Compute the training loss of triples that count in these rows, float32 [K, D] of each table; a scalar."""
        for name, table in self._tables.items():
            table.weight = rows[name]  # type: ignore[assignment]
        sizes = {self.sides[name]: len(part) for name, part in rows.items()}
        return training_loss(self.model, self.model.batch_vectors(GraphInputs(sizes["users"], sizes["items"]), triples))


def local_triples(triples: Triples) -> tuple[dict[str, Ints], Triples]:
    """Return the distinct users and items of a batch, int64 ascending, and the triples in their numbers."""
    users, of_users = np.unique(triples.users.numpy(), return_inverse=True)
    both = np.concatenate([triples.positives.numpy(), triples.negatives.numpy()])
    items, of_items = np.unique(both, return_inverse=True)
    positives, negatives = np.split(of_items, 2)
    columns = (torch.from_numpy(column) for column in (of_users, positives, negatives))
    return {"users": users, "items": items}, Triples(*columns)


def create_tables(
    model: RowModel,
    rows: dict[str, int],
    folder: Path,
    rng: torch.Generator,
    shard: Shard = Shard(),  # noqa: B008
) -> dict[str, RowStates]:
    """Make the files of all tables with the values that a model in memory begins with, drawn from `rng` in its order.

    Args:
        model: names the tables.
        rows: "users" and "items" -> U and I.
        folder: of the files.
        rng: on the CPU.
        shard: which rows lie here.
    """
    made = {}
    for name, width in model.widths.items():
        count = rows[model.sides[name]]
        here = shard.count(count)
        records = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, (here, 3, width))
        last = np.lib.format.open_memmap(folder / f"{name}.last.npy", "w+", np.int32, (here,))
        bound = math.sqrt(3.0) * math.sqrt(2.0 / (count + width))  # Glorot and Bengio 2010, as torch rounds it
        for start in range(0, count, _BLOCK):
            block = torch.empty(min(_BLOCK, count - start), width).uniform_(-bound, bound, generator=rng)
            own = block[(shard.rank - start) % shard.size :: shard.size].numpy()
            first = -(-(start - shard.rank) // shard.size)
            records[first : first + len(own), 0] = own
        made[name] = RowStates(records, last)
    return made

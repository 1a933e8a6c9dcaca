"""A model's parameters as mapped files of rows with their moments, and the model that reads a few of them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs
from mmrecun.data.npy import new_mapped_npy
from mmrecun.errors import ConfigError
from mmrecun.models.base import ModelConfig, Recommender, Sizes
from mmrecun.training.distributed.initial_values import initial_rows
from mmrecun.training.distributed.row_adam import RowStates
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.losses import training_loss


class RowModel:
    """A model without parameters of its own, which computes from the rows of a batch.

    Args:
        cls: class of the model; `row_wise`.
        config: its settings.
        features: modality -> F.

    Attributes:
        sides: table -> "users" or "items".
        shapes: parameter -> its shape; that of a table has one row.
        whole: the parameters that are no tables, which every batch reads whole.
    """

    def __init__(self, cls: type[Recommender], config: ModelConfig, features: Mapping[str, int] | None = None) -> None:
        self.model = cls(config, Sizes(users=1, items=1, widths=features or {}), None)
        self.sides = {name: str(table.side) for name, table in self.model.tables().items()}
        self.shapes = {name: tuple(value.shape) for name, value in self.model.state_dict().items()}
        self.whole = [name for name in self.shapes if name not in self.sides]
        self._places = {}
        for path, module in self.model.named_modules():
            for leaf in [leaf for leaf, value in module._parameters.items() if value is not None]:
                self._places[f"{path}.{leaf}"] = module, leaf
                del module._parameters[leaf]  # a plain tensor takes its place with each batch

    def tables_of(self, side: str) -> list[str]:
        """Return the names of the tables with a row for each user, or for each item."""
        return [name for name, whose in self.sides.items() if whose == side]

    def loss(self, rows: Mapping[str, Tensor], features: Mapping[str, Tensor], triples: Triples) -> Tensor:
        """Compute the training loss of triples; a scalar.

        Args:
            rows: parameter -> float32 [K, D], the rows that the triples count in; all of those that are `whole`.
            features: modality -> float32 [K, F] of the items.
            triples: B of them.
        """
        return training_loss(self.model, self.model.batch_vectors(self._given(rows, features), triples))

    @torch.no_grad()
    def vectors_of(self, side: str, rows: Mapping[str, Tensor], features: Mapping[str, Tensor]) -> Tensor:
        """Compute the vectors of K users or K items from their rows alone (see `loss`): float32 [K, D']."""
        found = self.model.vectors(self._given(rows, features))
        return found.users if side == "users" else found.items

    def fixed_columns(self, side: str) -> list[int]:
        """Return the columns of vectors of one side that its rows do not change, such as a constant or content."""
        widths = {name: shape[1] if len(shape) > 1 else 1 for name, shape in self.shapes.items()}
        features = {name: torch.zeros(int(side == "items"), width) for name, width in self.model.sizes.widths.items()}
        ones, zeros = (
            self.vectors_of(
                side,
                {
                    name: torch.full((self.shapes[name][0] if name in self.whole else int(whose == side), width), value)
                    for name, width in widths.items()
                    for whose in (self.sides.get(name),)
                },
                features,
            )
            for value in (1.0, 0.0)
        )
        return [int(column) for column in torch.nonzero((ones == zeros).all(dim=0)).flatten()]

    def _given(self, rows: Mapping[str, Tensor], features: Mapping[str, Tensor]) -> GraphInputs:
        for name, (module, leaf) in self._places.items():
            value = rows[name]
            setattr(module, leaf, value.reshape(self.shapes[name]) if name in self.whole else value)
        sizes = {side: len(rows[self.tables_of(side)[0]]) for side in ("users", "items")}
        return GraphInputs(sizes["users"], sizes["items"], features=features)


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
    rows: Mapping[str, int],
    folder: Path,
    rng: torch.Generator,
    shard: Shard = Shard(),  # noqa: B008
) -> dict[str, RowStates]:
    """Make the files of all parameters with the initial values of a model in memory.

    Every process holds parameters that are no tables whole; one of one axis has one column.

    Args:
        model: the parameters.
        rows: "users" and "items" -> U and I.
        folder: folder of the files.
        rng: generator on the CPU.
        shard: decides which rows of tables are on this process.
    """
    made = {}
    for name, shape in model.shapes.items():
        here = shape[0] if name in model.whole else shard.count(rows[model.sides[name]])
        width = shape[1] if len(shape) > 1 else 1
        records = new_mapped_npy(folder / f"{name}.npy", np.float32, (here, 3, width))
        last = new_mapped_npy(folder / f"{name}.last.npy", np.int32, (here,))
        made[name] = RowStates(records, last)
    for name, start, block in initial_rows(model.shapes, model.model.tables(), rows, rng):
        own = Shard() if name in model.whole else shard
        first, values = own.part_of(start, block)
        made[name].records[first : first + len(values), 0] = values.numpy()
    return made


def refuse_whole_tables(cls: type[Recommender], name: str) -> None:
    """Refuse a model whose batch reads more than the rows of its users and items.

    Raises:
        ConfigError: with what to do instead.
    """
    if not cls.row_wise:
        also = "; with --workers, several processes share its users in memory" if cls.user_parts else ""
        raise ConfigError(
            f"{name} reads whole tables in each step, so it cannot be trained on mapped files; "
            f"choose bprmf or vbpr, or train it in memory{also}"
        )

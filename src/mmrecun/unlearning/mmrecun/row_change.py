"""What a request takes from each row: pairs that taught it, and features."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Floats, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.models.base import EmbeddingTable
from mmrecun.unlearning.mmrecun.balance import pairs_kept


class RowChange(NamedTuple):
    """What the R retained rows of a table lose.

    Attributes:
        degrees: int64 [R] before and after, the pairs that teach each row.
        emptied: int64, the rows that lost all of them.
        pairs_kept: float32 [R, 1], the share of them that each row keeps.
        features_lost: float32 [R, 1], the share of its features that each row lost; 0 in tables of a modality.
    """

    degrees: tuple[Ints, Ints]
    emptied: Ints
    pairs_kept: Tensor
    features_lost: Tensor


def row_changes(
    partition: Partition, tables: Mapping[str, EmbeddingTable], modalities: Iterable[str]
) -> dict[str, RowChange]:
    """Find what the rows of each of `tables` lose, for a model that reads `modalities`."""
    kept, lost = {"users": partition.user_rows, "items": partition.item_rows}, features_lost(partition, modalities)
    changes = {}
    for name, table in tables.items():
        before, after = degrees_of(table, partition.original)[kept[table.side]], degrees_of(table, partition.retained)
        share = pairs_kept(before, after, table.weight.detach())
        features = torch.from_numpy(lost[table.side]).to(share)[:, None]
        changes[name] = RowChange(
            (before, after),
            _emptied(before, after),
            share,
            features if table.modality is None else torch.zeros_like(features),
        )
    return changes


@torch.no_grad()
def reset_emptied(tables: Mapping[str, EmbeddingTable], partition: Partition, rng: torch.Generator) -> None:
    """Draw the rows anew that lost all their pairs, in place: they hold what is forgotten, and affect other rows.

    Args:
        tables: all tables of a model of the retained data, whether they can be solved for or not.
        partition: the request.
        rng: draws the rows.
    """
    kept = {"users": partition.user_rows, "items": partition.item_rows}
    for table in tables.values():
        before = degrees_of(table, partition.original)[kept[table.side]]
        emptied = _emptied(before, degrees_of(table, partition.retained))
        if len(emptied):
            fresh = table.fresh(len(emptied), rng).to(table.weight)
            table.weight[torch.from_numpy(emptied).to(fresh.device)] = fresh


def _emptied(before: Ints, after: Ints) -> Ints:
    return np.flatnonzero((before > 0) & (after == 0))


def degrees_of(table: EmbeddingTable, data: Dataset) -> Ints:
    """Count the training pairs that teach each row of a table, int64 [R]; items without its modality teach it nothing.

    A user all of whose items lost a modality keeps every pair, and nothing of what these pairs taught of the modality.
    """
    if table.modality is None:
        return data.degrees[0 if table.side == "users" else 1]
    present = data.modalities[table.modality].present
    if table.side == "items":
        return data.degrees[1] * present
    return np.bincount(data.train.users[present[data.train.items]], minlength=len(data.users))


def features_lost(partition: Partition, modalities: Iterable[str]) -> dict[str, Floats]:
    """Compute the share of its features that each retained row lost: side -> float32 [R].

    Those of a user are the features of its items.

    Args:
        partition: the request.
        modalities: those that the model reads.
    """
    rows, train = partition.item_rows, partition.retained.train
    had, lost = np.zeros(len(rows)), np.zeros(len(rows))
    for name in modalities:
        had += partition.original.modalities[name].present[rows]
        if name in partition.removed_features:
            lost += partition.removed_features[name][rows]
    items = lost / np.maximum(had, 1)
    degree = np.maximum(partition.retained.degrees[0], 1)
    users = np.bincount(train.users, items[train.items], minlength=len(degree)) / degree
    return {"users": users.astype(np.float32), "items": items.astype(np.float32)}

"""Sharding: one model for each shard, trained on the shard's own pairs and nothing else.

A shard's data are its retained pairs with their users, items and features. So a request leaves the models of unaffected
shards exactly as they were. Those are trained here too, and their time counts as set-up.
"""

import time
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Ints
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.graph import GraphInputs, build_inputs
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError, DataError
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender
from mmrecun.training.fit import fit
from mmrecun.unlearning.base import Task, untrained_model
from mmrecun.unlearning.vector_model import vector_model


class Unit(StrEnum):
    """The unit of assignment to shards: single training pairs, or users or items with all their pairs."""

    INTERACTIONS = "interactions"
    USERS = "users"
    ITEMS = "items"

    def units(self, dataset: Dataset) -> int:
        """Count the units of `dataset`."""
        return {Unit.INTERACTIONS: len(dataset.train), Unit.USERS: len(dataset.users)}.get(self, len(dataset.items))

    def of_pairs(self, labels: Ints, pairs: Interactions) -> Ints:
        """Return the shard of each of N pairs, int64 [N], from the shard of each unit."""
        if self is Unit.INTERACTIONS:
            return labels
        return labels[pairs.users if self is Unit.USERS else pairs.items]


@dataclass(frozen=True)
class Shard:
    """One trained shard.

    Attributes:
        user_rows, item_rows: int64 [U_s] and [I_s], rows of the retained data.
        users, items: float32 [U_s, D] and [I_s, D].
        seconds: training time.
    """

    user_rows: Ints
    item_rows: Ints
    users: Tensor
    items: Tensor
    seconds: float = 0.0


@dataclass(frozen=True)
class Shards:
    """All shard models of the retained data.

    Attributes:
        trained: S shards; one without retained pairs is empty.
        touched: bool [S], true for shards whose data the request changes.
        history: one row per epoch.
    """

    trained: list[Shard]
    touched: Bools
    history: list[dict[str, float]] = field(default_factory=list)

    def setup_seconds(self) -> float:
        """Add up the training time of unaffected shards."""
        return sum(shard.seconds for shard, touched in zip(self.trained, self.touched, strict=True) if not touched)

    def stacked(self, partition: Partition) -> tuple["Stacked", "Stacked"]:
        """Put the vectors of all shards side by side: of the retained users, and of the retained items."""
        users = [(shard.user_rows, shard.users) for shard in self.trained]
        items = [(shard.item_rows, shard.items) for shard in self.trained]
        return Stacked.of(users, len(partition.retained.users)), Stacked.of(items, len(partition.retained.items))


@dataclass(frozen=True)
class Stacked:
    """One side of all shards.

    Attributes:
        vectors: float32 [N, S, D], zero where a shard lacks the row.
        there: bool [N, S], true where it has the row.
    """

    vectors: Tensor
    there: Tensor

    def rows(self, part: Tensor | slice) -> "Stacked":
        """Return some rows."""
        return Stacked(self.vectors[part], self.there[part])

    @classmethod
    def of(cls, shards: list[tuple[Ints, Tensor]], size: int) -> "Stacked":
        """Build the vectors from the rows and vectors of each shard; `size` is N."""
        dim, device = max(vectors.shape[1] for _, vectors in shards), shards[0][1].device
        stacked = torch.zeros(size, len(shards), dim, device=device)
        there = torch.zeros(size, len(shards), dtype=torch.bool, device=device)
        for number, (found, vectors) in enumerate(shards):
            rows = torch.from_numpy(found).to(device)
            there[rows, number] = True
            if len(rows):
                stacked[rows, number] = vectors
        return cls(stacked, there)


def random_shards(count: int, shards: int, rng: np.random.Generator) -> Ints:
    """Assign units to shards at random: int64 [count]. Shards differ in size by one at most."""
    return rng.permutation(np.arange(count) % shards)


def affected_shards(partition: Partition, labels: Ints, shards: int, modalities: tuple[str, ...]) -> Bools:
    """Say which shards hold something that the request removes: bool [S].

    Args:
        labels: int64 [N], the shard of each original training pair, -1 for none.
        shards: S.
        modalities: modalities that the model reads.
    """
    train = partition.original.train
    if any(name in partition.removed_modalities for name in modalities):
        return np.ones(shards, dtype=bool)
    changed = ~partition.kept_train
    for name in set(modalities) & set(partition.removed_features):
        changed |= partition.removed_features[name][train.items]
    touched = np.zeros(shards, dtype=bool)
    touched[labels[changed & (labels >= 0)]] = True
    return touched


def train_shards(task: Task, labels: Ints, shards: int, fresh: bool = False) -> Shards:
    """Train the model of every shard on its retained pairs.

    Args:
        labels: int64 [N], the shard of each original training pair, -1 for none.
        shards: S.
        fresh: whether the labels were made after the request, so that no shard model existed before.
    """
    partition = task.partition
    modalities = task.architecture.modalities(partition.original)
    touched = affected_shards(partition, labels, shards, modalities) | fresh
    to_users = inverse_index(partition.user_rows, len(partition.original.users))
    to_items = inverse_index(partition.item_rows, len(partition.original.items))
    train = partition.original.train
    trained: list[Shard] = []
    history: list[dict[str, float]] = []
    for number in range(shards):
        pairs = train.select(partition.kept_train & (labels == number)).renumbered(to_users, to_items)
        shard, epochs = train_shard(task, pairs, number, f"shard {number + 1} of {shards}")
        trained.append(shard)
        history += [{"shard": number, "touched": float(touched[number]), **row} for row in epochs]
    return Shards(trained, touched, history)


def train_shard(
    task: Task, pairs: Interactions, number: int, name: str = "shard"
) -> tuple[Shard, list[dict[str, float]]]:
    """Train the model of shard `number` on `pairs` (retained rows); return it with its history.

    Every shard stops early by the retained validation pairs; rows that it lacks are zero.

    Raises:
        ConfigError: when a user has every item of the shard.
    """
    if not len(pairs):
        nothing = np.empty(0, dtype=np.int64)
        return Shard(nothing, nothing, torch.zeros(0, 0, device=task.device), torch.zeros(0, 0, device=task.device)), []
    started = time.perf_counter()
    users, items = np.unique(pairs.users), np.unique(pairs.items)
    data = task.partition.retained.with_interactions(pairs).restrict(users, items)
    seed = task.seed.child(f"shard {number}")
    model = untrained_model(task, data, seed)
    inputs = build_inputs(data, model.required_inputs(), task.device)

    def state(current: Recommender) -> Shard:
        with torch.no_grad():
            vectors = current.vectors(inputs)
        return Shard(users, items, vectors.users.detach(), vectors.items.detach(), time.perf_counter() - started)

    def shard_progress(done: int, total: int, note: str) -> None:
        task.progress(done, total, f"{name}  {note}")

    try:
        result = fit(model, data, inputs, task.training, seed, lambda now: validated(task, state(now)), shard_progress)
    except DataError as error:
        raise ConfigError(f"{name} is too small to train a model on ({error}); choose fewer shards") from None
    return state(model), result.history


def validated(task: Task, shard: Shard) -> float:
    """Return the validation score of one shard alone."""
    users, items = Shards([shard], np.zeros(1, dtype=bool)).stacked(task.partition)
    table = vector_model(task.partition, users.vectors[:, 0], items.vectors[:, 0])
    return task.validate(table, GraphInputs(table.sizes.users, table.sizes.items))

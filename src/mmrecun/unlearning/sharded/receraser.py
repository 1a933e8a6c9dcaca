"""RecEraser: shards of similar pairs, and attention over the shards' vectors (Chen et al., WWW 2022, arXiv 2201.06820).

The authors cluster by vectors of a matrix factorisation of all data, before any request, and later requests keep the
shards. So the shard of a retained pair still depends on what is forgotten, although no parameter does. `recluster`
factorises and clusters the retained data instead. Then nothing is left, but every shard has to be trained again.
"""

import math
import time

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.errors import ConfigError
from mmrecun.models.base import Sizes, linear
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import bpr
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult
from mmrecun.unlearning.sharded.base import Stacked, Unit, train_shards
from mmrecun.unlearning.sharded.clustering import Points, balanced_clusters
from mmrecun.unlearning.vector_model import blocks, vector_model

SIDES = ("user", "item")
_SLACK = 1.2  # how much larger than its share a shard may be
_ROUNDS = 50  # of the clustering, at most


class RecEraserConfig(UnlearnConfig):
    """Settings of RecEraser."""

    shards: PositiveInt = Field(default=10, description="number of shards; each holds at most 1.2 times its share")
    unit: Unit = Field(
        default=Unit.INTERACTIONS, description="what is clustered: pairs by both vectors, users or items"
    )
    recluster: bool = Field(
        default=False, description="whether the retained data are clustered again; then every shard is trained again"
    )
    pretraining: PositiveInt = Field(default=50, description="epochs of the factorisation whose vectors are clustered")
    aggregation: PositiveInt = Field(
        default=50, description="epochs at most in which the attention over shards is trained"
    )


class RecEraser(Unlearner):
    """Trains affected shards and the aggregation again, and gives the attended vectors."""

    Config = RecEraserConfig
    summary = "one model for each shard of similar pairs, joined by attention; gives plain vectors"
    source = "Chen et al., WWW 2022, arXiv 2201.06820"
    validates = True
    config: RecEraserConfig

    def run(self, task: Task) -> UnlearnResult:
        """Cluster, train the shards, then the aggregation."""
        self.check(task.partition)
        again, count = self.config.recluster, self.config.shards
        started = time.perf_counter()
        labels = self._labels(task)
        setup = 0.0 if again else time.perf_counter() - started
        shards = train_shards(task, labels, count, fresh=again)
        users, items = shards.stacked(task.partition)
        model, rows = aggregated(task, users, items, self.config.aggregation)
        basis = "retained data" if again else "the data before the request"
        stop = f"{int(shards.touched.sum())} of {count} shards trained again; clustered by {basis}"
        return UnlearnResult(model, stop, shards.history + rows, setup + shards.setup_seconds())

    def _labels(self, task: Task) -> Ints:
        """Return the shard of each original training pair: int64 [N]; -1 for forgotten ones if clustered anew."""
        partition = task.partition
        seed = task.seed.child("clustering")
        if not self.config.recluster:
            return clustered(partition.original, self.config, task.training, seed, task.device)
        found = clustered(partition.retained, self.config, task.training, seed, task.device)
        labels = np.full(len(partition.original.train), -1, dtype=np.int64)
        labels[partition.kept_train] = found
        return labels


def clustered(
    dataset: Dataset, config: RecEraserConfig, training: TrainConfig, seed: Seed, device: torch.device
) -> Ints:
    """Cluster the training pairs of `dataset` into shards: int64 [N].

    Raises:
        ConfigError: when there are fewer units than shards.
    """
    pairs, unit, count = dataset.train, config.unit, config.shards
    size = unit.units(dataset)
    if size < count:
        raise ConfigError(f"shards = {count}: there are only {size} {unit.value} to deal out")
    users, items = factorised(dataset, config.pretraining, training, seed, device)
    every = torch.arange(size, device=device)
    columns = tuple(torch.tensor(rows, device=device) for rows in (pairs.users, pairs.items))
    points = {
        Unit.INTERACTIONS: Points((users, items), columns),
        Unit.USERS: Points((users,), (every,)),
        Unit.ITEMS: Points((items,), (every,)),
    }[unit]
    labels = balanced_clusters(points, count, math.ceil(_SLACK * size / count), _ROUNDS, seed.child("anchors").numpy())
    return unit.of_pairs(labels, pairs)


def factorised(
    dataset: Dataset, passes: int, training: TrainConfig, seed: Seed, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Train a matrix factorisation by BPR, and return its vectors: float32 [U, D] and [I, D]."""
    model = BPRMF(BPRMFConfig(), Sizes.of_dataset(dataset), seed.child("factorisation").torch()).to(device)
    sampler = NegativeSampler.of_dataset(dataset)
    optimizer, inputs = adam(model, training.learning_rate), GraphInputs(len(dataset.users), len(dataset.items))

    def loss_of(triples: Triples) -> Tensor:
        batch = model.vectors(inputs).of_triples(triples)
        return bpr(batch.margins()) + model.auxiliary_loss(batch)

    for number in range(passes):
        rng = seed.child(f"factorisation {number}").numpy()
        train_batches(bpr_batches(dataset.train, sampler, training.batch_size, rng, device), loss_of, optimizer)
    return model.users.weight.detach(), model.items.weight.detach()


class Aggregation(nn.Module):
    """Computes sum_j a_j t_j with t_j = W_j e_j + b_j and a = softmax_j(h ReLU(V t_j + c)), over shards with the row.

    W and b are shared by users and items, V, c and h are not (section 4.3 of the paper).
    """

    def __init__(self, shards: int, dim: int, rng: torch.Generator) -> None:
        super().__init__()
        self.transfers = nn.ModuleList(linear(dim, dim, rng) for _ in range(shards))
        self.attention = nn.ModuleDict(
            {side: nn.Sequential(linear(dim, dim, rng), nn.ReLU(), linear(dim, 1, rng, bias=False)) for side in SIDES}
        )

    def forward(self, side: str, stacked: Stacked) -> Tensor:
        """Attend over the shards for B rows of one side: float32 [B, D]."""
        vectors, there = stacked.vectors, stacked.there
        moved = torch.stack([transfer(vectors[:, j]) for j, transfer in enumerate(self.transfers)], dim=1)
        logits = self.attention[side](moved).squeeze(2).masked_fill(~there, -1e9)
        attended: Tensor = ((logits.softmax(dim=1) * there).unsqueeze(2) * moved).sum(dim=1)
        return attended

    @torch.no_grad()
    def whole(self, side: str, stacked: Stacked) -> Tensor:
        """Attend over the shards for all rows of one side, in blocks: float32 [N, D]."""
        width = stacked.vectors.shape[1] * stacked.vectors.shape[2]
        parts = [self(side, stacked.rows(part)) for part in blocks(len(stacked.vectors), 4 * width)]
        return torch.cat(parts)


def aggregated(task: Task, users: Stacked, items: Stacked, passes: int) -> tuple[BPRMF, list[dict[str, float]]]:
    """Train the aggregation; return the model of the pass that validated best, and one row per pass.

    It is trained by BPR on the retained pairs, with frozen shard models.
    """
    data, seed = task.partition.retained, task.seed.child("aggregation")
    network = Aggregation(users.vectors.shape[1], users.vectors.shape[2], seed.torch()).to(task.device)
    optimizer = adam(network, task.training.learning_rate)
    sampler = NegativeSampler.of_dataset(data)
    inputs = GraphInputs(len(data.users), len(data.items))
    best = vector_model(task.partition, network.whole("user", users), network.whole("item", items))
    best_score, since = -1.0, 0
    history: list[dict[str, float]] = []

    def loss_of(triples: Triples) -> Tensor:
        liked, other = (network("item", items.rows(rows)) for rows in (triples.positives, triples.negatives))
        return bpr((network("user", users.rows(triples.users)) * (liked - other)).sum(dim=1))

    for number in range(passes):
        rng = seed.child(f"pass {number}").numpy()
        batches = bpr_batches(data.train, sampler, task.training.batch_size, rng, task.device)
        loss = train_batches(batches, loss_of, optimizer)
        table = vector_model(task.partition, network.whole("user", users), network.whole("item", items))
        score = task.validate(table, inputs)
        since = 0 if score > best_score else since + 1
        if not since:
            best, best_score = table, score
        history.append({"epoch": number + 1, "loss": loss, "valid": score})
        task.progress(number + 1, passes, f"aggregation  loss {loss:.4f}  best valid {best_score:.4f}")
        if since >= task.training.patience:
            break
    return best, history

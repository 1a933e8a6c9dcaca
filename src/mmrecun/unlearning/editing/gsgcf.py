"""GSGCF-RU: a small operator moves the vectors near the forgotten pairs; the model itself stays frozen.

The operator is trained to give forgotten pairs the score of random unseen items, not the lowest score, and to keep the
scores of retained pairs nearby. It is a residual two-layer network on final vectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mmrecun.arrays import Bools
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import Target
from mmrecun.models.base import linear
from mmrecun.text import counted, passes
from mmrecun.training.loop import adam, train_batches
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, retained_negatives
from mmrecun.unlearning.vector_model import retained_vector_model

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Step:
    """The pairs of one optimiser step, in original rows.

    Attributes:
        forget, retain: int64 users and items.
        unseen: int64 [B, N], random items that the users of the forgotten pairs have not seen.
    """

    forget: Pairs
    unseen: Tensor
    retain: Pairs


class GSGCFConfig(UnlearnConfig):
    """Settings of GSGCF-RU."""

    hops: NonNegativeInt = Field(
        default=1, description="edges of the retained graph between a forgotten pair and the vectors that may move"
    )
    step: PositiveFloat = Field(default=0.1, description="share of the operator's output that is added to a vector")
    forget_weight: float = Field(
        default=0.6, gt=0, lt=1, description="weight of the forget term (w); the retain term has 1 - w"
    )
    unseen: PositiveInt = Field(default=10, description="unseen items whose mean score a forgotten pair should have")
    l2: NonNegativeFloat = Field(default=1e-5, description="weight of the operator's squared norm")
    epochs: PositiveInt = Field(default=100, description="passes over the forget set")
    batch_size: PositiveInt = Field(
        default=256, description="forgotten pairs in a step at most, and as many retained ones"
    )
    learning_rate: PositiveFloat = Field(default=1e-3, description="learning rate of Adam")


class Operator(nn.Module):
    """Maps z to z + step * MLP(z) on the rows that may move, and to z elsewhere; the identity before training."""

    def __init__(self, dim: int, step: float, moves: Tensor, rng: torch.Generator) -> None:
        super().__init__()
        self.step, self.moves = step, moves.unsqueeze(1)
        self.first, self.second = linear(dim, dim, rng), linear(dim, dim, rng)
        nn.init.zeros_(self.second.weight)

    def forward(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """Move the `rows` (int64 [B]) of `vectors` [U + I, D]: float32 [B, D]."""
        still = vectors[rows]
        moved: Tensor = still + self.step * self.moves[rows] * self.second(self.first(still).relu())
        return moved


class GSGCF(Unlearner):
    """Starts from the trained parameters on the retained graph, and gives plain vectors."""

    Config = GSGCFConfig
    summary = "moves vectors near forgotten pairs to the scores of unseen ones; gives plain vectors"
    source = "GSGCF-RU"
    config: GSGCFConfig
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})

    def run(self, task: Task) -> UnlearnResult:
        """Train the operator and return its output as vectors."""
        self.check(task.partition)
        partition, users = task.partition, len(task.partition.original.users)
        with torch.no_grad():
            vectors = task.model.vectors(task.inputs(views.padded_without_features))
        still = torch.cat([vectors.users, vectors.items])
        train = partition.retained_pairs.split(Split.TRAIN)
        moves = neighbourhood(partition.forgotten, train, (users, len(still) - users), self.config.hops)
        nodes = torch.from_numpy(np.concatenate(moves)).to(task.device)
        rng = task.seed.child("operator").torch()
        operator = Operator(still.shape[1], self.config.step, nodes, rng).to(task.device)
        local = train.select(moves[0][train.users] | moves[1][train.items])
        history = self._train(task, operator, still, local) if len(partition.forgotten) else []
        with torch.no_grad():
            moved = operator(still, torch.arange(len(still), device=task.device))
        stop = f"{int(nodes.sum())} of {counted(len(nodes), 'vector')} could move in {passes(len(history))}"
        return UnlearnResult(retained_vector_model(partition, moved[:users], moved[users:]), stop, history)

    def _train(self, task: Task, operator: Operator, still: Tensor, local: Interactions) -> list[dict[str, float]]:
        optimizer = adam(operator, self.config.learning_rate)
        history: list[dict[str, float]] = []

        def loss_of(step: Step) -> Tensor:
            return self.objective(operator, still, len(task.partition.original.users), step)

        for number in range(self.config.epochs):
            rng = task.seed.child(f"pass {number}").numpy()
            loss = train_batches(self._steps(task.partition, local, rng, task.device), loss_of, optimizer)
            history.append({"epoch": number + 1, "loss": loss})
            task.progress(number + 1, self.config.epochs, f"loss {loss:.4f}")
        return history

    def _steps(
        self, partition: Partition, local: Interactions, rng: np.random.Generator, device: torch.device
    ) -> Iterator[Step]:
        sampler, size = retained_negatives(partition), self.config.batch_size
        kept = cycle(batches(local, size, rng, device))
        for users, items in batches(partition.forgotten, size, rng, device):
            unseen = sampler.draw(users.cpu().numpy().repeat(self.config.unseen), rng).reshape(-1, self.config.unseen)
            nothing = (users[:0], items[:0])
            yield Step((users, items), torch.from_numpy(unseen).to(device), next(kept, nothing))

    def objective(self, operator: Operator, still: Tensor, users: int, step: Step) -> Tensor:
        """Compute w MSE(s'(f), mean s(unseen)) + (1 - w) MSE(s'(r), s(r)) + l2 |operator|^2; a scalar.

        Args:
            operator: moves vectors; their scores are s'.
            still: float32 [U + I, D], the frozen vectors; their scores are s.
            users: U.
            step: forgotten pairs f, retained pairs r and unseen items.
        """

        def change(pairs: Pairs, wanted: Tensor) -> Tensor:
            moved: Tensor = (operator(still, pairs[0]) * operator(still, users + pairs[1])).sum(dim=1)
            return (moved - wanted).square().sum() / max(len(wanted), 1)

        forget, retain = step.forget, step.retain
        ordinary = (still[forget[0]].unsqueeze(1) * still[users + step.unseen]).sum(dim=2).mean(dim=1)
        held = (still[retain[0]] * still[users + retain[1]]).sum(dim=1)
        weight = self.config.forget_weight
        norm = sum((values.square().sum() for values in operator.parameters()), start=still.new_zeros(()))
        return weight * change(forget, ordinary) + (1 - weight) * change(retain, held) + self.config.l2 * norm


def batches(pairs: Interactions, size: int, rng: np.random.Generator, device: torch.device) -> Iterator[Pairs]:
    """Yield each pair once, in random order, as int64 users and items of at most `size`."""
    order = rng.permutation(len(pairs))
    for start in range(0, len(pairs), size):
        part = order[start : start + size]
        yield torch.from_numpy(pairs.users[part]).to(device), torch.from_numpy(pairs.items[part]).to(device)


def neighbourhood(
    forgotten: Interactions, retained: Interactions, sizes: tuple[int, int], hops: int
) -> tuple[Bools, Bools]:
    """Say which users [U] and items [I] are within `hops` retained pairs of the ends of a forgotten pair."""
    users, items = (np.zeros(size, dtype=bool) for size in sizes)
    users[forgotten.users], items[forgotten.items] = True, True
    for _ in range(hops):
        from_users, from_items = retained.items[users[retained.users]], retained.users[items[retained.items]]
        items[from_users], users[from_items] = True, True
    return users, items

"""GSGCF-RU: a small operator moves the vectors around the forgotten pairs, the model itself stays frozen.

Forgotten pairs are drawn to the score of random unseen items rather than as low as possible, and the scores of the
retained pairs nearby are held. The operator is a residual two-layer network on final vectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mmrecun.arrays import Bools
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import Target
from mmrecun.models.base import linear
from mmrecun.training.loop import adam, train_batches
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult
from mmrecun.unlearning.vector_model import retained_vector_model

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Step:
    """What one optimiser step reads, in original rows.

    Attributes:
        forget, retain: int64 users and items.
        unseen: int64 [B, N], random items the forgotten pairs' users have not seen.
    """

    forget: Pairs
    unseen: Tensor
    retain: Pairs


class GSGCFConfig(UnlearnConfig):
    """Settings of GSGCF-RU.

    Attributes:
        hops: edges of the retained graph between a forgotten pair and the vectors that may move.
        step: how much of the operator's output is added to a vector.
        forget_weight: share of the forget term; the retain term has the rest.
        unseen: random items whose mean score a forgotten pair should have.
        l2: weight of the operator's squared norm.
        epochs: passes over the forget set.
        batch_size: forgotten pairs a step at most, and as many retained ones.
        learning_rate: of Adam.
    """

    hops: NonNegativeInt = 1
    step: PositiveFloat = 0.1
    forget_weight: float = Field(default=0.6, gt=0, lt=1)
    unseen: PositiveInt = 10
    l2: NonNegativeFloat = 1e-5
    epochs: PositiveInt = 100
    batch_size: PositiveInt = 256
    learning_rate: PositiveFloat = 1e-3


class Operator(nn.Module):
    """z + step * MLP(z) on the rows that may move, z on all others; the identity before it is trained."""

    def __init__(self, dim: int, step: float, moves: Tensor, rng: torch.Generator) -> None:
        super().__init__()
        self.step, self.moves = step, moves.unsqueeze(1)
        self.first, self.second = linear(dim, dim, rng), linear(dim, dim, rng)
        nn.init.zeros_(self.second.weight)

    def forward(self, vectors: Tensor, rows: Tensor) -> Tensor:
        """float32 [B, D], the moved vectors of `rows` (int64 [B]) of `vectors` [U + I, D]."""
        still = vectors[rows]
        moved: Tensor = still + self.step * self.moves[rows] * self.second(self.first(still).relu())
        return moved


class GSGCF(Unlearner):
    """Starts from the trained parameters on the retained graph; what comes out is a table of vectors."""

    Config = GSGCFConfig
    config: GSGCFConfig
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})

    def run(self, task: Task) -> UnlearnResult:
        """Train the operator and write its output down."""
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
        stop = f"{len(history)} passes, {int(nodes.sum())} of {len(nodes)} vectors could move"
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
        original, size = partition.original, self.config.batch_size
        sampler = NegativeSampler(original.train, len(original.users), len(original.items), partition.item_rows)
        kept = cycle(batches(local, size, rng, device))
        for users, items in batches(partition.forgotten, size, rng, device):
            unseen = sampler.draw(users.cpu().numpy().repeat(self.config.unseen), rng).reshape(-1, self.config.unseen)
            nothing = (users[:0], items[:0])
            yield Step((users, items), torch.from_numpy(unseen).to(device), next(kept, nothing))

    def objective(self, operator: Operator, still: Tensor, users: int, step: Step) -> Tensor:
        """W MSE(s'(f), mean s(unseen)) + (1 - w) MSE(s'(r), s(r)) + l2 |operator|^2; a scalar.

        Args:
            operator: gives the moved scores s'.
            still: float32 [U + I, D], the frozen vectors, which give s.
            users: U.
            step: f and r.
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
    """Every pair once, in random order, as int64 users and items of at most `size`."""
    order = rng.permutation(len(pairs))
    for start in range(0, len(pairs), size):
        part = order[start : start + size]
        yield torch.from_numpy(pairs.users[part]).to(device), torch.from_numpy(pairs.items[part]).to(device)


def neighbourhood(
    forgotten: Interactions, retained: Interactions, sizes: tuple[int, int], hops: int
) -> tuple[Bools, Bools]:
    """Whether each user [U] and item [I] is at most `hops` retained pairs away from an end of a forgotten one."""
    users, items = (np.zeros(size, dtype=bool) for size in sizes)
    users[forgotten.users], items[forgotten.items] = True, True
    for _ in range(hops):
        from_users, from_items = retained.items[users[retained.users]], retained.users[items[retained.items]]
        items[from_users], users[from_items] = True, True
    return users, items

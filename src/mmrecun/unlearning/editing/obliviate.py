"""Obliviate: low-rank adapters on the ID rows that a request affects (Prakash et al., ICML 2026).

First the rows E become E + A B^T, with A B^T the truncated SVD of g / sqrt(v), where g is the gradient of BPR on the
forgotten pairs. This is one preconditioned step of ascent on their loss, theta + H^-1 g. Then only A and B are trained
to rank unseen items above forgotten ones while the affected users' other scores stay.

The authors save v, Adam's second moment, and every epoch's triples from training. A run keeps neither, so v is
estimated as the mean squared gradient of retained batches, as Adam averages it, and negatives are redrawn.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget import views
from mmrecun.forget.request import Target
from mmrecun.models.base import Recommender, Vectors
from mmrecun.text import counted
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import bpr
from mmrecun.unlearning.base import (
    Task,
    UnlearnConfig,
    Unlearner,
    UnlearnResult,
    retained_model,
    retained_negatives,
    working_copy,
)
from mmrecun.unlearning.functional import vectors_with
from mmrecun.unlearning.gradient.sampling import no_triples

Tables = Mapping[str, Tensor]
_TINY = 1e-8


class ObliviateConfig(UnlearnConfig):
    """Settings of Obliviate."""

    renamed: ClassVar[Mapping[str, str]] = {"hold": "stay_weight"}
    rank: PositiveInt = Field(default=8, description="rank of the adapters")
    step: PositiveFloat = Field(default=5.0, description="length of the first move, in steps of the training's Adam")
    moments: PositiveInt = Field(
        default=20, description="retained batches from which Adam's second moment is estimated"
    )
    calibration: NonNegativeInt = Field(default=200, description="steps of the second stage")
    stay_weight: NonNegativeFloat = Field(default=1.0, description="weight of keeping the affected users' other scores")
    norm: NonNegativeFloat = Field(default=1e-4, description="weight of the adapters' squared norms")
    batch_size: PositiveInt = Field(default=512, description="triples in a step of the second stage")
    learning_rate: PositiveFloat = Field(default=1e-3, description="learning rate of Adam in the second stage")


class Adapters(nn.Module):
    """E[rows] + A B^T for each ID table; only A and B are parameters.

    Args:
        tables: parameter name -> frozen values, float32 [N, D].
        rows: parameter name -> int64 [n], the rows with an adapter.
        moves: parameter name -> float32 [n, D], whose nearest matrix of rank `rank` A B^T starts from.
    """

    def __init__(self, tables: Tables, rows: Tables, moves: Tables, rank: int) -> None:
        super().__init__()
        self.base, self.rows = tables, rows
        factors = [low_rank(moves[name], rank) for name in tables]
        self.left = nn.ParameterList(nn.Parameter(left) for left, _ in factors)
        self.right = nn.ParameterList(nn.Parameter(right) for _, right in factors)

    def tables(self) -> dict[str, Tensor]:
        """Return the ID tables with their adapters, differentiable in A and B."""
        moves = [left @ right.T for left, right in zip(self.left, self.right, strict=True)]
        return {
            name: table.index_add(0, self.rows[name], move)
            for (name, table), move in zip(self.base.items(), moves, strict=True)
        }

    def norm(self) -> Tensor:
        """Return the sum of the squared norms of A and B; a scalar."""
        return torch.stack([values.square().sum() for values in self.parameters()]).sum()


class Obliviate(Unlearner):
    """Works on the retained graph. The adapters are added to the tables before the removed rows are dropped."""

    Config = ObliviateConfig
    summary = "low-rank adapters on affected ID rows, then a short calibration"
    source = "Prakash et al., ICML 2026"
    config: ObliviateConfig
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})

    def run(self, task: Task) -> UnlearnResult:
        """Run both stages."""
        self.check(task.partition)
        working, partition = working_copy(task), task.partition
        if not len(partition.forgotten):
            return UnlearnResult(retained_model(task, working), "no forgotten pair: no row to move", [])
        inputs = task.inputs(views.padded)
        adapters = self.first_move(task, working, inputs)
        history = self._calibrate(task, working, inputs, adapters) if self.config.calibration else []
        with torch.no_grad():
            for name, values in adapters.tables().items():
                working.get_parameter(name).copy_(values)
        rows = sum(len(moved) for moved in adapters.rows.values())
        steps = counted(self.config.calibration, "calibration step")
        stop = f"{counted(rows, 'row')} moved, {steps}; second moments estimated"
        return UnlearnResult(retained_model(task, working), stop, history)

    def first_move(self, task: Task, model: Recommender, inputs: GraphInputs) -> Adapters:
        """Build adapters that hold the step against the forgotten pairs (stage one)."""
        partition, device = task.partition, task.device
        rng, sampler = task.seed.child("moments").numpy(), retained_negatives(partition)
        size = task.training.batch_size
        forgotten = list(bpr_batches(partition.forgotten, sampler, size, rng, device))
        forget_gradients = [gradients(model, inputs, triples, len(triples) / size) for triples in forgotten]
        retained = partition.retained_pairs.split(Split.TRAIN)
        sample = islice(bpr_batches(retained, sampler, size, rng, device), self.config.moments)
        squares = [gradients(model, inputs, triples, 1.0) for triples in sample]
        forgotten_rows = (np.unique(partition.forgotten.users), np.unique(partition.forgotten.items))
        tables = {name: table.weight.detach() for name, table in model.id_tables().items()}
        rows = {name: torch.from_numpy(found).to(device) for name, found in zip(tables, forgotten_rows, strict=True)}
        length = self.config.step * task.training.learning_rate
        moves: dict[str, Tensor] = {}
        for name in tables:
            moment = torch.stack([gradient[name].square() for gradient in squares]).mean(dim=0)
            total = torch.stack([gradient[name] for gradient in forget_gradients]).sum(dim=0)
            moves[name] = length * preconditioned(total, moment)[rows[name]]
        return Adapters(tables, rows, moves, self.config.rank)

    def _calibrate(
        self, task: Task, model: Recommender, inputs: GraphInputs, adapters: Adapters
    ) -> list[dict[str, float]]:
        """Train the adapters (stage two); return one row of history."""
        with torch.no_grad():
            before = model.vectors(inputs)

        def loss_of(step: tuple[Triples, Triples]) -> Tensor:
            return self.objective(before, vectors_with(model, adapters.tables(), inputs), step) + (
                self.config.norm * adapters.norm()
            )

        steps = islice(self._steps(task), self.config.calibration)
        loss = train_batches(steps, loss_of, adam(adapters, self.config.learning_rate))
        task.progress(1, 1, f"loss {loss:.4f}")
        return [{"epoch": 1, "loss": loss}]

    def objective(self, before: Vectors, after: Vectors, step: tuple[Triples, Triples]) -> Tensor:
        """Compute -ln sigmoid(s(u, n) - s(u, f)) + stay_weight * MSE(s / 2, s_0 / 2) on retained pairs; a scalar."""
        forget, retain = step
        loss = bpr(-after.of_triples(forget).margins())
        if not len(retain):
            return loss
        change = scores(after, retain) / 2 - scores(before, retain) / 2
        return loss + self.config.stay_weight * change.square().mean()

    def _steps(self, task: Task) -> Iterator[tuple[Triples, Triples]]:
        partition, sampler, size = task.partition, retained_negatives(task.partition), self.config.batch_size
        affected = np.unique(partition.forgotten.users)
        train = partition.retained_pairs.split(Split.TRAIN)
        retained = train.select(np.isin(train.users, affected))
        rng = task.seed.child("calibration").numpy()
        forget, keep = (endless(pairs, sampler, size, rng, task.device) for pairs in (partition.forgotten, retained))
        while True:
            yield next(forget), next(keep)


def endless(
    pairs: Interactions, sampler: NegativeSampler, size: int, rng: np.random.Generator, device: torch.device
) -> Iterator[Triples]:
    """Yield batches of endless passes over `pairs`, or empty triples if there are none."""
    while True:
        yield from bpr_batches(pairs, sampler, size, rng, device) if len(pairs) else [no_triples().to(device)]


def gradients(model: Recommender, inputs: GraphInputs, triples: Triples, weight: float) -> dict[str, Tensor]:
    """Compute the gradient of `weight` times BPR on `triples` in each ID table; no autograd graph is kept."""
    tables = {name: table.weight for name, table in model.id_tables().items()}
    loss = weight * bpr(model.vectors(inputs).of_triples(triples).margins())
    return dict(zip(tables, torch.autograd.grad(loss, list(tables.values())), strict=True))


def preconditioned(gradient: Tensor, moment: Tensor) -> Tensor:
    """Compute gradient / sqrt(moment), both [N, D].

    A tenth of the mean moment is added, since a few batches leave many rows untouched.
    """
    return gradient / ((moment + 0.1 * moment.mean()).sqrt() + _TINY)


def low_rank(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return A [n, R] and B [D, R]: A B^T is the matrix of rank R = min(rank, n, D) nearest to `matrix` [n, D]."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    scale = values[:rank].sqrt()
    return left[:, :rank] * scale, right[:rank].T * scale


def scores(vectors: Vectors, triples: Triples) -> Tensor:
    """Score the positives: float32 [B]."""
    rows = vectors.of_triples(triples)
    return (rows.users * rows.positives).sum(dim=1)

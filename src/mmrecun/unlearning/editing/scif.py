"""SCIF: an influence step on the user rows that a request affects (Li et al., arXiv 2304.10199).

The published step is for labels of single pairs. Here a BPR triple is a logistic loss of its margin x with label 1, and
a forgotten pair gets the label it would have as a random unseen item: ybar = sigmoid(s(u, r) - s(u, n)). The rows move
by H^-1 sum(grad l(x; 1) - grad l(x; ybar)), where H is the Hessian of BPR on the retained pairs of these users. The
gradient of the training loss itself is taken as zero, as influence functions assume.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import NegativeSampler, Triples
from mmrecun.data.interactions import Interactions, Split
from mmrecun.forget import views
from mmrecun.forget.request import Target
from mmrecun.unlearning.base import (
    Task,
    UnlearnConfig,
    Unlearner,
    UnlearnResult,
    retained_model,
    retained_negatives,
    working_copy,
)
from mmrecun.unlearning.conjugate import Tensors, solve
from mmrecun.unlearning.functional import vectors_with


class SCIFConfig(UnlearnConfig):
    """Settings of SCIF."""

    damping: PositiveFloat = Field(
        default=1.0,
        description="constant added to the diagonal of the Hessian; a smaller one moves rows further",
    )
    negatives: PositiveInt = Field(default=4, description="negatives drawn for each pair, averaged")
    steps: PositiveInt = Field(default=50, description="steps of conjugate gradients at most")
    tolerance: PositiveFloat = Field(
        default=1e-4, description="residual at which conjugate gradients stop, relative to the right-hand side"
    )


@dataclass(frozen=True)
class Pairs:
    """The triples of one step, in original rows.

    Attributes:
        forget, keep: triples of the forgotten and the retained pairs of the affected users.
        unseen: int64, one more unseen item for each forgotten triple.
    """

    forget: Triples
    keep: Triples
    unseen: Tensor


class SCIF(Unlearner):
    """Edits rows of retained users only. Removed users and items lose their rows and edges."""

    Config = SCIFConfig
    summary = "one influence step on the user rows that a request affects"
    source = "Li et al., arXiv 2304.10199"
    config: SCIFConfig
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})

    def run(self, task: Task) -> UnlearnResult:
        """Correct the rows of users with a forgotten pair by one solved step."""
        self.check(task.partition)
        working, partition = working_copy(task), task.partition
        forgotten = partition.forgotten.select(~partition.removed_users[partition.forgotten.users])
        rows = np.unique(forgotten.users)
        if not len(rows):
            return UnlearnResult(
                retained_model(task, working), "no retained user has a forgotten pair: no row to correct", []
            )
        step, taken = self._solve(task, rows, self._draw(task, forgotten, rows))
        with torch.no_grad():
            working.get_parameter(working.ID_TABLES.users).index_add_(0, torch.from_numpy(rows).to(task.device), step)
        stop = f"{len(rows)} user rows corrected, {taken} conjugate gradient steps"
        task.progress(1, 1, stop)
        return UnlearnResult(retained_model(task, working), stop, [])

    def _draw(self, task: Task, forgotten: Interactions, rows: Ints) -> Pairs:
        sampler, rng = retained_negatives(task.partition), task.seed.child("negatives").numpy()
        train = task.partition.retained_pairs.split(Split.TRAIN)
        retained = train.select(np.isin(train.users, rows))
        forget, keep = (repeated(pairs, sampler, self.config.negatives, rng) for pairs in (forgotten, retained))
        unseen = torch.from_numpy(sampler.draw(forget.users.numpy(), rng))
        return Pairs(forget.to(task.device), keep.to(task.device), unseen.to(task.device))

    def _solve(self, task: Task, rows: Ints, pairs: Pairs) -> tuple[Tensor, int]:
        """Return the step float32 [S, D] for the user `rows` [S], and the number of products."""
        users = task.model.ID_TABLES.users
        table = task.model.get_parameter(users).detach()
        shift = torch.zeros(len(rows), table.shape[1], device=table.device, requires_grad=True)
        moved = table.index_add(0, torch.from_numpy(rows).to(table.device), shift)
        vectors = vectors_with(task.model, {users: moved}, task.inputs(views.padded))
        forget, draws = pairs.forget, self.config.negatives
        label = vectors.of_triples(Triples(forget.users, pairs.unseen, forget.negatives)).margins().detach().sigmoid()
        difference = label_change(vectors.of_triples(forget).margins(), label) / draws
        target = torch.autograd.grad(difference, shift, retain_graph=True)[0]
        curvature = hessian_product(-logsigmoid(vectors.of_triples(pairs.keep).margins()).sum() / draws, shift)

        def product(vector: Tensors) -> Tensors:
            return [curvature(vector[0]) + self.config.damping * vector[0]]

        plain = [torch.ones_like(target)]
        (step,), taken = solve(product, [target], plain, self.config.steps, self.config.tolerance)
        return step, taken


def repeated(pairs: Interactions, sampler: NegativeSampler, times: int, rng: np.random.Generator) -> Triples:
    """Repeat each pair `times` times, each with its own negative."""
    users, positives = np.tile(pairs.users, times), np.tile(pairs.items, times)
    return Triples(*map(torch.from_numpy, (users, positives, sampler.draw(users, rng))))


def label_change(margins: Tensor, label: Tensor) -> Tensor:
    """Sum l(x; 1) - l(x; label), with the logistic loss l; a scalar from two float32 [B]."""
    loss = binary_cross_entropy_with_logits
    return loss(margins, torch.ones_like(margins), reduction="sum") - loss(margins, label, reduction="sum")


def hessian_product(loss: Tensor, parameter: Tensor) -> Callable[[Tensor], Tensor]:
    """Return v -> H v for the Hessian H of `loss` (a scalar) in `parameter`; v and H v have its shape."""
    (gradient,) = torch.autograd.grad(loss, parameter, create_graph=True)

    def product(vector: Tensor) -> Tensor:
        return torch.autograd.grad(gradient, parameter, vector, retain_graph=True)[0]

    return product

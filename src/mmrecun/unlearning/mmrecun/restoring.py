"""Bring the rows of a trained model into balance with the retained pairs, by Gauss-Newton steps."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.forget import views
from mmrecun.models.base import ID_TABLES, EmbeddingTable, Recommender, UserItemVectors
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.conjugate import Tensors, inner, solve
from mmrecun.unlearning.mmrecun.balance import Balance, mean_cosine
from mmrecun.unlearning.mmrecun.before_after import BeforeAndAfter
from mmrecun.unlearning.mmrecun.curvature import GaussNewtonMatrix
from mmrecun.unlearning.mmrecun.expected_bpr import ExpectedBPR, Gradient
from mmrecun.unlearning.mmrecun.small_request import BalanceFacts

_CLOSE = 1e-2  # residual of a step's linear system, relative to its right-hand side
_PROBE = 1e-2  # length of a finite difference, relative to that of all rows
_SINCE = (0.0, 0.25, 0.5)  # from where on a margin's way its pull may count


class StepScale(NamedTuple):
    """How far the rows of users and of items go along the way that was found, from where they were at first."""

    users: float
    items: float


class BalanceSolver:
    """A model of the retained data on its way to balance.

    Args:
        task: as given to a method.
        negatives: drawn to stand for all (see `BeforeAndAfter`).
        min_cosine: mean cosine between a table and what its pairs taught it, from which on it can be solved for.

    Attributes:
        model: changed in place.
        inputs: what it reads.
        tables: those that move, by name.
        unsolvable: why the rows of users or of items cannot be solved for; empty where they can.
        reach: how far a row moves the vectors, squared: the mean over all rows, estimated by a random change; 1 before
            the first step, and where vectors are rows.
    """

    def __init__(self, task: Task, negatives: int, min_cosine: float) -> None:
        partition = task.partition
        self.model, self.inputs = retained_model(task, task.model), task.inputs(views.retained)
        rng = task.seed.child("negatives").numpy()
        bpr = BeforeAndAfter.of(partition, negatives, rng, task.device)
        self._seed = task.seed.child("probe")
        degrees = {
            "users": (partition.original.degrees[0][partition.user_rows], partition.retained.degrees[0]),
            "items": (partition.original.degrees[1][partition.item_rows], partition.retained.degrees[1]),
        }
        rows = {
            side: torch.from_numpy(kept).to(task.device)
            for side, kept in (("users", partition.user_rows), ("items", partition.item_rows))
        }
        since, gradients = _best_explained(task, bpr.before)
        self._bpr = replace(bpr.after, since=since)
        share = max(len(partition.retained.train), 1) / max(len(partition.original.train), 1)
        self.tables: dict[str, EmbeddingTable] = {}
        self._balance: dict[str, Balance] = {}
        self.unsolvable, self.reach = "", 1.0
        for name, table in self.model.tables().items():
            before, after = degrees[table.side]
            gradient, own = gradients[name][rows[table.side]], table.weight.detach()
            cosine = mean_cosine(own, gradient, before) if own.shape[1] > 1 else 0.0
            if cosine >= min_cosine:
                self.tables[name] = table
                self._balance[name] = Balance.of(own, gradient, before, after, share)
            elif name in ID_TABLES:
                self.unsolvable = f"what pairs taught {name} explains it with a cosine of {cosine:.2f} only"
        self._start = [table.weight.detach().clone() for table in self.tables.values()]
        self._emptied = {side: np.flatnonzero((before > 0) & (after == 0)) for side, (before, after) in degrees.items()}

    def newton_step(self, cg_steps: int) -> float:
        """Take one Gauss-Newton step, with at most so many products with the curvature.

        Returns by how much the rows were out of balance before, as a root mean square.
        """
        gradients, vectors, by_vectors = _bpr_gradients(self.model, self.inputs, self._bpr)
        rows = [table.weight.detach() for table in self.tables.values()]
        imbalance = [
            balance.imbalance(own, gradients[name])
            for (name, balance), own in zip(self._balance.items(), rows, strict=True)
        ]
        curvature = GaussNewtonMatrix(self._bpr.links, by_vectors.hessian_weights, vectors)
        product = self._product(curvature, rows)
        diagonal = self._diagonal(curvature, rows, product)
        found, _ = solve(product, imbalance, diagonal, cg_steps, _CLOSE)
        with torch.no_grad():
            for table, own, step in zip(self.tables.values(), rows, found, strict=True):
                table.weight.copy_(own + step)
        return math.sqrt(inner(imbalance, imbalance) / sum(part.numel() for part in imbalance))

    def facts(self) -> BalanceFacts:
        """Return what small requests need to know of the balance that was found."""
        decays = {name: balance.law for name, balance in self._balance.items()}
        return BalanceFacts(since=self._bpr.since, reach=self.reach, decays=decays)

    @torch.no_grad()
    def scaled_vectors(self, scale: StepScale) -> UserItemVectors:
        """Return the vectors of everybody, had the rows gone `scale` times as far."""
        rows = [table.weight.detach() for table in self.tables.values()]
        self._set_rows(self._scaled(scale))
        users, items = (part.detach() for part in _vectors(self.model, self.inputs))
        self._set_rows(rows)
        return users, items

    @torch.no_grad()
    def scale_step(self, scale: StepScale) -> None:
        """Go `scale` times as far; rows that lost all their pairs start anew."""
        rng = self._seed.child("fresh rows").torch()
        for table, row in zip(self.tables.values(), self._scaled(scale), strict=True):
            table.weight.copy_(row)
            emptied = torch.from_numpy(self._emptied[table.side]).to(row.device)
            table.weight[emptied] = table.fresh(len(emptied), rng).to(row.device)

    def _scaled(self, scale: StepScale) -> Tensors:
        return [
            torch.lerp(start, table.weight.detach(), getattr(scale, table.side))
            for table, start in zip(self.tables.values(), self._start, strict=True)
        ]

    def _product(self, curvature: GaussNewtonMatrix, rows: Tensors) -> Callable[[Tensors], Tensors]:
        """Multiply a change of the tables by decay + J' C J, J being how vectors change with tables."""
        weights = [table.weight for table in self.tables.values()]
        pair = _vectors(self.model, self.inputs)
        at, length = [part.detach() for part in pair], inner(rows, rows) ** 0.5
        decay = [balance.decay for balance in self._balance.values()]

        def product(change: Tensors) -> Tensors:
            size = _PROBE * length / max(inner(change, change) ** 0.5, 1e-12)
            self._set_rows([row + size * part for row, part in zip(rows, change, strict=True)])
            with torch.no_grad():  # before the rows are put back: vectors may be the tables themselves
                moved = [(new - old) / size for new, old in zip(_vectors(self.model, self.inputs), at, strict=True)]
            self._set_rows(rows)
            image = curvature.product(moved[0], moved[1])
            back = torch.autograd.grad(pair, weights, image, retain_graph=True)
            return [part + rate * own for part, rate, own in zip(back, decay, change, strict=True)]

        return product

    def _set_rows(self, values: Tensors) -> None:
        for table, value in zip(self.tables.values(), values, strict=True):
            table.weight.data = value  # not in place: the autograd graph of `_product` is used again

    def _diagonal(self, curvature: GaussNewtonMatrix, rows: Tensors, product: Callable[[Tensors], Tensors]) -> Tensors:
        """Estimate the diagonal: that of the vectors' curvature, scaled by what a random change meets."""
        by_side = dict(zip(("users", "items"), curvature.diagonal(), strict=True))
        own = [by_side[table.side][:, None] for table in self.tables.values()]
        decay = [balance.decay for balance in self._balance.values()]
        if self.model.required_inputs().user_item:
            rng = self._seed.torch()
            noise = [torch.randn(row.shape, generator=rng).to(row.device) for row in rows]
            met = inner(product(noise), noise) - inner(
                [rate * part for rate, part in zip(decay, noise, strict=True)], noise
            )
            self.reach = max(met / inner([part * side for part, side in zip(noise, own, strict=True)], noise), 1e-3)
        return [self.reach * side + rate for side, rate in zip(own, decay, strict=True)]


def _vectors(model: Recommender, inputs: GraphInputs) -> UserItemVectors:
    vectors = model.vectors(inputs)
    return vectors.users, vectors.items


def _bpr_gradients(
    model: Recommender, inputs: GraphInputs, bpr: ExpectedBPR, with_hessian: bool = True
) -> tuple[dict[str, Tensor], UserItemVectors, Gradient]:
    """Return the gradient of `bpr` by every table of `model`, the vectors it was taken at, and its gradient by them."""
    weights = {name: table.weight for name, table in model.tables().items()}
    pair = _vectors(model, inputs)
    at = pair[0].detach(), pair[1].detach()
    by_vectors = bpr.gradient(at, with_hessian)
    found = torch.autograd.grad(
        pair, list(weights.values()), [by_vectors.users, by_vectors.items], materialize_grads=True, allow_unused=True
    )
    return dict(zip(weights, found, strict=True)), at, by_vectors


def _best_explained(task: Task, bpr: ExpectedBPR) -> tuple[float, dict[str, Tensor]]:
    """Find from where on pulls should count, by how well they explain the rows of users and items; and the gradient."""
    inputs, degrees = (
        task.inputs(views.original),
        dict(zip(("users", "items"), task.partition.original.degrees, strict=True)),
    )
    tables = {name: table for name, table in task.model.tables().items() if name in ID_TABLES}
    found: dict[float, tuple[float, dict[str, Tensor]]] = {}
    for since in _SINCE:
        taught, _, _ = _bpr_gradients(task.model, inputs, replace(bpr, since=since), with_hessian=False)
        cosines = [
            mean_cosine(table.weight.detach(), taught[name], degrees[table.side]) for name, table in tables.items()
        ]
        found[since] = sum(cosines), taught
    best = max(found, key=lambda since: found[since][0])
    return best, found[best][1]

"""Bring the rows of a trained model into balance with the retained pairs, by Gauss-Newton steps."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from mmrecun.errors import DivergedError
from mmrecun.evaluation.row_traits import degree_strata
from mmrecun.forget import views
from mmrecun.models.base import Recommender, UserItemVectors
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.conjugate import CapturedSolver, Tensors, inner, solve
from mmrecun.unlearning.mmrecun.balance import Balance, other_rows
from mmrecun.unlearning.mmrecun.before_after import BeforeAndAfter
from mmrecun.unlearning.mmrecun.curvature import LossCurvature
from mmrecun.unlearning.mmrecun.expected_loss import LossAt
from mmrecun.unlearning.mmrecun.negative_noise import negative_noise
from mmrecun.unlearning.mmrecun.retained_balance import gradient_scales, lost_leans, retained_balances
from mmrecun.unlearning.mmrecun.row_change import reset_emptied, row_changes
from mmrecun.unlearning.mmrecun.step_scale import StepScale, limited, row_scale
from mmrecun.unlearning.mmrecun.trained_balance import TrainedBalance, vectors_of

_CLOSE = 0.2  # residual of a step's linear system, relative to its right-hand side
_LONGEST = 0.2  # of a row's step, in mean lengths; rows of few pairs hardly resist, and went 15 lengths in MGCN
_PROBE = 1e-2  # length of a finite difference, relative to that of all rows


class BalanceSolver:
    """A model of the retained data, brought into balance by Gauss-Newton steps.

    Args:
        task: the input of the method.
        negatives: number of negatives to draw (see `BeforeAndAfter`).
        min_cosine: least mean cosine between the rows of a table and their gradients at which it can be solved for.
        capture: whether conjugate gradient steps on CUDA are replays of a graph.

    Attributes:
        model: changed in place.
        inputs: graphs and features of the retained data.
        tables: the tables that move, by name.
        unsolvable: why the rows of users or of items cannot be solved for; empty where they can.
        facts: facts of the trained model.
        averages: whether vectors are averages of rows over a graph.
        cosine: of rows with what their pairs taught them; the smaller of the means of users and of items.
    """

    def __init__(self, task: Task, negatives: int, min_cosine: float, capture: bool = True) -> None:
        partition = task.partition
        self._capture, self._retained = capture, partition.retained
        self._system: _CapturedSystem | None = None
        self.model, self.inputs = retained_model(task, task.model), task.inputs(views.retained)
        rng = task.seed.child("negatives").numpy()
        loss = BeforeAndAfter.of(partition, negatives, rng, task.device, self.model.info_nce_term())
        self._loss, self._seed = loss.after, task.seed.child("probe")
        self._known: LossAt | None = None
        trained = TrainedBalance.of(task, loss.before, min_cosine)
        tables = self.model.tables()  # a modality may be gone
        decays = {name: law for name, law in trained.facts.decays.items() if name in tables}
        self.facts, self.unsolvable = trained.facts.model_copy(update={"decays": decays}), trained.unsolvable
        self.tables = {name: tables[name] for name in decays}
        self._changes = row_changes(partition, tables, task.model.modalities())
        reset_emptied(tables, partition, self._seed.child("fresh rows").torch())
        lapsed = any(bool(change.features_lost.any()) for change in self._changes.values())
        scales = gradient_scales(partition, trained, self._loss, self.model, self.inputs) if lapsed else {}
        contrast = self._loss.info_nce is not None
        self.averages = self.model.required_inputs().user_item
        rng = task.seed.child("partners").numpy()
        leans = lost_leans(partition, trained, task.model, rng) if self.averages and len(partition.forgotten) else {}
        self._balance = retained_balances(
            partition, trained, self.tables, self._changes, self._loss_now, scales, leans, contrast
        )
        self._without_lean = list[Tensor]()
        degrees = {table.side: self._changes[name].degrees for name, table in self.model.id_tables().items()}
        intact = {side for side, (before, after) in degrees.items() if (before == after).all()}
        self._following = intact if len(intact) == 1 else set[str]()  # lapsed features change both sides
        self._strata = {side: degree_strata(after) for side, (_, after) in degrees.items()}
        self.cosine = min(trained.cosines[name] for name in self.model.ID_TABLES)
        self._loss_now()  # the first step needs it, and each that is tried in its place
        self._started = self.state()

    def _loss_now(self) -> LossAt:
        """Evaluate the loss at the present rows; it is done once until they move."""
        self._known = self._known or self._loss.at(self.model, self.inputs)
        return self._known

    def redraw_rest(self, share: float) -> None:
        """Exchange `share` of the square of each row's rest with another row of its degree."""
        rng = self._seed.child("rest").numpy()
        others = {side: other_rows(strata, rng) for side, strata in self._strata.items()}
        self._exchange(
            {
                name: self._balance[name].rest[torch.from_numpy(others[table.side]).to(table.weight.device)]
                for name, table in self.tables.items()
            },
            share,
        )

    def renew_noise(self) -> None:
        """Replace the whole rest of each row by noise of the same length, which other negatives would have left."""
        noise = negative_noise(self.model, self.inputs, self._retained, self._seed.child("rest").numpy())
        self._exchange(noise, 1.0)

    def _exchange(self, drawn: dict[str, Tensor], share: float) -> None:
        self._balance = {
            name: balance.with_other_rest(drawn[name], share).with_fixed(
                self._changes[name].emptied, table.weight.detach()
            )
            for (name, table), balance in zip(self.tables.items(), self._balance.values(), strict=True)
        }

    @contextmanager
    def moved_by_noise(self) -> Iterator[Recommender]:
        """Move each trained row by what its rest was exchanged for, over its decay, within the context."""
        start = self._started
        moved = [
            row + (self._balance[name].rest - kept.rest) / kept.decay
            for (name, kept), row in zip(start.balance.items(), start.rows, strict=True)
        ]
        with self._at(moved) as model:
            yield model

    def state(self) -> "SolverState":
        """Return the present rows, and the balance that they are brought into."""
        rows = [table.weight.detach().clone() for table in self.tables.values()]
        return SolverState(rows, self._balance, self._known)

    def resume(self, state: "SolverState | None" = None) -> None:
        """Go back to a state: by default to the trained rows, and undo what was done to their rest."""
        rows, self._balance, self._known = state or self._started
        self._set_rows([row.clone() for row in rows])

    def imbalance(self) -> float:
        """Compute the root mean square of the rows' imbalance."""
        return _root_mean_square(self._imbalance())

    def _imbalance(self) -> Tensors:
        gradients = self._loss_now().gradients
        return [
            balance.imbalance(table.weight.detach(), gradients[name])
            for (name, balance), table in zip(self._balance.items(), self.tables.values(), strict=True)
        ]

    def newton_step(self, cg_steps: int) -> float:
        """Take one Gauss-Newton step, with a limited number of products with the curvature.

        A row moves by a fifth of the mean length of rows at most, or farther by the shares of its pairs and of its
        features that it lost.

        Returns the root mean square of the rows' imbalance before the step.
        """
        imbalance = self._imbalance()
        rows, step = [table.weight.detach() for table in self.tables.values()], self._solved(imbalance, cg_steps)
        self._set_rows([own + part for own, part in zip(rows, step, strict=True)])  # a loss may read the memory of rows
        self._known = None
        return _root_mean_square(imbalance)

    def _solved(self, force: Tensors, cg_steps: int) -> Tensors:
        """Return the Gauss-Newton step that a force on the present rows leads to, each row no longer than it may be."""
        loss = self._loss_now()
        if loss is not self._started.loss:  # its memory is written over by that of other rows
            self._started = self._started._replace(loss=None)
        curvature = loss.curvature()
        rows, diagonal = [table.weight.detach() for table in self.tables.values()], self._diagonal(curvature)
        if self._capture and rows[0].is_cuda:
            found = self._system_of(curvature, rows).solver.solve(force, diagonal, cg_steps, _CLOSE)
        else:
            found, _ = solve(self._product(curvature, rows, False), force, diagonal, cg_steps, _CLOSE)
        steps = []
        for name, own, step in zip(self.tables, rows, found, strict=True):
            longest = _LONGEST + 1 - self._changes[name].pairs_kept + self._changes[name].features_lost
            steps.append(limited(step, longest * own.norm(dim=1).mean()))
        return steps

    def take_out_lean(self, cg_steps: int) -> bool:
        """Solve for the step by which rests lose the lean of forgotten pairs; False in models without a graph.

        How much of it is taken is decided with the scale of the steps.
        """
        balances = self._balance.values()
        if all(balance.lean is None for balance in balances):
            return False
        force = [torch.zeros_like(each.rest) if each.lean is None else -each.lean for each in balances]
        self._without_lean = self._solved(force, cg_steps)
        return True

    def _system_of(self, curvature: LossCurvature, rows: Tensors) -> "_CapturedSystem":
        """Return the system that is captured at the first step, with the values of this one."""
        if self._system is None:
            solver = CapturedSolver(self._product(curvature, rows, True))
            self._system = _CapturedSystem(solver, curvature, rows)
        else:
            self._system.curvature.become(curvature)
            torch._foreach_copy_(self._system.rows, rows)
            self._set_rows(self._system.rows)
        return self._system

    def check_finite(self) -> None:
        """Check that every row is finite.

        Raises:
            DivergedError: when one is not.
        """
        total = torch.stack([table.weight.detach().sum() for table in self.tables.values()]).sum()
        if not math.isfinite(float(total)):
            raise DivergedError("a row is no longer finite; lower step_scale, or take fewer newton_steps or cg_steps")

    @contextmanager
    def _at(self, moved: Tensors) -> Iterator[Recommender]:
        """Set the rows to `moved` within the context."""
        rows = [table.weight.detach() for table in self.tables.values()]
        self._set_rows(moved)
        yield self.model
        self._set_rows(rows)

    @torch.no_grad()
    def scaled_vectors(self, scale: StepScale) -> UserItemVectors:
        """Return the vectors of all users and items for a step scaled by `scale`."""
        with self._at(self._scaled(scale)) as model:
            users, items = (part.detach() for part in vectors_of(model, self.inputs))
        return users, items

    @torch.no_grad()
    def scale_step(self, scale: StepScale) -> None:
        """Scale the step by `scale`; no other Gauss-Newton step follows."""
        self._system = None  # it holds all the memory that a captured step needs
        for table, row in zip(self.tables.values(), self._scaled(scale), strict=True):
            table.weight.copy_(row)

    def _scaled(self, scale: StepScale) -> Tensors:
        """Return the rows for a scaled step; a side that lost no pair, where the other did, moves as solved."""
        averaged = self.averages
        following = set[str]() if averaged else self._following  # a graph averages the rows of both sides
        by_side = {side: 1.0 if side in following else getattr(scale, side) for side in ("users", "items")}
        rows = [table.weight.detach() for table in self.tables.values()]
        if self._without_lean:
            rows = [row + scale.lean * part for row, part in zip(rows, self._without_lean, strict=True)]
        return [
            torch.lerp(start, row, row_scale(by_side[table.side], self._changes[name].pairs_kept, averaged))
            for (name, table), start, row in zip(self.tables.items(), self._started.rows, rows, strict=True)
        ]

    def _product(self, curvature: LossCurvature, rows: Tensors, captured: bool) -> Callable[[Tensors], Tensors]:
        """Multiply a change of the tables by decay + J' C J, J being the Jacobian of the vectors by the tables.

        A `captured` product computes the vectors at `rows` and their length each time, within the capture, since the
        values of `rows` may change; otherwise they are computed once.
        """
        weights = [table.weight for table in self.tables.values()]
        once = None if captured else (self._loss.outputs(self.model, self.inputs), inner(rows, rows).sqrt())
        decay = [balance.decay for balance in self._balance.values()]

        def product(change: Tensors) -> Tensors:
            outputs, length = once or (self._loss.outputs(self.model, self.inputs), inner(rows, rows).sqrt())
            at = [part.detach() for part in outputs]
            size = (_PROBE * length / inner(change, change).sqrt().clamp(min=1e-12)).to(rows[0].dtype)
            self._set_rows(list(torch._foreach_add(rows, torch._foreach_mul(change, size))))
            with torch.no_grad():  # before the rows are put back: vectors may be the tables themselves
                after = self._loss.outputs(self.model, self.inputs)
                moved = [(new - old) / size for new, old in zip(after, at, strict=True)]
            self._set_rows(rows)
            back = torch.autograd.grad(outputs, weights, curvature.product(moved), retain_graph=not captured)
            return [part + rate * own for part, rate, own in zip(back, decay, change, strict=True)]

        return product

    def _set_rows(self, values: Tensors) -> None:
        for table, value in zip(self.tables.values(), values, strict=True):
            table.weight.data = value  # not in place: the autograd graph of `_product` is used again

    def _diagonal(self, curvature: LossCurvature) -> Tensors:
        """Estimate the diagonal: that of the vectors' curvature times their mean squared derivative by the row."""
        by_side = dict(zip(("users", "items"), curvature.diagonal(), strict=True))
        return [
            self.facts.reach * by_side[table.side][:, None] + balance.decay
            for table, balance in zip(self.tables.values(), self._balance.values(), strict=True)
        ]


class SolverState(NamedTuple):
    """The rows of the tables that move, the balance that they are brought into, and the loss where it is known."""

    rows: Tensors
    balance: dict[str, Balance]
    loss: LossAt | None


class _CapturedSystem(NamedTuple):
    """A solver of linear systems on CUDA, and the memory that it reads: the curvature, and the rows it is taken at."""

    solver: CapturedSolver
    curvature: LossCurvature
    rows: Tensors


def _root_mean_square(parts: Tensors) -> float:
    return math.sqrt(float(inner(parts, parts)) / sum(part.numel() for part in parts))

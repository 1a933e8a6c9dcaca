"""MMRecUn: solve for the stationary point of training on the retained pairs, instead of training towards it.

It builds on Sinha, Mandal and Kankanhalli (AAAI 2025): reverse BPR on the forget set together with BPR on the retain
set. Here both are taken in expectation over all negatives, and the point that training would reach in many small steps
is solved for.

1. Training leaves each row at a stationary point, where the gradient of its pairs equals a decay (see `balance`).
   Without the forgotten pairs the gradient of the loss of the retained pairs, graph and features differs from it.
   The difference is the gradient of reverse BPR on the forgotten pairs, and of other changes by the request.
2. Gauss-Newton steps restore the balance. They move the rows of all users and items together, mostly those that the
   request affects through their own pairs or those of their partners. Where it costs no recall, rows get other noise
   of negatives, so that lists change as between two trainings (see `first_step`). In models with a graph, another step
   takes out what partners left in the rest of rows (see `partner_effect`).
3. An epoch of ordinary training of all parameters on the retained data follows, or one for each hundred that the
   training took. It renews the noise that every training leaves in every row, and with it the order of all lists.
4. Rows that lost pairs are given the traits of rows of the same degree that lost none (see `row_matching`).

A request of a few pairs moves only the rows that lost them; the other rows are moved by a later, larger request (see
`small_request`).

The length of step 2 is fitted to validation pairs of the same users and items, if there are enough of them, and for
pairs of users who stay if the split was random (see `level`).

No step needs Gold or reads a test pair. Where the gradients do not explain the rows of users and of items, the solved
model validates clearly worse than the trained one, or more than half of the pairs are forgotten, the model is
retrained. A model that draws no negatives is trained anew in few large steps (see `full_batch_training`).
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from mmrecun.arrays import Doubles
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.errors import ForgetError
from mmrecun.forget import views
from mmrecun.models.full_batch import FullBatchRecommender
from mmrecun.text import counted
from mmrecun.training.fit import train_epoch
from mmrecun.training.loop import adam
from mmrecun.training.validation import CANNOT_VALIDATE, can_validate
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, retained_model
from mmrecun.unlearning.mmrecun.before_after import BeforeAndAfter
from mmrecun.unlearning.mmrecun.first_step import first_step
from mmrecun.unlearning.mmrecun.full_batch_training import trained_in_full_batches
from mmrecun.unlearning.mmrecun.level import FEWEST, ForgettingLevel
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver
from mmrecun.unlearning.mmrecun.row_matching import match_rows
from mmrecun.unlearning.mmrecun.small_request import moved_alone
from mmrecun.unlearning.mmrecun.step_scale import StepScale, fit_lean, fit_step_scale
from mmrecun.unlearning.mmrecun.trained_balance import BalanceFacts, TrainedBalance
from mmrecun.unlearning.mmrecun.validation_guard import ValidationGuard
from mmrecun.unlearning.retrain import Retrain

_SETTLING_RATE = 2.0  # learning rate of the last epoch, relative to that of the training
_WHOLE_EPOCH = 0.01  # share of the pairs from which on a request is followed by a whole epoch
_SETTLED = 0.01  # of the epochs of the training, for which a model settles; at least `epochs`
_SHORTENING = 3  # power of the part of that share by which an epoch is shortened; see `train_on_retained`
_NO_NEARER = 0.9  # of the imbalance is left by a step after which another would lead away
_SHORT = 1.3  # times as far as solved, where the lean of rests is left as it is
_INSTEAD = 1.5  # times the usual scale where one step is taken, instead of the others
_MOST_SOLVED = 0.5  # share of the pairs that a request may remove; what is left would train another model
_MOST_OWED = 0.005  # share of the pairs that small requests may remove before all rows are solved for


class MMRecUnConfig(UnlearnConfig):
    """Settings of MMRecUn."""

    renamed: ClassVar[Mapping[str, str]] = {
        "steps": "newton_steps",
        "products": "cg_steps",
        "stretch": "step_scale",
        "min_explained": "min_cosine",
    }
    negatives: PositiveInt = Field(
        default=64,
        description="items drawn to stand for all negatives; eight times as many pairs stand for all pairs",
    )
    newton_steps: PositiveInt = Field(default=2, description="Gauss-Newton steps")
    cg_steps: PositiveInt = Field(default=12, description="conjugate gradient steps at most in each Gauss-Newton step")
    step_scale: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description=(
            "factor on the usual length of the Gauss-Newton move; only a prior where forgotten pairs can be compared "
            "with validation pairs"
        ),
    )
    min_cosine: float = Field(
        default=0.25,
        ge=-1,
        le=1,
        description=(
            "mean cosine between a table's rows and what their pairs taught them, below which the table is left "
            "as trained (below 0.5 if it holds features of items); if it is that of users or items, the model is "
            "trained anew"
        ),
    )
    epochs: NonNegativeInt = Field(
        default=1,
        description=(
            "epochs of training on the retained data at the end, at least; one for each hundred of the training, if "
            "that is more; less than one for less than 1 % of the pairs"
        ),
    )


class MMRecUn(Unlearner):
    """Solves for all rows on the retained data, then trains for an epoch or a few."""

    Config = MMRecUnConfig
    summary = (
        "this package's own method: solves for the rows that training would have reached without what is forgotten"
    )
    source = "after Sinha et al., AAAI 2025"
    config: MMRecUnConfig

    def unsolved(self, task: Task, why: str) -> UnlearnResult:
        """Retrain, where the rows cannot be solved for.

        Raises:
            ForgetError: when no validation pair is left to choose an epoch by.
        """
        if not can_validate(task.partition.retained):
            raise ForgetError(
                f"{why}, so the model must be trained anew, but the request leaves {CANNOT_VALIDATE}; "
                "choose a method that trains nothing, such as --method unlink"
            )
        task.progress(0, 1, f"{why}; the model is trained anew")
        anew = Retrain(Retrain.Config()).run(task)
        return replace(anew, stop_reason=f"trained anew, since {why}; {anew.stop_reason}")

    def run(self, task: Task) -> UnlearnResult:
        """Solve for the rows, then train for an epoch.

        Raises:
            DivergedError: when a row is no longer finite.
        """
        if not len(task.partition.forgotten) and not _features_lost(task):
            return UnlearnResult(
                retained_model(task, task.model),
                "nothing that the model was trained on was forgotten",
                [],
                carried=task.carried,
            )
        if _share(task) > _MOST_SOLVED:
            return self.unsolved(task, f"{_share(task):.0%} of the pairs are forgotten")
        if isinstance(task.model, FullBatchRecommender):
            return self._anew(task)
        carried = {name: task.carried[name] for name in BalanceFacts.model_fields if name in task.carried}
        facts = BalanceFacts.of(carried) if carried else None
        owed = facts.owed if facts else 0.0
        if len(task.partition.forgotten) >= FEWEST or _large(task, owed):
            return self._whole(task, owed)
        return self._small(task, facts)

    def _anew(self, task: Task) -> UnlearnResult:
        """Train a model anew that has no balance of ranked pairs, on all retained pairs at once."""
        inputs = task.inputs(views.retained)
        guard = ValidationGuard(task, inputs)
        if guard.trained is None:
            return self.unsolved(task, "the model was not trained to rank pairs")
        result = trained_in_full_batches(task, inputs, guard)
        why = guard.worse(result.model)
        return self.unsolved(task, why) if why else result

    def _small(self, task: Task, facts: BalanceFacts | None) -> UnlearnResult:
        """Move only the rows that lost pairs; the first small request computes the facts that later ones read."""
        if facts is None:
            rng = task.seed.child("negatives").numpy()
            term = task.model.info_nce_term()
            loss = BeforeAndAfter.of(task.partition, self.config.negatives, rng, task.device, term).before
            trained = TrainedBalance.of(task, loss, self.config.min_cosine)
            if trained.unsolvable:
                return self.unsolved(task, trained.unsolvable)
            facts = trained.facts
        model = moved_alone(task, facts, self.config.negatives, _SHORT * self.config.step_scale)
        owed = facts.owed + _share(task)
        task.progress(1, 1, f"{owed:.2%} of the pairs owed")
        stop = f"rows that lost pairs moved alone; {_owing(owed)}"
        return UnlearnResult(model, stop, [], carried=facts.model_copy(update={"owed": owed}).model_dump(mode="json"))

    def _whole(self, task: Task, owed: float) -> UnlearnResult:
        """Solve for all rows."""
        partition = task.partition
        solver = BalanceSolver(task, self.config.negatives, self.config.min_cosine)
        if solver.unsolvable:
            return self.unsolved(task, solver.unsolvable)
        guard = ValidationGuard(task, solver.inputs)
        large = _large(task, owed)
        epochs = self._settling_epochs(solver.facts.epochs) if large else 0
        in_all = self.config.newton_steps + epochs
        history = self._steps(task, solver, guard, in_all)
        solver.check_finite()
        leans = solver.take_out_lean(self.config.cg_steps)
        usual = self.config.step_scale * (1 if leans else _SHORT)
        usual *= 1 if len(history) == self.config.newton_steps else _INSTEAD
        rng = task.seed.child("level").numpy()
        level = ForgettingLevel(partition, rng, task.device, solver.inputs.user_block)

        def excess(scale: StepScale) -> tuple[Doubles, Doubles]:
            return level.excess(solver.scaled_vectors(scale))

        solver.scale_step(fit_step_scale(excess, usual, fit_lean(excess) if leans else 0.0))
        solver.check_finite()
        retained = partition.retained
        sampler = NegativeSampler.of_dataset(retained)
        for epoch in range(1, epochs + 1):
            loss = train_on_retained(task, solver, sampler, epoch, owed)
            history.append({"step": len(history) + 1, "loss": loss})
            task.progress(self.config.newton_steps + epoch, in_all, f"loss {loss:.4f}")
        match_rows(solver.model, solver.inputs, partition, solver.facts.reach)
        if why := guard.worse(solver.model):
            return self.unsolved(task, why)
        owed = 0.0 if large else owed + _share(task)
        settled = f"then trained on them for {counted(epochs, 'epoch')} at most" if large else _owing(owed)
        stop = f"{counted(len(solver.tables), 'table')} in balance with the retained pairs, {settled}"
        carried = solver.facts.model_copy(update={"owed": owed})
        return UnlearnResult(solver.model, stop, history, carried=carried.model_dump(mode="json"))

    def _settling_epochs(self, trained: int) -> int:
        """Return for how many epochs to settle: the longer a training was, the longer its noise lasts."""
        return max(self.config.epochs, int(_SETTLED * trained)) if self.config.epochs else 0

    def _steps(self, task: Task, solver: BalanceSolver, guard: ValidationGuard, in_all: int) -> list[dict[str, float]]:
        """Take Gauss-Newton steps, as long as they bring rows nearer to balance; returns what each found."""
        history: list[dict[str, float]] = []
        cg_steps, other_noise = self.config.cg_steps, _large(task)  # not for what is owed: all noise would go in time
        for step in range(1, self.config.newton_steps + 1):
            missing = first_step(solver, guard, cg_steps, other_noise) if step == 1 else solver.newton_step(cg_steps)
            history.append({"step": step, "missing": missing})
            task.progress(step, in_all, f"out of balance by {missing:.3g}")
            if step < self.config.newton_steps and solver.imbalance() > _NO_NEARER * missing:
                break
        return history


def train_on_retained(task: Task, solver: BalanceSolver, sampler: NegativeSampler, number: int, owed: float) -> float:
    """Train the model for an epoch on retained pairs, in place; returns the mean loss.

    For less than a hundredth of the pairs, together with those owed, the epoch is shortened. Half of a hundredth is
    followed by an eighth of an epoch, so that many small requests train about as long as one large one.
    """
    retained = task.partition.retained
    share = 1.0 if _features_lost(task) else owed + _share(task)
    seed = task.seed.child(f"epoch {number}")
    pairs = retained.train.sample(
        math.ceil(min(share / _WHOLE_EPOCH, 1) ** _SHORTENING * len(retained.train)), seed.child("pairs").numpy()
    )
    optimizer = adam(solver.model, _SETTLING_RATE * task.training.learning_rate)
    return train_epoch(solver.model, pairs, sampler, solver.inputs, task.training.batch_size, seed, optimizer)


def _share(task: Task) -> float:
    """Compute the share of the model's training pairs that is forgotten."""
    return len(task.partition.forgotten) / max(len(task.partition.original.train), 1)


def _owing(owed: float) -> str:
    return f"settling is owed for {owed:.2%} of the pairs"


def _large(task: Task, owed: float = 0.0) -> bool:
    """Say whether the request, or the share of the pairs that it and those that are `owed` remove, changes all rows."""
    return _features_lost(task) or owed + _share(task) >= _MOST_OWED


def _features_lost(task: Task) -> bool:
    """Say whether items lost features that the model reads."""
    return not set(task.partition.removed_features).isdisjoint(task.model.modalities())

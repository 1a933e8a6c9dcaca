"""MMRecUn, solved rather than trained: every row is brought into balance with the pairs that are retained.

Built on the idea of Sinha, Mandal and Kankanhalli (AAAI 2025): reverse BPR on the forget set beside BPR on the retain
set. Here both are taken in expectation over all negatives, and what training would reach with many small steps is
solved for.

1. Training left each row in a balance of what its pairs taught it and of what makes it decay (see `balance`). What was
   forgotten disturbs it: BPR's gradient over the retained pairs, on the retained graph and features, no longer matches.
   The difference is the gradient of reverse BPR on the forgotten pairs, and of whatever else the request changed.
2. Gauss-Newton steps restore the balance. They move the rows of all users and items at once, each by what the request
   has to do with it: its own pairs, and those of its partners. Nobody else moves.
3. An epoch of ordinary training on the retained data follows, of all parameters. It renews the noise that every
   training leaves in every row, so that the rows that were solved for do not stand out.

Validation pairs of the same users and items help to tell how far to go. No step needs a Gold, or looks at a test pair.
Where what the pairs taught does not explain the rows of users and of items, as in some models that do not rank, nothing
can be solved for, and the model is trained anew.
"""

import math
from dataclasses import replace

from pydantic import Field, NonNegativeInt, PositiveInt

from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.errors import DivergedError
from mmrecun.training.fit import run_epoch
from mmrecun.training.loop import adam
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearned, Unlearner, export
from mmrecun.unlearning.mmrecun.level import Level
from mmrecun.unlearning.mmrecun.restoring import Restoring
from mmrecun.unlearning.retrain import Retrain

_NEAREST, _FARTHEST = 0.8, 1.6  # stretches at which the level is looked at
_WHOLE_EPOCH = 0.01  # share of the pairs that a request must take out to be followed by a whole epoch


class MMRecUnConfig(UnlearnConfig):
    """Settings of MMRecUn.

    Attributes:
        negatives: items drawn to stand for all negatives, and pairs to stand for all pairs.
        steps: of Gauss-Newton.
        products: with the curvature in each, at most (conjugate gradients).
        stretch: how far to go along the way found, whose steps come a little short. Where forgotten pairs can be
            compared with validation pairs, it is the mean of this and of where the two look alike.
        min_explained: mean cosine between a table's rows and what their pairs taught them, below which they cannot be
            solved for. Such a table is left as trained; if it is that of users or of items, the model is trained anew.
        epochs: of training on the retained data at the end; shorter ones after small requests.
    """

    negatives: PositiveInt = 64
    steps: PositiveInt = 2
    products: PositiveInt = 6
    stretch: float = Field(default=1.2, gt=0, le=1e30)
    min_explained: float = Field(default=0.4, ge=-1, le=1)
    epochs: NonNegativeInt = 1


class MMRecUn(Unlearner):
    """Restores the balance of every row, and trains on for a moment."""

    Config = MMRecUnConfig

    def __init__(self, config: MMRecUnConfig) -> None:
        super().__init__(config)
        self.config = config

    def _stretch(self, work: Restoring, level: Level) -> float:
        """How far to go: half way from the setting to where forgotten pairs look like held-out ones."""
        aucs = level.auc(work.vectors(_NEAREST)), level.auc(work.vectors(_FARTHEST))
        if aucs[0] is None or aucs[1] is None or aucs[0] <= aucs[1]:
            return self.config.stretch
        found = _NEAREST + (aucs[0] - 0.5) / (aucs[0] - aucs[1]) * (_FARTHEST - _NEAREST)
        return (self.config.stretch + min(max(found, _NEAREST), _FARTHEST)) / 2

    def unsolved(self, task: Task, why: str) -> Unlearned:
        """Train anew, where the rows cannot be solved for."""
        task.report(0, 1, f"{why}, so that it cannot be solved for; the model is trained anew")
        anew = Retrain(Retrain.Config()).run(task)
        return replace(anew, stop=f"trained anew, since {why}; {anew.stop}")

    def run(self, task: Task) -> Unlearned:
        """Solve, then settle.

        Raises:
            DivergedError: when a row is no longer finite.
        """
        parts = task.parts
        if not len(parts.forgotten) and not _lost(task):
            return Unlearned(export(task, task.model), "nothing that the model was trained on was forgotten", [])
        work = Restoring(task, self.config.negatives, self.config.min_explained)
        if work.unexplained:
            return self.unsolved(task, work.unexplained)
        in_all = self.config.steps + self.config.epochs
        history = []
        for step in range(1, self.config.steps + 1):
            missing = work.step(self.config.products)
            history.append({"step": step, "missing": missing})
            task.report(step, in_all, f"out of balance by {missing:.3g}")
        stretch = self._stretch(work, Level(parts, task.seed.child("level").numpy()))
        work.finish(stretch)
        if not all(bool(table.weight.isfinite().all()) for table in work.tables.values()):
            raise DivergedError("a row is no longer finite; lower stretch, or take fewer steps or products")
        for epoch in range(1, self.config.epochs + 1):
            loss = settle(task, work, epoch)
            history.append({"step": self.config.steps + epoch, "loss": loss})
            task.report(self.config.steps + epoch, in_all, f"loss {loss:.4f}")
        settled = f"settled for {self.config.epochs} epochs at most"
        stop = f"{len(work.tables)} tables in balance with the retained pairs; {settled}"
        return Unlearned(work.model, stop, history)


def settle(task: Task, work: Restoring, number: int) -> float:
    """Train the model for an epoch on retained pairs, in place; returns the mean loss.

    A request for less than a hundredth of the pairs gets as much less of an epoch. So many small requests train as long
    as one large one.
    """
    retained, parts = task.parts.retained, task.parts
    share = 1.0 if _lost(task) else len(parts.forgotten) / len(parts.original.train)
    seed = task.seed.child(f"epoch {number}")
    pairs = retained.train.sample(
        math.ceil(min(share / _WHOLE_EPOCH, 1) * len(retained.train)), seed.child("pairs").numpy()
    )
    sampler = NegativeSampler(retained.train, len(retained.users), len(retained.items))
    optimizer = adam(work.model, task.training.learning_rate)
    return run_epoch(work.model, pairs, sampler, work.inputs, task.training.batch_size, seed, optimizer)


def _lost(task: Task) -> bool:
    """Whether items lost features that the model reads."""
    return not set(task.parts.lost_features).isdisjoint(task.model.modalities())

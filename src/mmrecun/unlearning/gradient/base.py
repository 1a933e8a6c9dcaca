"""What every gradient method shares: a working copy, passes of optimiser steps over it, and the export at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar, cast

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender, TripleVectors
from mmrecun.training.loop import adam, one_pass
from mmrecun.training.losses import training_loss
from mmrecun.unlearning.base import (
    Task,
    UnlearnConfig,
    Unlearned,
    Unlearner,
    export,
    served_inputs,
    stand_in_inputs,
    working_copy,
)
from mmrecun.unlearning.gradient.sampling import ForgetSampler, Step


class PassConfig(UnlearnConfig):
    """Settings of every method that takes optimiser steps.

    Attributes:
        epochs: passes, at most.
        batch_size: retained triples a step, and forgotten ones at most.
        learning_rate: of Adam.
    """

    epochs: PositiveInt = 3
    batch_size: PositiveInt = 2048
    learning_rate: PositiveFloat = 1e-3


class GradientConfig(PassConfig):
    """Settings of every method whose passes run over the forget set.

    Attributes:
        steps: at least so many a pass; a small forget set is cut into smaller batches.
    """

    steps: PositiveInt = 15


@dataclass(frozen=True)
class Work:
    """What a run works with, in original rows.

    Attributes:
        task: as given.
        model: the copy whose parameters change.
        attached: the retained graph, with what was removed attached as newcomers.
        served: the same without the removed features of retained items; what the new model will see.
        sampler: of the steps.
    """

    task: Task
    model: Recommender
    attached: GraphInputs
    served: GraphInputs
    sampler: ForgetSampler

    @classmethod
    def of(cls, task: Task, config: PassConfig) -> Self:
        """Set up `task`."""
        steps = config.steps if isinstance(config, GradientConfig) else 1
        model, attached = working_copy(task), stand_in_inputs(task)
        served = served_inputs(task) if task.parts.lost_features else attached
        return cls(task, model, attached, served, ForgetSampler(task, model, config.batch_size, steps))

    def look(self, step: Step) -> tuple[TripleVectors, list[Tensor]]:
        """The retained triples' vectors, and the margins of what is forgotten.

        A forgotten pair is scored whole, a lost feature by its own branch; float32 [B] for each kind there is.
        """
        rows, size = self.model.at(self.served, step.retain.joined(step.forget)), len(step.retain)
        kept, forgotten = rows.part(slice(None, size)), rows.part(slice(size, None))
        margins = [forgotten.margins()] if len(step.forget) else []
        if step.branches:
            attached = self.model.vectors(self.attached)
            margins += [attached.branch_at(name, triples).margins() for name, triples in step.branches.items()]
        return kept, margins

    def retain_loss(self, kept: TripleVectors) -> Tensor:
        """What training minimises, on retained triples; a scalar."""
        return training_loss(self.model, kept)


Config = TypeVar("Config", bound=PassConfig)
Memory = TypeVar("Memory")


class GradientUnlearner(Unlearner, Generic[Config, Memory]):
    """Works on the retained graph with every old row still in place; what left loses its row at the end.

    A subclass states its `objective` and, where it needs them, what to `prepare` (a frozen teacher, a Fisher
    diagonal), which `steps` a pass has and when a run is `settled`. What is prepared lives as long as the run.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.config = config

    def prepare(self, work: Work) -> Memory:  # noqa: ARG002
        """Whatever the objective needs besides the step; nothing unless overridden."""
        return cast("Memory", None)

    def steps(self, work: Work, memory: Memory, number: int) -> Iterator[Step]:  # noqa: ARG002
        """The steps of pass `number`, counted from 0; a pass over the forget set unless overridden."""
        return work.sampler.steps(number)

    def objective(self, work: Work, memory: Memory, step: Step) -> Tensor:
        """The loss of one step; a scalar whose descent forgets."""
        raise NotImplementedError

    def settled(self, work: Work, memory: Memory) -> str:  # noqa: ARG002
        """Asked before each pass and at the end: why to stop, or nothing to go on."""
        return ""

    def run(self, task: Task) -> Unlearned:
        """Passes of `objective` over the working copy, until they are done or it is settled."""
        self.check(task.parts)
        work = Work.of(task, self.config)
        stop, history = "nothing to train: no forgotten pair, no lost branch", list[dict[str, float]]()
        if work.sampler.any():
            stop = self._passes(work, history)
        return Unlearned(export(task, work.model), stop, history)

    def _passes(self, work: Work, history: list[dict[str, float]]) -> str:
        memory, epochs = self.prepare(work), self.config.epochs
        optimizer = adam(work.model, self.config.learning_rate)
        for number in range(epochs):
            if reason := self.settled(work, memory):
                return reason
            loss = one_pass(self.steps(work, memory, number), self._loss(work, memory, number), optimizer)
            history.append({"epoch": number + 1, "loss": loss})
            work.task.report(number + 1, epochs, f"loss {loss:.4f}")
        return self.settled(work, memory) or f"{epochs} passes"

    def _loss(self, work: Work, memory: Memory, number: int) -> Callable[[Step], Tensor]:
        """The objective of pass `number`, on graphs and with noise as in an epoch of training."""
        model, seed = work.model, work.task.seed.child(f"pass {number}")
        noise = seed.child("noise").torch(work.task.device)
        drawn = replace(work, served=model.epoch_inputs(work.served, seed.child("inputs").torch()))

        def loss_of(step: Step) -> Tensor:
            model.noise = noise
            try:
                return self.objective(drawn, memory, step)
            finally:
                model.noise = None

        return loss_of

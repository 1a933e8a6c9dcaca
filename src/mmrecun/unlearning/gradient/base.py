"""What every gradient method shares: a working copy, passes of optimiser steps over it, and the export at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar, cast

from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender, TripleVectors
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss
from mmrecun.unlearning.base import (
    Task,
    UnlearnConfig,
    Unlearner,
    UnlearnResult,
    padded_inputs,
    retained_inputs,
    retained_model,
    working_copy,
)
from mmrecun.unlearning.gradient.sampling import ForgetSampler, Step


class PassConfig(UnlearnConfig):
    """Settings of every method that takes optimiser steps."""

    epochs: PositiveInt = Field(default=3, description="passes at most")
    batch_size: PositiveInt = Field(
        default=2048, description="retained triples in a step, and forgotten triples at most"
    )
    learning_rate: PositiveFloat = Field(default=1e-3, description="learning rate of Adam")


class GradientConfig(PassConfig):
    """Settings of every method whose passes run over the forget set."""

    steps: PositiveInt = Field(
        default=15,
        description="steps in a pass over the forget set at least; a small forget set is cut into smaller batches",
    )


@dataclass(frozen=True)
class GradientRun:
    """What a run works with, in original rows.

    Attributes:
        task: as given.
        model: the copy whose parameters change.
        padded_inputs: the retained graph, with what was removed attached as newcomers.
        retained_inputs: the same without the removed features of retained items; what the new model will see.
        sampler: of the steps.
    """

    task: Task
    model: Recommender
    padded_inputs: GraphInputs
    retained_inputs: GraphInputs
    sampler: ForgetSampler

    @classmethod
    def of(cls, task: Task, config: PassConfig) -> Self:
        """Set up `task`."""
        steps = config.steps if isinstance(config, GradientConfig) else 1
        model, attached = working_copy(task), padded_inputs(task)
        served = retained_inputs(task) if task.partition.removed_features else attached
        return cls(task, model, attached, served, ForgetSampler(task, model, config.batch_size, steps))

    def forward(self, step: Step) -> tuple[TripleVectors, list[Tensor]]:
        """Return the retained triples' vectors, and the margins of what is forgotten.

        A forgotten pair is scored whole, a lost feature by its own branch; float32 [B] for each kind there is.
        """
        rows, size = self.model.batch_vectors(self.retained_inputs, step.retain.joined(step.forget)), len(step.retain)
        kept, forgotten = rows.take(slice(None, size)), rows.take(slice(size, None))
        margins = [forgotten.margins()] if len(step.forget) else []
        if step.branches:
            attached = self.model.vectors(self.padded_inputs)
            margins += [attached.branch_of_triples(name, triples).margins() for name, triples in step.branches.items()]
        return kept, margins

    def retain_loss(self, kept: TripleVectors) -> Tensor:
        """Return what training minimises, on retained triples; a scalar."""
        return training_loss(self.model, kept)


Memory = TypeVar("Memory")


class GradientUnlearner(Unlearner, Generic[Memory]):
    """Works on the retained graph with every old row still in place; what left loses its row at the end.

    A subclass states its `loss` and, where it needs them, what to `prepare` (a frozen teacher, a Fisher diagonal),
    which `steps` a pass has and a `stop_reason` to end early. What is prepared lives as long as the run.
    """

    Config = PassConfig
    config: PassConfig

    def prepare(self, run: GradientRun) -> Memory:  # noqa: ARG002
        """Whatever the objective needs besides the step; nothing unless overridden."""
        return cast("Memory", None)

    def steps(self, run: GradientRun, memory: Memory, number: int) -> Iterator[Step]:  # noqa: ARG002
        """Yield the steps of pass `number`, counted from 0; a pass over the forget set unless overridden."""
        return run.sampler.forget_pass(number)

    def loss(self, run: GradientRun, memory: Memory, step: Step) -> Tensor:
        """Return the loss of one step; a scalar whose descent forgets."""
        raise NotImplementedError

    def stop_reason(self, run: GradientRun, memory: Memory) -> str:  # noqa: ARG002
        """Asked before each pass and at the end: why to stop, or nothing to go on."""
        return ""

    def run(self, task: Task) -> UnlearnResult:
        """Make passes of `objective` over the working copy, until they are done or it is settled."""
        self.check(task.partition)
        run = GradientRun.of(task, self.config)
        stop, history = "nothing to train: no forgotten pair, no lost branch", list[dict[str, float]]()
        if run.sampler.any():
            stop = self._passes(run, history)
        return UnlearnResult(retained_model(task, run.model), stop, history)

    def _passes(self, run: GradientRun, history: list[dict[str, float]]) -> str:
        memory, epochs = self.prepare(run), self.config.epochs
        optimizer = adam(run.model, self.config.learning_rate)
        for number in range(epochs):
            if reason := self.stop_reason(run, memory):
                return reason
            loss = train_batches(self.steps(run, memory, number), self._loss(run, memory, number), optimizer)
            history.append({"epoch": number + 1, "loss": loss})
            run.task.progress(number + 1, epochs, f"loss {loss:.4f}")
        return self.stop_reason(run, memory) or f"{epochs} passes"

    def _loss(self, run: GradientRun, memory: Memory, number: int) -> Callable[[Step], Tensor]:
        """Return the objective of pass `number`, on graphs and with noise as in an epoch of training."""
        model, seed = run.model, run.task.seed.child(f"pass {number}")
        noise = seed.child("noise").torch(run.task.device)
        drawn = replace(run, retained_inputs=model.epoch_inputs(run.retained_inputs, seed.child("inputs").torch()))

        def loss_of(step: Step) -> Tensor:
            model.dropout_rng = noise
            try:
                return self.loss(drawn, memory, step)
            finally:
                model.dropout_rng = None

        return loss_of

"""Base of gradient methods: a working copy, passes of optimiser steps over it, and the export at the end."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.forget import views
from mmrecun.models.base import TripleVectors
from mmrecun.text import passes
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, retained_model, working_copy
from mmrecun.unlearning.gradient.sampling import ForgetSampler, Step, anything_to_push


class PassConfig(UnlearnConfig):
    """Settings of every method that takes optimiser steps."""

    epochs: PositiveInt = Field(default=3, description="passes at most")
    batch_size: PositiveInt = Field(
        default=2048, description="retained triples in a step, and forgotten triples at most"
    )
    learning_rate: PositiveFloat = Field(default=1e-3, description="learning rate of Adam")

    @property
    def min_steps(self) -> int:
        """How many steps a pass over the forget set has at least."""
        return 1


class GradientConfig(PassConfig):
    """Settings of every method whose passes run over the forget set."""

    steps: PositiveInt = Field(
        default=15,
        description="steps in a pass over the forget set at least; a small forget set is cut into smaller batches",
    )

    @property
    def min_steps(self) -> int:
        """How many steps a pass over the forget set has at least."""
        return self.steps


class GradientRun:
    """A run over a working copy of the model, in original rows.

    Removed users and items keep their rows, without an interaction, until the end of the run. A subclass defines its
    `loss` and, where needed, prepares a frozen teacher or a Fisher diagonal when it is made, and overrides `steps` of a
    pass and a `stop_reason` to end early.

    Args:
        task: the input of the method.
        config: settings of the method.

    Attributes:
        model: the copy whose parameters change.
        padded_inputs: the retained graph, with removed users, items and features attached as new ones.
        inputs: the same without the removed features of retained items, as the new model will see it; in a pass as an
            epoch of training draws it.
        sampler: sampler of the steps.
    """

    config: PassConfig

    def __init__(self, task: Task, config: PassConfig) -> None:
        self.task, self.config, self.model = task, config, working_copy(task)
        self.padded_inputs = task.inputs(views.padded)
        self.inputs = self.padded_inputs
        if task.partition.removed_features:
            self.inputs = task.inputs(views.padded_without_features)
        self.sampler = ForgetSampler(task, config.batch_size, config.min_steps)

    def steps(self, number: int) -> Iterator[Step]:
        """Yield the steps of pass `number`, counted from 0; a pass over the forget set unless overridden."""
        return self.sampler.forget_pass(number)

    def loss(self, step: Step) -> Tensor:
        """Return the loss of one step; a scalar whose descent forgets."""
        raise NotImplementedError

    def stop_reason(self) -> str:
        """Return why to stop, or "" to go on; called before each pass and at the end."""
        return ""

    def forward(self, step: Step) -> tuple[TripleVectors, list[Tensor]]:
        """Return the retained triples' vectors, and the margins of what is forgotten.

        A forgotten pair is scored whole, a lost feature by its own branch; float32 [B] for each kind there is.
        """
        rows, size = self.model.batch_vectors(self.inputs, step.retain.joined(step.forget)), len(step.retain)
        kept, forgotten = rows.take(slice(None, size)), rows.take(slice(size, None))
        margins = [forgotten.margins()] if len(step.forget) else []
        if step.branches:
            padded = self.model.vectors(self.padded_inputs)
            margins += [padded.branch_of_triples(name, triples).margins() for name, triples in step.branches.items()]
        return kept, margins

    def retain_loss(self, kept: TripleVectors) -> Tensor:
        """Return what training minimises, on retained triples; a scalar."""
        return training_loss(self.model, kept)

    def passes(self) -> tuple[str, list[dict[str, float]]]:
        """Take the steps of all passes, until they are done or there is a reason to stop; returns it and the losses."""
        epochs, history = self.config.epochs, list[dict[str, float]]()
        optimizer = adam(self.model, self.config.learning_rate)
        for number in range(epochs):
            if reason := self.stop_reason():
                return reason, history
            loss = self._pass(number, optimizer)
            history.append({"epoch": number + 1, "loss": loss})
            self.task.progress(number + 1, epochs, f"loss {loss:.4f}")
        return self.stop_reason() or passes(epochs), history

    def _pass(self, number: int, optimizer: torch.optim.Optimizer) -> float:
        """Take the steps of one pass, on graphs and with noise as in an epoch of training; returns the mean loss."""
        seed, whole = self.task.seed.child(f"pass {number}"), self.inputs
        self.inputs = self.model.epoch_inputs(whole, seed.child("inputs").torch())
        try:
            return train_batches(
                self.steps(number), self._loss_with(seed.child("noise").torch(self.task.device)), optimizer
            )
        finally:
            self.inputs = whole

    def _loss_with(self, noise: torch.Generator) -> Callable[[Step], Tensor]:
        """Return `loss` with dropout by `noise`; steps are drawn, and reasons to stop sought, without it."""

        def loss(step: Step) -> Tensor:
            self.model.dropout_rng = noise
            try:
                return self.loss(step)
            finally:
                self.model.dropout_rng = None

        return loss


class GradientUnlearner(Unlearner):
    """A method that takes optimiser steps; a subclass states its settings and the `Run` that takes them."""

    Config = PassConfig
    config: PassConfig
    Run: ClassVar[type[GradientRun]]

    def run(self, task: Task) -> UnlearnResult:
        """Make the passes over a working copy; removed users and items lose their rows at the end."""
        self.check(task.partition)
        if not anything_to_push(task):
            stop = "nothing to train: no forgotten pair, no lost branch"
            return UnlearnResult(retained_model(task, working_copy(task)), stop, [])
        run = self.Run(task, self.config)
        stop, history = run.passes()
        return UnlearnResult(retained_model(task, run.model), stop, history)

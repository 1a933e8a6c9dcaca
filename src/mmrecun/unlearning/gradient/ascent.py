"""Gradient ascent: the loss of forgotten pairs is raised until they stand no higher than pairs nobody learned."""

from collections.abc import Iterator

import torch
from pydantic import PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.gradient.stopping import StoppingCriterion


class AscentConfig(GradientConfig):
    """Settings of gradient ascent.

    Attributes:
        epochs: passes over the forget set, at most.
    """

    epochs: PositiveInt = 10


class AscentRun(GradientRun):
    """Nothing holds the rest, and the objective has no bound: the level is read before every step and ends the run."""

    def __init__(self, task: Task, config: AscentConfig) -> None:
        super().__init__(task, config)
        self.stopping = StoppingCriterion(task, self.model, self.padded_inputs, self.sampler)

    def steps(self, number: int) -> Iterator[Step]:
        """Yield a pass over the forget set that ends where the level is reached."""
        for step in self.sampler.forget_only(number):
            if self.stopping.excess() <= 0:
                return
            yield step

    def loss(self, step: Step) -> Tensor:
        """Minus the BPR loss of the forgotten triples; a scalar."""
        margins = self.forward(step)[1]
        return torch.stack([reverse_bpr(x, Reverse.NEGATED) for x in margins]).sum()

    def stop_reason(self) -> str:
        """Once the level is reached."""
        reached = self.stopping.excess() <= 0
        return "forgotten pairs have come down to the level of held-out pairs" if reached else ""


class Ascent(GradientUnlearner):
    """Raises the loss of what is forgotten."""

    Config = AscentConfig
    Run = AscentRun

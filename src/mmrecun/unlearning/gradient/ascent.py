"""Gradient ascent: raise the loss of forgotten pairs until they score no higher than held-out pairs."""

from collections.abc import Iterator

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.gradient.stopping import StoppingCriterion


class AscentConfig(GradientConfig):
    """Settings of gradient ascent."""

    epochs: PositiveInt = Field(default=10, description="passes over the forget set at most")


class AscentRun(GradientRun):
    """Nothing holds the retained pairs, and the loss has no bound, so the criterion is read before every step."""

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
        """Compute minus the BPR loss of the forgotten triples; a scalar."""
        margins = self.forward(step)[1]
        return torch.stack([reverse_bpr(x, Reverse.NEGATED) for x in margins]).sum()

    def stop_reason(self) -> str:
        """Stop once the level is reached."""
        reached = self.stopping.excess() <= 0
        return "forgotten pairs have come down to the level of held-out pairs" if reached else ""


class Ascent(GradientUnlearner):
    """Raises the loss of forgotten pairs."""

    Config = AscentConfig
    Run = AscentRun
    summary = "raises the loss of forgotten pairs until they score like held-out ones"

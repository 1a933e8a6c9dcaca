"""Gradient ascent: raise the loss of forgotten pairs until they score no higher than held-out pairs."""

from collections.abc import Iterator

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.gradient.stopping import StoppingCriterion


class AscentConfig(GradientConfig):
    """Settings of gradient ascent."""

    epochs: PositiveInt = Field(default=10, description="passes over the forget set at most")


class Ascent(GradientUnlearner[StoppingCriterion]):
    """Nothing holds the retained pairs, and the loss has no bound, so the criterion is read before every step."""

    Config = AscentConfig
    summary = "raises the loss of forgotten pairs until they score like held-out ones"
    config: AscentConfig

    def prepare(self, run: GradientRun) -> StoppingCriterion:
        """Return the level to stop at."""
        return StoppingCriterion(run)

    def steps(self, run: GradientRun, memory: StoppingCriterion, number: int) -> Iterator[Step]:
        """Yield a pass over the forget set that ends where the level is reached."""
        for step in run.sampler.forget_only(number):
            if memory.excess() <= 0:
                return
            yield step

    def loss(self, run: GradientRun, memory: StoppingCriterion, step: Step) -> Tensor:  # noqa: ARG002
        """Minus the BPR loss of the forgotten triples; a scalar."""
        margins = run.forward(step)[1]
        return torch.stack([reverse_bpr(x, Reverse.NEGATED) for x in margins]).sum()

    def stop_reason(self, run: GradientRun, memory: StoppingCriterion) -> str:  # noqa: ARG002
        """Once the level is reached."""
        return "forgotten pairs have come down to the level of held-out pairs" if memory.excess() <= 0 else ""

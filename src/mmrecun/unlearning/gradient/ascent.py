"""Gradient ascent: the loss of forgotten pairs is raised until they stand no higher than pairs nobody learned."""

from collections.abc import Iterator

import torch
from pydantic import PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.gradient.base import GradientConfig, GradientUnlearner, Work
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.gradient.stopping import Gauge


class AscentConfig(GradientConfig):
    """Settings of gradient ascent.

    Attributes:
        epochs: passes over the forget set, at most.
    """

    epochs: PositiveInt = 10


class Ascent(GradientUnlearner[AscentConfig, Gauge]):
    """Nothing holds the rest, and the objective has no bound: the gauge is read before every step and ends the run."""

    Config = AscentConfig

    def prepare(self, work: Work) -> Gauge:
        """The level to stop at."""
        return Gauge(work)

    def steps(self, work: Work, memory: Gauge, number: int) -> Iterator[Step]:
        """A pass over the forget set that ends where the level is reached."""
        for step in work.sampler.forgotten(number):
            if memory.excess() <= 0:
                return
            yield step

    def objective(self, work: Work, memory: Gauge, step: Step) -> Tensor:  # noqa: ARG002
        """Minus the BPR loss of the forgotten triples; a scalar."""
        margins = work.look(step)[1]
        return torch.stack([reverse_bpr(x, Reverse.NEGATED) for x in margins]).sum()

    def settled(self, work: Work, memory: Gauge) -> str:  # noqa: ARG002
        """Once the level is reached."""
        return "forgotten pairs have come down to the level of held-out pairs" if memory.excess() <= 0 else ""

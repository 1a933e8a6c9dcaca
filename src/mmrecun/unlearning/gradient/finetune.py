"""Fine-tuning: training goes on with the retained data alone; forgotten preferences fade by drift."""

from collections.abc import Iterator

from pydantic import PositiveInt
from torch import Tensor

from mmrecun.unlearning.gradient.base import GradientRun, GradientUnlearner, PassConfig
from mmrecun.unlearning.gradient.sampling import Step


class FinetuneConfig(PassConfig):
    """Settings of fine-tuning.

    Attributes:
        epochs: passes over the retain set.
    """

    epochs: PositiveInt = 10


class FinetuneRun(GradientRun):
    """The original objective, as if the forgotten pairs had never been: they may be drawn as negatives, like any other.

    Rows that no retained pair reaches do not move; those of removed users and items leave with them.
    """

    def steps(self, number: int) -> Iterator[Step]:
        """Yield a pass over the retain set."""
        return self.sampler.retain_only_new_negatives(number)

    def loss(self, step: Step) -> Tensor:
        """Return what training minimises, on retained triples; a scalar."""
        return self.retain_loss(self.forward(step)[0])


class Finetune(GradientUnlearner):
    """Goes on with training."""

    Config = FinetuneConfig
    Run = FinetuneRun

"""Fine-tuning: training continues on the retained data alone; forgotten preferences fade by drift."""

from collections.abc import Iterator

from pydantic import Field, PositiveInt
from torch import Tensor

from mmrecun.unlearning.gradient.base import GradientRun, GradientUnlearner, PassConfig
from mmrecun.unlearning.gradient.sampling import Step


class FinetuneConfig(PassConfig):
    """Settings of fine-tuning."""

    epochs: PositiveInt = Field(default=10, description="passes over the retain set")


class FinetuneRun(GradientRun):
    """Minimises the original objective on the retained data. Forgotten pairs may be drawn as negatives, like any other.

    Rows that no retained pair reaches do not move; those of removed users and items leave with them.
    """

    def steps(self, number: int) -> Iterator[Step]:
        """Yield a pass over the retain set."""
        return self.sampler.retain_only_new_negatives(number)

    def loss(self, step: Step) -> Tensor:
        """Return what training minimises, on retained triples; a scalar."""
        return self.retain_loss(self.forward(step)[0])


class Finetune(GradientUnlearner):
    """Continues training on the retained data."""

    Config = FinetuneConfig
    Run = FinetuneRun
    summary = "continues training on the retained data"

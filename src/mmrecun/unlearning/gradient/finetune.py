"""Fine-tuning: training continues on the retained data alone; forgotten preferences fade by drift."""

from collections.abc import Iterator

from pydantic import Field, PositiveInt
from torch import Tensor

from mmrecun.unlearning.gradient.base import GradientRun, GradientUnlearner, PassConfig
from mmrecun.unlearning.gradient.sampling import Step


class FinetuneConfig(PassConfig):
    """Settings of fine-tuning."""

    epochs: PositiveInt = Field(default=10, description="passes over the retain set")


class Finetune(GradientUnlearner[None]):
    """Minimises the original objective on the retained data. Forgotten pairs may be drawn as negatives, like any other.

    Rows that no retained pair reaches do not move; those of removed users and items leave with them.
    """

    Config = FinetuneConfig
    summary = "continues training on the retained data"
    config: FinetuneConfig

    def steps(self, run: GradientRun, memory: None, number: int) -> Iterator[Step]:  # noqa: ARG002
        """Yield a pass over the retain set."""
        return run.sampler.retain_only_new_negatives(number)

    def loss(self, run: GradientRun, memory: None, step: Step) -> Tensor:  # noqa: ARG002
        """Return what training minimises, on retained triples; a scalar."""
        return run.retain_loss(run.forward(step)[0])

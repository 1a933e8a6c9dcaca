"""Fine-tuning: training goes on with the retained data alone; forgotten preferences fade by drift."""

from collections.abc import Iterator

from pydantic import PositiveInt
from torch import Tensor

from mmrecun.unlearning.gradient.base import GradientUnlearner, PassConfig, Work
from mmrecun.unlearning.gradient.sampling import Step


class FinetuneConfig(PassConfig):
    """Settings of fine-tuning.

    Attributes:
        epochs: passes over the retain set.
    """

    epochs: PositiveInt = 10


class Finetune(GradientUnlearner[FinetuneConfig, None]):
    """The original objective, as if the forgotten pairs had never been: they may be drawn as negatives, like any other.

    Rows that no retained pair reaches do not move; those of removed users and items leave with them.
    """

    Config = FinetuneConfig

    def steps(self, work: Work, memory: None, number: int) -> Iterator[Step]:  # noqa: ARG002
        """A pass over the retain set."""
        return work.sampler.unaware(number)

    def objective(self, work: Work, memory: None, step: Step) -> Tensor:  # noqa: ARG002
        """What training minimises, on retained triples; a scalar."""
        return work.retain_loss(work.look(step)[0])

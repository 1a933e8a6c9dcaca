"""NegGrad+: descent on retained pairs and ascent on forgotten ones in the same step (Kurmanji et al., NeurIPS 2023)."""

from collections.abc import Iterator

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.gradient.base import GradientUnlearner, PassConfig, Work
from mmrecun.unlearning.gradient.sampling import Step


class NegGradConfig(PassConfig):
    """Settings of NegGrad+.

    Attributes:
        epochs: passes over the retain set; forgotten triples come round as often as needed.
        alpha: share of the retain term; the forget term has the rest.
        pull: weight of half the squared distance from the trained parameters.
    """

    epochs: PositiveInt = 5
    alpha: float = Field(default=0.95, gt=0, lt=1)
    pull: NonNegativeFloat = 0.0


class NegGrad(GradientUnlearner[NegGradConfig, list[Tensor]]):
    """Remembers the trained parameters, to be able to pull towards them."""

    Config = NegGradConfig

    def prepare(self, work: Work) -> list[Tensor]:
        """The trained parameters, where they are needed."""
        return [parameter.detach().clone() for parameter in work.model.parameters()] if self.config.pull else []

    def steps(self, work: Work, memory: list[Tensor], number: int) -> Iterator[Step]:  # noqa: ARG002
        """A pass over the retain set with forgotten triples beside."""
        return work.sampler.paired(number)

    def objective(self, work: Work, memory: list[Tensor], step: Step) -> Tensor:
        """Alpha * (training loss of retained triples + pull) - (1 - alpha) * BPR of forgotten triples; a scalar."""
        kept, forgotten = work.look(step)
        ascent = torch.stack([reverse_bpr(margins, Reverse.NEGATED) for margins in forgotten]).sum()
        return (
            self.config.alpha * (work.retain_loss(kept) + self._pull(work, memory)) + (1 - self.config.alpha) * ascent
        )

    def _pull(self, work: Work, start: list[Tensor]) -> Tensor:
        zero = torch.zeros((), device=work.task.device)
        distances = ((now - then).square().sum() for now, then in zip(work.model.parameters(), start, strict=False))
        return self.config.pull / 2 * sum(distances, start=zero)

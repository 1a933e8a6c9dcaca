"""NegGrad+: descent on retained pairs and ascent on forgotten ones in the same step (Kurmanji et al., NeurIPS 2023)."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.gradient.base import GradientRun, GradientUnlearner, PassConfig
from mmrecun.unlearning.gradient.sampling import Step


class NegGradConfig(PassConfig):
    """Settings of NegGrad+."""

    renamed: ClassVar[Mapping[str, str]] = {"pull": "stay_weight"}
    epochs: PositiveInt = Field(
        default=5, description="passes over the retain set; forgotten triples are repeated as often as needed"
    )
    alpha: float = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="weight of the retain term; the forget term has 1 - alpha; 0.95 as in the authors' small runs",
    )
    stay_weight: NonNegativeFloat = Field(
        default=0.0,
        description="weight of staying close to the trained parameters: half the squared distance from them",
    )


class NegGrad(GradientUnlearner[list[Tensor]]):
    """Keeps the trained parameters if it has to stay close to them."""

    Config = NegGradConfig
    summary = "NegGrad+: descent on retained and ascent on forgotten pairs in one step"
    source = "Kurmanji et al., NeurIPS 2023"
    config: NegGradConfig

    def prepare(self, run: GradientRun) -> list[Tensor]:
        """Return the trained parameters, where they are needed."""
        return [parameter.detach().clone() for parameter in run.model.parameters()] if self.config.stay_weight else []

    def steps(self, run: GradientRun, memory: list[Tensor], number: int) -> Iterator[Step]:  # noqa: ARG002
        """Yield a pass over the retain set with forgotten triples beside."""
        return run.sampler.retain_pass(number)

    def loss(self, run: GradientRun, memory: list[Tensor], step: Step) -> Tensor:
        """Alpha * (training loss of retained triples + pull) - (1 - alpha) * BPR of forgotten triples; a scalar."""
        kept, forgotten = run.forward(step)
        ascent = torch.stack([reverse_bpr(margins, Reverse.NEGATED) for margins in forgotten]).sum()
        return self.config.alpha * (run.retain_loss(kept) + self._pull(run, memory)) + (1 - self.config.alpha) * ascent

    def _pull(self, run: GradientRun, start: list[Tensor]) -> Tensor:
        zero = torch.zeros((), device=run.task.device)
        distances = ((now - then).square().sum() for now, then in zip(run.model.parameters(), start, strict=False))
        return self.config.stay_weight / 2 * sum(distances, start=zero)

"""NegGrad+: descent on retained pairs and ascent on forgotten ones in the same step (Kurmanji et al., NeurIPS 2023)."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.base import Task
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


class NegGradRun(GradientRun):
    """Keeps the trained parameters if it has to stay close to them."""

    config: NegGradConfig

    def __init__(self, task: Task, config: NegGradConfig) -> None:
        super().__init__(task, config)
        self.start = [parameter.detach().clone() for parameter in self.model.parameters()] if config.stay_weight else []

    def steps(self, number: int) -> Iterator[Step]:
        """Yield a pass over the retain set, with forgotten triples in each step."""
        return self.sampler.retain_pass(number)

    def loss(self, step: Step) -> Tensor:
        """Compute alpha * (retained training loss + pull) - (1 - alpha) * BPR of forgotten triples; a scalar."""
        kept, forgotten = self.forward(step)
        ascent = torch.stack([reverse_bpr(margins, Reverse.NEGATED) for margins in forgotten]).sum()
        alpha = self.config.alpha
        return alpha * (self.retain_loss(kept) + self._pull()) + (1 - alpha) * ascent

    def _pull(self) -> Tensor:
        zero = torch.zeros((), device=self.task.device)
        distances = (
            (now - then).square().sum() for now, then in zip(self.model.parameters(), self.start, strict=False)
        )
        return self.config.stay_weight / 2 * sum(distances, start=zero)


class NegGrad(GradientUnlearner):
    """Descends on retained pairs and ascends on forgotten ones."""

    Config = NegGradConfig
    Run = NegGradRun
    summary = "NegGrad+: descent on retained and ascent on forgotten pairs in one step"
    source = "Kurmanji et al., NeurIPS 2023"

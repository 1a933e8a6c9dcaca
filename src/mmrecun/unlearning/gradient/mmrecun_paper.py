"""MMRecUn as published: reverse BPR pushes forgotten preferences down while BPR holds the rest (AAAI 2025).

Sinha, Mandal and Kankanhalli (arXiv 2405.15328) give no loss equation in the published text; the weighting, both
readings of "reverse" and the branch form for modality requests are this implementation's reading of it.
"""

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from mmrecun.training.losses import Reverse, reverse_bpr
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.sampling import Step


class MMRecUnPaperConfig(GradientConfig):
    """Settings of MMRecUn as published."""

    epochs: PositiveInt = Field(default=3, description="passes over the forget set")
    forget_weight: float = Field(
        default=0.5, gt=0, lt=1, description="weight of the forget term (w); the retain term has 1 - w"
    )
    form: Reverse = Field(
        default=Reverse.SWAPPED,
        description=(
            'what "reverse" means: swapped exchanges positive and negative and ends by itself; negated turns the '
            "sign of BPR and has no bound"
        ),
    )


class MMRecUnPaperRun(GradientRun):
    """A few passes of the joint objective over the forget set."""

    config: MMRecUnPaperConfig

    def loss(self, step: Step) -> Tensor:
        """Compute (1 - w) * (BPR + the model's own losses), retained, + w * reverse BPR, forgotten; a scalar.

        A forgotten pair is scored whole; a lost feature is scored by its own branch.
        """
        kept, forgotten = self.forward(step)
        zero = torch.zeros((), device=kept.users.device)
        reverse = sum((reverse_bpr(margins, self.config.form) for margins in forgotten), start=zero)
        weight = self.config.forget_weight
        return (1 - weight) * self.retain_loss(kept) + weight * reverse


class MMRecUnPaper(GradientUnlearner):
    """Pushes forgotten preferences down while the rest is held."""

    Config = MMRecUnPaperConfig
    Run = MMRecUnPaperRun
    summary = "reverse BPR on forgotten triples beside training on retained ones"
    source = "Sinha et al., AAAI 2025, arXiv 2405.15328"

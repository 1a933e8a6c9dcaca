"""RRL: reverse learning, weighted by rank, with protection of what retained pairs rely on (You et al., AAAI 2024).

Rank weight and penalty weight are not published in full; both are this implementation's reading.
"""

from collections.abc import Mapping
from itertools import islice
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import logsigmoid

from mmrecun.forget.request import Target
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.candidate_lists import CandidateSampler, list_scores, share_above
from mmrecun.unlearning.gradient.sampling import Step


class RRLConfig(GradientConfig):
    """Settings of RRL."""

    renamed: ClassVar[Mapping[str, str]] = {"anchor": "stay_weight"}
    epochs: PositiveInt = Field(default=5, description="passes over the forget set")
    stay_weight: NonNegativeFloat = Field(
        default=1e-3,
        description="weight of staying close to the trained parameters, in squares weighted by Fisher information",
    )
    fisher_batches: PositiveInt = Field(
        default=16, description="retained batches from which the Fisher information is estimated"
    )
    candidates: PositiveInt = Field(default=200, description="items drawn to estimate the rank of a pair")


class RRLRun(GradientRun):
    """Trains on forgotten pairs alone; the Fisher-weighted penalty stands for the retained ones.

    Attributes:
        candidates: draws the items to compare ranks with.
        start: the trained parameters.
        fisher: how much retained pairs rely on each of them.
    """

    config: RRLConfig

    def __init__(self, task: Task, config: RRLConfig) -> None:
        super().__init__(task, config)
        rng = task.seed.child("candidates").torch()
        self.candidates = CandidateSampler(task.partition.item_rows, config.candidates, rng, task.device)
        self.start = [parameter.detach().clone() for parameter in self.model.parameters()]
        self.fisher = fisher_diagonal(self, config.fisher_batches)

    def loss(self, step: Step) -> Tensor:
        """Compute rank-weighted swapped BPR of forgotten triples + stay_weight * sum F (theta - theta_0)^2."""
        vectors = self.model.vectors(self.inputs)
        triples = step.forget
        above = share_above(list_scores(vectors.sides, triples.users, triples.positives, self.candidates()))
        reverse = ranked_reverse(vectors.of_triples(triples).margins(), above, len(self.task.partition.item_rows))
        moved = zip(self.fisher, self.model.parameters(), self.start, strict=True)
        zero = torch.zeros((), device=self.task.device)
        drift = sum(((fisher * (now - then).square()).sum() for fisher, now, then in moved), start=zero)
        return reverse + self.config.stay_weight * drift


class RRL(GradientUnlearner):
    """Learns forgotten pairs in reverse."""

    Config = RRLConfig
    Run = RRLRun
    summary = "rank-weighted reverse BPR, with a Fisher-weighted penalty on moving away"
    source = "You et al., AAAI 2024"
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})


def ranked_reverse(margins: Tensor, above: Tensor, items: int) -> Tensor:
    """Compute the mean of -ln sigmoid(-x) / log2(2 + share above * (I - 1)), in which top pairs count most; a scalar.

    Descent lowers margins; the weight is a constant to it.

    Args:
        margins: float32 [B], x.
        above: float32 [B], share of all items ranked above the pair.
        items: I.
    """
    weight = 1 / torch.log2(2 + above.detach() * (items - 1))
    return -(weight * logsigmoid(-margins)).mean()


def fisher_diagonal(run: GradientRun, batches: int) -> list[Tensor]:
    """Compute the mean squared gradient of the training loss over retained batches, scaled to mean one.

    One tensor a parameter, of its shape; zero where no retained triple depends on it.
    """
    parameters = list(run.model.parameters())
    totals = [torch.zeros_like(parameter) for parameter in parameters]
    for step in islice(run.sampler.retain_only(0), batches):
        loss = run.retain_loss(run.forward(step)[0])
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for total, gradient in zip(totals, gradients, strict=True):
            if gradient is not None:
                total.add_(gradient.square())
    mean = sum(float(total.sum()) for total in totals) / sum(total.numel() for total in totals)
    return [total / max(mean, 1e-30) for total in totals]

"""RRL: reverse learning, weighted by rank, with protection of what retained pairs rely on (You et al., AAAI 2024).

Rank weight and penalty weight are not published in full; both are this implementation's reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import logsigmoid

from mmrecun.forget.request import Target
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


@dataclass(frozen=True)
class TrainedState:
    """The trained parameters, how much retained pairs rely on each, and the items to compare ranks with."""

    start: list[Tensor]
    fisher: list[Tensor]
    candidates: CandidateSampler


class RRL(GradientUnlearner[TrainedState]):
    """Trains on forgotten pairs alone; the Fisher-weighted penalty stands for the retained ones."""

    Config = RRLConfig
    summary = "rank-weighted reverse BPR, with a Fisher-weighted penalty on moving away"
    source = "You et al., AAAI 2024"
    config: RRLConfig
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})

    def prepare(self, run: GradientRun) -> TrainedState:
        """Where the parameters are now, and the Fisher diagonal."""
        rng = run.task.seed.child("candidates").torch()
        candidates = CandidateSampler(run.task.partition.item_rows, self.config.candidates, rng, run.task.device)
        start = [parameter.detach().clone() for parameter in run.model.parameters()]
        return TrainedState(start, fisher_diagonal(run, self.config.fisher_batches), candidates)

    def loss(self, run: GradientRun, memory: TrainedState, step: Step) -> Tensor:
        """Rank-weighted swapped BPR of forgotten triples + anchor * sum F (theta - theta_0)^2; a scalar."""
        vectors = run.model.vectors(run.retained_inputs)
        triples, pair = step.forget, (vectors.users, vectors.items)
        scores = list_scores(pair, triples.users, triples.positives, memory.candidates())
        reverse = ranked_reverse(
            vectors.of_triples(triples).margins(), share_above(scores), len(run.task.partition.item_rows)
        )
        moved = zip(memory.fisher, run.model.parameters(), memory.start, strict=True)
        zero = torch.zeros((), device=run.task.device)
        drift = sum(((fisher * (now - then).square()).sum() for fisher, now, then in moved), start=zero)
        return reverse + self.config.stay_weight * drift


def ranked_reverse(margins: Tensor, above: Tensor, items: int) -> Tensor:
    """Mean of -ln sigmoid(-x) / log2(2 + share above * (I - 1)): a pair at the top of the list counts most; a scalar.

    Descent lowers margins; the weight is a constant to it.

    Args:
        margins: float32 [B], x.
        above: float32 [B], share of all items ranked above the pair.
        items: I.
    """
    weight = 1 / torch.log2(2 + above.detach() * (items - 1))
    return -(weight * logsigmoid(-margins)).mean()


def fisher_diagonal(run: GradientRun, batches: int) -> list[Tensor]:
    """Mean squared gradient of the training loss over retained batches, scaled to mean one over all parameters.

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

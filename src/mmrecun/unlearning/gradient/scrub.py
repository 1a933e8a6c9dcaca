"""SCRUB: a student leaves the trained model on forgotten pairs and follows it elsewhere (Kurmanji et al., 2023).

The published form is for classifiers. Here a user's classes are one positive item and items drawn for comparison.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.forget import views
from mmrecun.models.base import UserItemVectors
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientRun, GradientUnlearner, PassConfig
from mmrecun.unlearning.gradient.candidate_lists import CandidateSampler, divergence, list_scores
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.gradient.stopping import StoppingCriterion


class ScrubConfig(PassConfig):
    """Settings of SCRUB."""

    renamed: ClassVar[Mapping[str, str]] = {"obey": "stay_weight"}
    epochs: PositiveInt = Field(default=5, description="passes over the retain set")
    max_epochs: PositiveInt = Field(
        default=2,
        description="initial passes that begin with the forgotten triples, to move away from the trained model",
    )
    task: NonNegativeFloat = Field(default=1.0, description="weight of the training loss of retained pairs (gamma)")
    stay_weight: NonNegativeFloat = Field(
        default=0.5,
        description="weight of staying close to the trained model on retained pairs: the KL divergence (alpha)",
    )
    temperature: PositiveFloat = Field(default=2.0, description="temperature of the softmax over a user's candidates")
    candidates: PositiveInt = Field(
        default=200, description="retained items drawn in each step, beside the positive one"
    )


class ScrubRun(GradientRun):
    """Moves away from the teacher until forgotten pairs are at the level of held-out ones.

    Attributes:
        teacher: the trained model's vectors on the original graph.
        candidates: draws the candidate items.
        stopping: when to stop moving away.
    """

    config: ScrubConfig

    def __init__(self, task: Task, config: ScrubConfig) -> None:
        super().__init__(task, config)
        with torch.no_grad():
            self.teacher = task.model.vectors(task.inputs(views.original))
        rng = task.seed.child("candidates").torch()
        self.candidates = CandidateSampler(task.partition.item_rows, config.candidates, rng, task.device)
        self.stopping = StoppingCriterion(task, self.model, self.padded_inputs, self.sampler)

    def steps(self, number: int) -> Iterator[Step]:
        """Yield forgotten triples while it moves away, then a pass over the retain set."""
        if number < self.config.max_epochs:
            for step in self.sampler.forget_only(number):
                if self.stopping.excess() <= 0:
                    break
                yield step
        yield from self.sampler.retain_only(number)

    def loss(self, step: Step) -> Tensor:
        """Compute minus the divergence of forgotten triples, or task + stay_weight * that of retained ones."""
        others = self.candidates()
        if len(step.retain):
            vectors = self.model.vectors(self.inputs)
            apart = self._apart(self.teacher.sides, vectors.sides, step.retain, others)
            return (
                self.config.task * self.retain_loss(vectors.of_triples(step.retain)) + self.config.stay_weight * apart
            )
        vectors = self.model.vectors(self.padded_inputs)
        away = [self._apart(self.teacher.sides, vectors.sides, step.forget, others)] if len(step.forget) else []
        away += [
            self._apart(self.teacher.branches[name], vectors.branches[name], triples, others)
            for name, triples in step.branches.items()
        ]
        return -torch.stack(away).sum()

    def _apart(self, teacher: UserItemVectors, student: UserItemVectors, triples: Triples, others: Tensor) -> Tensor:
        known, guessed = (list_scores(pair, triples.users, triples.positives, others) for pair in (teacher, student))
        return divergence(known, guessed, self.config.temperature)


class Scrub(GradientUnlearner):
    """Moves away from the trained model on forgotten pairs, and follows it elsewhere."""

    Config = ScrubConfig
    Run = ScrubRun
    summary = "trains a student that moves away from the trained model on forgotten pairs and follows it elsewhere"
    source = "Kurmanji et al., NeurIPS 2023"

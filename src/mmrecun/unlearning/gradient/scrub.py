"""SCRUB: a student leaves the trained model on forgotten pairs and follows it elsewhere (Kurmanji et al., 2023).

The published form is for classifiers. Here a user's classes are one positive item and items drawn for comparison.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.models.base import UserItemVectors, Vectors
from mmrecun.unlearning.base import original_inputs
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


@dataclass(frozen=True)
class Teacher:
    """The trained model on the original graph, the candidate items, and when to stop moving away."""

    vectors: Vectors
    candidates: CandidateSampler
    stopping: StoppingCriterion


class Scrub(GradientUnlearner[Teacher]):
    """Moves away from the teacher until forgotten pairs are at the level of held-out ones."""

    Config = ScrubConfig
    summary = "trains a student that moves away from the trained model on forgotten pairs and follows it elsewhere"
    source = "Kurmanji et al., NeurIPS 2023"
    config: ScrubConfig

    def prepare(self, run: GradientRun) -> Teacher:
        """Return the trained model's vectors, frozen."""
        with torch.no_grad():
            vectors = run.task.model.vectors(original_inputs(run.task))
        rng = run.task.seed.child("candidates").torch()
        candidates = CandidateSampler(run.task.partition.item_rows, self.config.candidates, rng, run.task.device)
        return Teacher(vectors, candidates, StoppingCriterion(run))

    def steps(self, run: GradientRun, memory: Teacher, number: int) -> Iterator[Step]:
        """Forgotten triples while it disobeys, then a pass over the retain set."""
        if number < self.config.max_epochs:
            for step in run.sampler.forget_only(number):
                if memory.stopping.excess() <= 0:
                    break
                yield step
        yield from run.sampler.retain_only(number)

    def loss(self, run: GradientRun, memory: Teacher, step: Step) -> Tensor:
        """Minus the divergence of forgotten triples, or task + obey * divergence of retained ones; a scalar."""
        others = memory.candidates()
        if len(step.retain):
            vectors = run.model.vectors(run.retained_inputs)
            apart = self._apart(_whole(memory.vectors), _whole(vectors), step.retain, others)
            return self.config.task * run.retain_loss(vectors.of_triples(step.retain)) + self.config.stay_weight * apart
        vectors = run.model.vectors(run.padded_inputs)
        away = [self._apart(_whole(memory.vectors), _whole(vectors), step.forget, others)] if len(step.forget) else []
        away += [
            self._apart(memory.vectors.branches[name], vectors.branches[name], triples, others)
            for name, triples in step.branches.items()
        ]
        return -torch.stack(away).sum()

    def _apart(self, teacher: UserItemVectors, student: UserItemVectors, triples: Triples, others: Tensor) -> Tensor:
        known, guessed = (list_scores(pair, triples.users, triples.positives, others) for pair in (teacher, student))
        return divergence(known, guessed, self.config.temperature)


def _whole(vectors: Vectors) -> UserItemVectors:
    return vectors.users, vectors.items

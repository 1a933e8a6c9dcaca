"""SCRUB: a student disobeys the trained model on what is forgotten and obeys it on the rest (Kurmanji et al., 2023).

The published form is for classifiers. Here a user's classes are one positive item and items drawn for comparison.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.models.base import Pair, Vectors
from mmrecun.unlearning.base import original_inputs
from mmrecun.unlearning.gradient.base import GradientUnlearner, PassConfig, Work
from mmrecun.unlearning.gradient.candidate_lists import Draw, divergence, list_scores
from mmrecun.unlearning.gradient.sampling import Step
from mmrecun.unlearning.gradient.stopping import Gauge


class ScrubConfig(PassConfig):
    """Settings of SCRUB.

    Attributes:
        epochs: passes over the retain set.
        max_epochs: of them, how many begin with a pass over the forget set that moves away from the trained model.
        task: weight of the training loss of retained pairs (the paper's gamma).
        obey: weight of the divergence from the trained model on retained pairs (the paper's alpha).
        temperature: of the softmax.
        candidates: items drawn for comparison.
    """

    epochs: PositiveInt = 5
    max_epochs: PositiveInt = 2
    task: NonNegativeFloat = 1.0
    obey: NonNegativeFloat = 0.5
    temperature: PositiveFloat = 2.0
    candidates: PositiveInt = 200


@dataclass(frozen=True)
class Teacher:
    """What the trained model says on the original graph, the items to compare with, and when to stop disobeying."""

    vectors: Vectors
    draw: Draw
    gauge: Gauge


class Scrub(GradientUnlearner[ScrubConfig, Teacher]):
    """Disobeying stops as soon as forgotten pairs are at the level of held-out ones."""

    Config = ScrubConfig

    def prepare(self, work: Work) -> Teacher:
        """The trained model's vectors, frozen."""
        with torch.no_grad():
            vectors = work.task.model.vectors(original_inputs(work.task))
        rng = work.task.seed.child("candidates").torch()
        draw = Draw(work.task.parts.item_rows, self.config.candidates, rng, work.task.device)
        return Teacher(vectors, draw, Gauge(work))

    def steps(self, work: Work, memory: Teacher, number: int) -> Iterator[Step]:
        """Forgotten triples while it disobeys, then a pass over the retain set."""
        if number < self.config.max_epochs:
            for step in work.sampler.forgotten(number):
                if memory.gauge.excess() <= 0:
                    break
                yield step
        yield from work.sampler.retained(number)

    def objective(self, work: Work, memory: Teacher, step: Step) -> Tensor:
        """Minus the divergence of forgotten triples, or task + obey * divergence of retained ones; a scalar."""
        others = memory.draw()
        if len(step.retain):
            vectors = work.model.vectors(work.served)
            apart = self._apart(_whole(memory.vectors), _whole(vectors), step.retain, others)
            return self.config.task * work.retain_loss(vectors.at(step.retain)) + self.config.obey * apart
        vectors = work.model.vectors(work.attached)
        away = [self._apart(_whole(memory.vectors), _whole(vectors), step.forget, others)] if len(step.forget) else []
        away += [
            self._apart(memory.vectors.branches[name], vectors.branches[name], triples, others)
            for name, triples in step.branches.items()
        ]
        return -torch.stack(away).sum()

    def _apart(self, teacher: Pair, student: Pair, triples: Triples, others: Tensor) -> Tensor:
        known, guessed = (list_scores(pair, triples.users, triples.positives, others) for pair in (teacher, student))
        return divergence(known, guessed, self.config.temperature)


def _whole(vectors: Vectors) -> Pair:
    return vectors.users, vectors.items

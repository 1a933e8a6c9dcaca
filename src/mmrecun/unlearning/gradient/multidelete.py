"""MultiDelete: forgotten pairs are decoupled, and the rest is kept (Cheng and Amiri, ECCV 2024).

The published form is for image-text pairs. Here a pair is a user and an item, its fused representation is the
elementwise product of their vectors, and a mismatched pair is the user with an item they never had.
"""

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import embedding, mse_loss

from mmrecun.forget import views
from mmrecun.models.base import TripleVectors, Vectors
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.gradient.base import GradientConfig, GradientRun, GradientUnlearner
from mmrecun.unlearning.gradient.sampling import Step


class MultiDeleteConfig(GradientConfig):
    """Settings of MultiDelete."""

    epochs: PositiveInt = Field(default=10, description="passes over the forget set")
    decouple: NonNegativeFloat = Field(default=1.0, description="weight of moving forgotten pairs to mismatched ones")
    multimodal: NonNegativeFloat = Field(default=1.0, description="weight of keeping retained pairs")
    unimodal: NonNegativeFloat = Field(
        default=1.0,
        description="weight of keeping each modality's own vectors of retained items that are in forgotten pairs",
    )


class MultiDeleteRun(GradientRun):
    """Keeps a modality's vectors for items alone, since those of users are made from items that may be forgotten.

    Removed items and removed features are left out, since the request forbids keeping them.

    Attributes:
        teacher: the trained model's vectors on the original graph.
        staying: bool [I], the items that stay.
    """

    config: MultiDeleteConfig

    def __init__(self, task: Task, config: MultiDeleteConfig) -> None:
        super().__init__(task, config)
        with torch.no_grad():
            self.teacher = task.model.vectors(task.inputs(views.original))
        self.staying = torch.from_numpy(~task.partition.removed_items).to(task.device)

    def loss(self, step: Step) -> Tensor:
        """Return the weighted sum of the three mean squared errors; a scalar."""
        vectors, teacher = self.model.vectors(self.inputs), self.teacher
        padded = self.model.vectors(self.padded_inputs) if step.branches else vectors
        apart = []
        if len(step.forget):
            apart.append(mismatch(vectors.of_triples(step.forget), teacher.of_triples(step.forget)))
        apart += [
            mismatch(padded.branch_of_triples(name, triples), teacher.branch_of_triples(name, triples))
            for name, triples in step.branches.items()
        ]
        kept = mse_loss(fused(vectors.of_triples(step.retain)), fused(teacher.of_triples(step.retain)))
        loss = self.config.decouple * torch.stack(apart).sum() + self.config.multimodal * kept
        return loss + self.config.unimodal * self._unimodal(vectors, step)

    def _unimodal(self, vectors: Vectors, step: Step) -> Tensor:
        touched = [step.forget.positives, *(triples.positives for triples in step.branches.values())]
        items = torch.unique(torch.cat(touched))
        total = torch.zeros((), device=self.task.device)
        for name, (_, now) in vectors.branches.items():
            there = items[self.staying[items] & self.inputs.present[name][items]]
            if len(there):
                total = total + mse_loss(embedding(there, now), self.teacher.branches[name][1][there])
        return total


class MultiDelete(GradientUnlearner):
    """Decouples forgotten pairs, and keeps the rest."""

    Config = MultiDeleteConfig
    Run = MultiDeleteRun
    summary = "moves forgotten pairs to mismatched ones and keeps the rest in place"
    source = "Cheng and Amiri, ECCV 2024, arXiv 2311.12047"


def fused(rows: TripleVectors) -> Tensor:
    """Return the representation of each (user, positive) pair; float32 [B, D]."""
    return rows.users * rows.positives


def mismatch(student: TripleVectors, teacher: TripleVectors) -> Tensor:
    """Compute how far forgotten pairs are from the trained vectors of the user and of an unseen item."""
    return mse_loss(fused(student), teacher.users * teacher.negatives)

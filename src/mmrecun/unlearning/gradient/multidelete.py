"""MultiDelete: forgotten pairs are decoupled, and the rest is kept (Cheng and Amiri, ECCV 2024).

The published form is for image-text pairs. Here a pair is a user and an item, its fused representation is the
elementwise product of their vectors, and a mismatched pair is the user with an item they never had.
"""

from dataclasses import dataclass

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import embedding, mse_loss

from mmrecun.models.base import TripleVectors, Vectors
from mmrecun.unlearning.base import original_inputs
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


@dataclass(frozen=True)
class Frozen:
    """The trained model's vectors on the original graph, and bool [I]: the items that stay."""

    vectors: Vectors
    staying: Tensor


class MultiDelete(GradientUnlearner[Frozen]):
    """Keeps a modality's vectors for items alone, since those of users are made from items that may be forgotten.

    Removed items and removed features are left out, since the request forbids keeping them.
    """

    Config = MultiDeleteConfig
    summary = "moves forgotten pairs to mismatched ones and keeps the rest in place"
    source = "Cheng and Amiri, ECCV 2024, arXiv 2311.12047"
    config: MultiDeleteConfig

    def prepare(self, run: GradientRun) -> Frozen:
        """Return the trained model's vectors, frozen."""
        with torch.no_grad():
            vectors = run.task.model.vectors(original_inputs(run.task))
        return Frozen(vectors, torch.from_numpy(~run.task.partition.removed_items).to(run.task.device))

    def loss(self, run: GradientRun, memory: Frozen, step: Step) -> Tensor:
        """Return the weighted sum of the three mean squared errors; a scalar."""
        vectors = run.model.vectors(run.retained_inputs)
        attached = run.model.vectors(run.padded_inputs) if step.branches else vectors
        apart = (
            [mismatch(vectors.of_triples(step.forget), memory.vectors.of_triples(step.forget))]
            if len(step.forget)
            else []
        )
        apart += [
            mismatch(attached.branch_of_triples(name, triples), memory.vectors.branch_of_triples(name, triples))
            for name, triples in step.branches.items()
        ]
        kept = mse_loss(fused(vectors.of_triples(step.retain)), fused(memory.vectors.of_triples(step.retain)))
        loss = self.config.decouple * torch.stack(apart).sum() + self.config.multimodal * kept
        return loss + self.config.unimodal * self._unimodal(run, memory, vectors, step)

    def _unimodal(self, run: GradientRun, memory: Frozen, vectors: Vectors, step: Step) -> Tensor:
        touched = [step.forget.positives, *(triples.positives for triples in step.branches.values())]
        items = torch.unique(torch.cat(touched))
        total = torch.zeros((), device=run.task.device)
        for name, (_, now) in vectors.branches.items():
            there = items[memory.staying[items] & run.retained_inputs.present[name][items]]
            if len(there):
                total = total + mse_loss(embedding(there, now), memory.vectors.branches[name][1][there])
        return total


def fused(rows: TripleVectors) -> Tensor:
    """Return the representation of each (user, positive) pair; float32 [B, D]."""
    return rows.users * rows.positives


def mismatch(student: TripleVectors, teacher: TripleVectors) -> Tensor:
    """How far forgotten pairs are from what the trained model says of the user and an item they never had; a scalar."""
    return mse_loss(fused(student), teacher.users * teacher.negatives)

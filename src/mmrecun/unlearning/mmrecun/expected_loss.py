"""What a model learned from all pairs: BPR and, where it is part of the loss, InfoNCE between two views."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender, UserItemVectors
from mmrecun.unlearning.mmrecun.curvature import GaussNewtonMatrix, LossCurvature
from mmrecun.unlearning.mmrecun.expected_bpr import ExpectedBPR
from mmrecun.unlearning.mmrecun.expected_info_nce import ExpectedInfoNCE, InfoNCEAt
from mmrecun.unlearning.mmrecun.links import Links


class LossAt(NamedTuple):
    """The loss at the present rows of a model.

    Attributes:
        gradients: table -> gradient by its rows, float32 [R, D].
        vectors: of users and of items, float32 [U, D] and [I, D].
        by_outputs: gradient by what `ExpectedLoss.outputs` returns.
        links: the pairs.
        hessian_weights: float32 [N], their second derivatives.
        info_nce: at the views; None for a model without it.
    """

    gradients: dict[str, Tensor]
    vectors: UserItemVectors
    by_outputs: list[Tensor]
    links: Links
    hessian_weights: Tensor
    info_nce: InfoNCEAt | None

    def curvature(self) -> LossCurvature:
        """Return the curvature with respect to what `ExpectedLoss.outputs` returns."""
        return LossCurvature(GaussNewtonMatrix(self.links, self.hessian_weights, self.vectors), self.info_nce)


class ExpectedLoss(NamedTuple):
    """The loss over all pairs.

    Attributes:
        bpr: over all negatives.
        info_nce: over all batches; None for a model without it.
    """

    bpr: ExpectedBPR
    info_nce: ExpectedInfoNCE | None = None

    def outputs(self, model: Recommender, inputs: GraphInputs) -> list[Tensor]:
        """Return the vectors of users and of items and, for InfoNCE, their two views."""
        vectors = model.vectors(inputs)
        views = self.info_nce.term.views if self.info_nce else ()
        return [*vectors.sides, *(side for name in views for side in vectors.views[name])]

    def at(self, model: Recommender, inputs: GraphInputs) -> LossAt:
        """Evaluate it at the present rows."""
        weights = {name: table.weight for name, table in model.tables().items()}
        outputs = self.outputs(model, inputs)
        users, items, *views = (output.detach() for output in outputs)
        bpr = self.bpr.gradient((users, items))
        info_nce = self.info_nce.at((views[0], views[1], views[2], views[3])) if self.info_nce else None
        by_outputs = [bpr.users, bpr.items, *(info_nce.gradient() if info_nce else ())]
        found = torch.autograd.grad(
            outputs, list(weights.values()), by_outputs, materialize_grads=True, allow_unused=True
        )
        gradients = dict(zip(weights, found, strict=True))
        return LossAt(gradients, (users, items), by_outputs, self.bpr.links, bpr.hessian_weights, info_nce)

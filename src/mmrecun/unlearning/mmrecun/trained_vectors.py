"""The vectors of a trained model, and their derivative by its rows."""

import torch
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender, UserItemVectors
from mmrecun.unlearning.mmrecun.trained_balance import vectors_of


class TrainedVectors:
    """The vectors of the trained model, and their derivative by its rows.

    Args:
        model: the trained model.
        inputs: graphs and features of the original data.

    Attributes:
        sides: of users and of items, float32 [U, D] and [I, D].
    """

    def __init__(self, model: Recommender, inputs: GraphInputs) -> None:
        self._tables = {name: table.weight for name, table in model.tables().items()}
        with torch.enable_grad():
            self._outputs = vectors_of(model, inputs)
        users, items = self._outputs
        self.sides: UserItemVectors = users.detach(), items.detach()

    def by_rows(self, gradient: UserItemVectors) -> dict[str, Tensor]:
        """Turn a gradient by the vectors, float32 [U, D] and [I, D], into one by rows: table -> float32 [R, D']."""
        found = torch.autograd.grad(
            self._outputs,
            list(self._tables.values()),
            gradient,
            retain_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        return dict(zip(self._tables, found, strict=True))

"""Vectors of a model with other values in its ID tables, differentiable any number of times in those values."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.func import functional_call

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Recommender, Vectors


class _Call(nn.Module):
    """A model whose call computes its vectors, since `functional_call` replaces parameters during a call alone."""

    def __init__(self, model: Recommender) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: GraphInputs) -> Vectors:
        return self.model.vectors(inputs)


def vectors_with(model: Recommender, tables: Mapping[str, Tensor], inputs: GraphInputs) -> Vectors:
    """Compute all vectors with `tables` (parameter name -> values of its shape) in place of the model's own.

    The model itself is not changed.
    """
    swapped = {f"model.{name}": values for name, values in tables.items()}
    vectors: Vectors = functional_call(_Call(model), swapped, (inputs,))
    return vectors

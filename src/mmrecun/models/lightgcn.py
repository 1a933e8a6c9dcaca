"""LightGCN: vectors averaged over linear hops of the user-item graph (He et al., SIGIR 2020)."""

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.models.base import EmbeddingTable, ModelConfig, Recommender, Sizes, TripleVectors, Vectors, squared_norm
from mmrecun.models.propagation import propagate


class LightGCNConfig(ModelConfig):
    """Settings of LightGCN.

    Attributes:
        layers: hops.
        l2: weight of the squared norm of the batch's rows before propagation.
    """

    layers: PositiveInt = 3
    l2: NonNegativeFloat = 1e-3


class LightGCN(Recommender):
    """Scores are products of smoothed user and item vectors; modalities are not read."""

    Config = LightGCNConfig
    config: LightGCNConfig

    def __init__(self, config: LightGCNConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)

    def required_inputs(self) -> RequiredInputs:
        """The user-item graph."""
        return RequiredInputs(user_item=True)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Smoothed vectors; the view `rows` holds the rows before propagation."""
        assert inputs.user_item is not None
        rows = (self.users.weight, self.items.weight)
        users, items = propagate(inputs.user_item, *rows, self.config.layers)
        return Vectors(users, items, views={"rows": rows})

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """The L2 regulariser on the rows before propagation (equation 15)."""
        return self.config.l2 * squared_norm(*batch.views["rows"])

"""BPR-MF: one vector per user and item, scored by their product (Rendle et al., UAI 2009)."""

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import EmbeddingTable, ModelConfig, Recommender, Sizes, TripleVectors, Vectors, squared_norm


class BPRMFConfig(ModelConfig):
    """Settings of BPR-MF."""

    l2: NonNegativeFloat = Field(default=1e-2, description="L2 regularisation of the batch's vectors")


class BPRMF(Recommender):
    """Matrix factorisation; reads neither graph nor features."""

    Config = BPRMFConfig
    summary = "matrix factorisation of IDs"
    source = "Rendle et al., UAI 2009"
    row_wise = True
    config: BPRMFConfig

    def __init__(self, config: BPRMFConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)

    def vectors(self, inputs: GraphInputs) -> Vectors:  # noqa: ARG002
        """Return the tables themselves."""
        return Vectors(self.users.weight, self.items.weight)

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the L2 regulariser."""
        return self.config.l2 * squared_norm(batch.users, batch.positives, batch.negatives)

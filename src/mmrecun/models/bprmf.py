"""BPR-MF: one vector per user and item, scored by their product (Rendle et al., UAI 2009)."""

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import EmbeddingTable, ModelConfig, Recommender, Sizes, TripleVectors, Vectors, squared_norm


class BPRMFConfig(ModelConfig):
    """Settings of BPR-MF.

    Attributes:
        l2: weight of the squared norm of the batch's vectors.
    """

    l2: NonNegativeFloat = 1e-2


class BPRMF(Recommender):
    """Matrix factorisation; reads neither graph nor features."""

    Config = BPRMFConfig
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

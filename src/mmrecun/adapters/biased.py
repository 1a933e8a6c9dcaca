"""BPR-MF with a bias for each item, as implicit and Cornac train it."""

import torch

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import EmbeddingTable, Sizes, Vectors
from mmrecun.models.bprmf import BPRMF, BPRMFConfig

LAST = -1e6  # the bias of a removed item, which then ranks last


class BiasedMF(BPRMF):
    """Scores are dot products plus the item's bias, the last column of its row.

    Users have that column as well, so that both tables have the same width. It is zero there and never read: a bias
    has weight 1 for every user.
    """

    def __init__(self, config: BPRMFConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim + 1, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim + 1, rng)

    def vectors(self, inputs: GraphInputs) -> Vectors:  # noqa: ARG002
        """Return the tables, with ones in the last column of the users'."""
        users = self.users.weight
        return Vectors(torch.cat([users[:, :-1], users.new_ones(len(users), 1)], dim=1), self.items.weight)

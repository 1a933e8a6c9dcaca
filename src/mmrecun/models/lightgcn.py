"""LightGCN: vectors averaged over linear hops of the user-item graph (He et al., SIGIR 2020)."""

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.models.base import EmbeddingTable, ModelConfig, Recommender, Sizes, TripleVectors, Vectors, squared_norm
from mmrecun.models.gathering import gather
from mmrecun.models.propagation import propagate, propagate_at


class LightGCNConfig(ModelConfig):
    """Settings of LightGCN."""

    layers: PositiveInt = Field(default=3, description="hops over the user-item graph, averaged with hop zero (K)")
    l2: NonNegativeFloat = Field(
        default=1e-3, description="L2 regularisation of the batch's rows before propagation (lambda)"
    )


class LightGCN(Recommender):
    """Scores are dot products of propagated user and item vectors; modalities are not read."""

    Config = LightGCNConfig
    summary = "IDs averaged over hops of the user-item graph"
    source = "He et al., SIGIR 2020"
    user_parts = True
    config: LightGCNConfig

    def __init__(self, config: LightGCNConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)

    def required_inputs(self) -> RequiredInputs:
        """Return the user-item graph."""
        return RequiredInputs(user_item=True)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return the propagated vectors; the view `rows` holds the rows before propagation."""
        assert inputs.user_item is not None
        rows = (self.users.weight, self.items.weight)
        users, items = propagate(inputs.user_item, *rows, self.config.layers)
        return Vectors(users, items, views={"rows": rows})

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return `vectors(inputs).of_triples(triples)`; on CUDA only the batch's rows take the last hop."""
        if triples.users.device.type == "cpu":
            return self.vectors(inputs).of_triples(triples, inputs)
        return self._at_rows(inputs, triples)

    def _at_rows(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        assert inputs.user_item is not None
        table = torch.cat([self.users.weight, self.items.weight])
        nodes = torch.cat([triples.users, triples.positives + inputs.users, triples.negatives + inputs.users])
        users, positives, negatives = propagate_at(inputs.user_item, table, nodes, self.config.layers).chunk(3)
        own, good, bad = gather(nodes, table).chunk(3)
        return TripleVectors(users, positives, negatives, {"rows": (own, good, bad)}, triples)

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the L2 regulariser on the rows before propagation (equation 15)."""
        return self.config.l2 * squared_norm(*batch.views["rows"])

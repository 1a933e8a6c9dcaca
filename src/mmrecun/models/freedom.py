"""FREEDOM: a frozen item-item graph, and a user-item graph pruned again in each epoch (Zhou and Shen, MM 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import embedding, logsigmoid

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs, RequiredInputs, bipartite_adjacency, normalised_block
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError
from mmrecun.models.base import (
    EmbeddingTable,
    ModelConfig,
    Recommender,
    Sizes,
    TripleVectors,
    Vectors,
    linear,
    squared_norm,
)
from mmrecun.models.per_modality import PerModality, own_view
from mmrecun.models.propagation import propagate
from mmrecun.text import unknown_name


class FREEDOMConfig(ModelConfig):
    """Settings of FREEDOM."""

    layers: PositiveInt = Field(default=2, description="hops over the user-item graph")
    item_layers: PositiveInt = Field(default=1, description="hops over the item-item graph")
    neighbours: PositiveInt = Field(
        default=10, description="neighbours of an item in each modality's graph, itself included"
    )
    # 0.5 on TikTok, with six training pairs a user: validation Recall@20 0.096, against 0.085 with the authors' 0.8
    pruning: float = Field(
        default=0.5, ge=0, lt=1, description="share of the user-item edges that each epoch leaves out (rho)"
    )
    shares: Mapping[str, NonNegativeFloat] = Field(
        default={},
        description="weight of each modality in the item-item graph (alpha), as {image=0.1, text=0.9}; 1 if not named",
    )
    modality_loss: NonNegativeFloat = Field(default=1e-3, description="weight of each modality's own BPR term (lambda)")
    l2: NonNegativeFloat = Field(
        default=1e-3, description="L2 regularisation of the batch's rows before propagation; the paper has none"
    )

    def check_modalities(self, known: Sequence[str]) -> None:
        """Refuse a share of a modality that is not in `known`.

        Raises:
            ConfigError: naming the nearest known modality.
        """
        for name in self.shares:
            if name not in known:
                raise ConfigError(f"shares: {unknown_name('modality', name, list(known))}")


class FREEDOM(Recommender):
    """IDs over the user-item graph, plus item IDs over the item-item graph. Without modalities it is LightGCN.

    Features decide which items are neighbours. Each modality's projected features are also ranked in a BPR loss of
    their own, but are not part of the served score.
    """

    Config = FREEDOMConfig
    summary = "IDs over a pruned user-item graph and a frozen item-item graph"
    source = "Zhou and Shen, MM 2023, arXiv 2211.06924"
    config: FREEDOMConfig

    def __init__(self, config: FREEDOMConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)
        self.projections = PerModality(
            {name: linear(width, config.dim, rng, bias=False) for name, width in sizes.widths.items()}
        )

    def required_inputs(self) -> RequiredInputs:
        """Return both graphs and the features."""
        return RequiredInputs(user_item=True, features=True, neighbours=self.config.neighbours)

    def epoch_inputs(self, inputs: GraphInputs, rng: torch.Generator) -> GraphInputs:
        """Return `inputs` with a user-item graph of the edges that this epoch keeps."""
        return pruned(inputs, self.config.pruning, rng) if self.config.pruning else inputs

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return final vectors; a modality's branch is the user's vector and the item's projected features."""
        whole = self._whole(inputs)
        branches = {name: (whole.users, self.projections[name](inputs.features[name])) for name in self.sizes.widths}
        own = {own_view(name): pair for name, pair in branches.items()}
        return replace(whole, views={**whole.views, **own}, branches=branches)

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return `vectors(inputs).of_triples(triples)`; only the features of the batch's items are projected."""
        batch = self._whole(inputs).of_triples(triples)
        own = {}
        for name, projection in self.projections.items():
            positives, negatives = (
                projection(embedding(rows, inputs.features[name])) for rows in (triples.positives, triples.negatives)
            )
            own[own_view(name)] = (batch.users, positives, negatives)
        return replace(batch, views={**batch.views, **own})

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the modalities' own BPR terms, and the L2 regulariser."""
        loss = self.config.l2 * squared_norm(*batch.views["rows"])
        for name in self.sizes.widths:
            loss = loss + self.config.modality_loss * bpr_of_present(*batch.views[own_view(name)])
        return loss

    def _whole(self, inputs: GraphInputs) -> Vectors:
        """Propagate users over one graph, items over both; the view `rows` holds the rows before propagation."""
        assert inputs.user_item is not None
        rows = (self.users.weight, self.items.weight)
        users, items = propagate(inputs.user_item, *rows, self.config.layers)
        return Vectors(users, items + self._neighbourhoods(inputs), views={"rows": rows})

    def _neighbourhoods(self, inputs: GraphInputs) -> Tensor:
        """Propagate item rows over the mixed item-item graph; float32 [I, D], zero without any modality."""
        items: Tensor = self.items.weight
        if not self.sizes.widths:
            return torch.zeros_like(items)
        shares = self._shares(inputs)
        for _ in range(self.config.item_layers):
            hops = [inputs.item_graphs[name] @ items * shares[:, m : m + 1] for m, name in enumerate(self.sizes.widths)]
            items = torch.stack(hops).sum(dim=0)
        return items

    def _shares(self, inputs: GraphInputs) -> Tensor:
        """Return the share of each modality in each item's neighbourhood; float32 [I, M]."""
        given = [self.config.shares.get(name, 1.0) * inputs.present[name] for name in self.sizes.widths]
        weights = torch.stack(given, dim=1)
        total = weights.sum(dim=1, keepdim=True)
        return weights / total.where(total > 0, 1)


def bpr_of_present(users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Compute BPR over the triples whose items both have the modality; a scalar, zero if there are none.

    >>> one, none = torch.ones(1, 2), torch.zeros(1, 2)
    >>> round(bpr_of_present(torch.cat([one, one]), torch.cat([one, one]), torch.cat([one, none])).item(), 4)
    0.6931

    Args:
        users, positives, negatives: float32 [B, D]; an item without the modality is a row of zeros.
    """
    both = positives.any(dim=1) & negatives.any(dim=1)
    margins = (users * (positives - negatives)).sum(dim=1)
    return -(logsigmoid(margins) * both).sum() / both.sum().clamp(min=1)


def pruned(inputs: GraphInputs, share: float, rng: torch.Generator) -> GraphInputs:
    """Remove `share` of the edges of the user-item graph of `inputs`, and normalise it again.

    Args:
        share: at least 0, less than 1.
        rng: generator on the CPU.
    """
    assert inputs.user_block is not None
    block = inputs.user_block.forward
    device = block.device
    kept = sample_edges(block.values().cpu(), share, rng).numpy()
    users = np.repeat(np.arange(inputs.users), block.crow_indices().diff().cpu().numpy())[kept]
    items = block.col_indices().cpu().numpy()[kept].astype(np.int64)
    pairs = Interactions(users, items, np.zeros(len(kept), dtype=np.int8))
    smaller = normalised_block(pairs, inputs.users, inputs.items)
    return replace(inputs, user_item=bipartite_adjacency(smaller, device))


def sample_edges(weights: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Draw the edges that stay, E - floor(share E) of them, without replacement, in proportion to `weights`: int64 [K].

    The weight of the edge of u and i is 1 / sqrt(degree(u) * degree(i)), so edges of popular nodes are removed first.
    Each edge draws an exponential time with its weight as the rate, and the K earliest stay. This is the same as
    drawing edges one after another.

    Args:
        weights: float32 [E], positive.
        share: at least 0, less than 1.
    """
    waits = torch.empty(len(weights), dtype=torch.float64).exponential_(generator=rng) / weights
    return waits.topk(len(weights) - int(share * len(weights)), largest=False).indices

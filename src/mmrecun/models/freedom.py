"""FREEDOM: a frozen item-item graph, and a user-item graph pruned anew each epoch (Zhou and Shen, MM 2023)."""

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
from mmrecun.models.per_modality import PerModality
from mmrecun.models.propagation import propagate
from mmrecun.text import unknown_name


class FREEDOMConfig(ModelConfig):
    """Settings of FREEDOM.

    Attributes:
        layers: hops over the user-item graph.
        item_layers: hops over the item-item graph.
        neighbours: of an item in each modality's graph, itself included.
        pruning: share of the user-item edges that an epoch of training leaves out (the paper's rho).
        shares: modality -> its share of the item-item graph (the paper's alpha); 1 for those not named. An item's
            shares are scaled to sum to one over the modalities it has.
        modality_loss: weight of each modality's own BPR term (the paper's lambda).
        l2: weight of the squared norm of the batch's rows before propagation; the paper has none.
    """

    layers: PositiveInt = 2
    item_layers: PositiveInt = 1
    neighbours: PositiveInt = 10
    pruning: float = Field(default=0.5, ge=0, lt=1)
    shares: Mapping[str, NonNegativeFloat] = {}
    modality_loss: NonNegativeFloat = 1e-3
    l2: NonNegativeFloat = 1e-3

    def check_modalities(self, known: Sequence[str]) -> None:
        """Every modality that has a share must be there."""
        for name in self.shares:
            if name not in known:
                raise ConfigError(f"shares: {unknown_name('modality', name, list(known))}")


class FREEDOM(Recommender):
    """IDs over the user-item graph, and item IDs once more over the item-item graph; without modalities, LightGCN.

    Features say which items are neighbours, and are projected to vectors that users rank in a loss of their own; those
    vectors are no part of the served score.
    """

    Config = FREEDOMConfig
    config: FREEDOMConfig

    def __init__(self, config: FREEDOMConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)
        self.projections = PerModality(
            {name: linear(width, config.dim, rng, bias=False) for name, width in sizes.widths.items()}
        )

    def required_inputs(self) -> RequiredInputs:
        """Everything."""
        return RequiredInputs(user_item=True, features=True, neighbours=self.config.neighbours)

    def epoch_inputs(self, inputs: GraphInputs, rng: torch.Generator) -> GraphInputs:
        """Return `inputs` with a user-item graph of the edges that this epoch keeps."""
        return pruned(inputs, self.config.pruning, rng) if self.config.pruning else inputs

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return final vectors; each modality's branch scores the user's vector with the item's projected features."""
        whole = self._whole(inputs)
        branches = {name: (whole.users, self.projections[name](inputs.features[name])) for name in self.sizes.widths}
        own = {_own(name): pair for name, pair in branches.items()}
        return replace(whole, views={**whole.views, **own}, branches=branches)

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """As `vectors(inputs).at(triples)`; the features of the 2 B items alone are projected."""
        batch = self._whole(inputs).of_triples(triples)
        own = {}
        for name, projection in self.projections.items():
            positives, negatives = (
                projection(embedding(rows, inputs.features[name])) for rows in (triples.positives, triples.negatives)
            )
            own[_own(name)] = (batch.users, positives, negatives)
        return replace(batch, views={**batch.views, **own})

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the modalities' own BPR terms, and the L2 regulariser."""
        loss = self.config.l2 * squared_norm(*batch.views["rows"])
        for name in self.sizes.widths:
            loss = loss + self.config.modality_loss * bpr_of_present(*batch.views[_own(name)])
        return loss

    def _whole(self, inputs: GraphInputs) -> Vectors:
        """Users over one graph, items over both; the view `rows` holds the rows before propagation."""
        assert inputs.user_item is not None
        rows = (self.users.weight, self.items.weight)
        users, items = propagate(inputs.user_item, *rows, self.config.layers)
        return Vectors(users, items + self._neighbourhoods(inputs), views={"rows": rows})

    def _neighbourhoods(self, inputs: GraphInputs) -> Tensor:
        """Item rows after all hops over the mixed item-item graph; float32 [I, D], zero without any modality."""
        items: Tensor = self.items.weight
        if not self.sizes.widths:
            return torch.zeros_like(items)
        shares = self._shares(inputs)
        for _ in range(self.config.item_layers):
            hops = [inputs.item_graphs[name] @ items * shares[:, m : m + 1] for m, name in enumerate(self.sizes.widths)]
            items = torch.stack(hops).sum(dim=0)
        return items

    def _shares(self, inputs: GraphInputs) -> Tensor:
        """Return the part that each modality has in each item's neighbourhood; float32 [I, M]."""
        given = [self.config.shares.get(name, 1.0) * inputs.present[name] for name in self.sizes.widths]
        weights = torch.stack(given, dim=1)
        total = weights.sum(dim=1, keepdim=True)
        return weights / total.where(total > 0, 1)


def _own(modality: str) -> str:
    return f"own {modality}"


def bpr_of_present(users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """BPR over those triples whose items both have the modality; a scalar, zero when there is none.

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
    """Return `inputs` with a user-item graph that has lost `share` of its edges and is normalised again.

    Args:
        share: at least 0, less than 1.
        rng: on the CPU.
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
    """Which edges stay when floor(share * E) leave: int64 [K], drawn without replacement in proportion to `weights`.

    The weight of the edge of u and i is 1 / sqrt(degree(u) * degree(i)), so that edges of the popular leave first.
    Each edge waits an exponential time with its weight as the rate; the first K to arrive stay, which is the same as
    drawing them one after another.

    Args:
        weights: float32 [E], positive.
        share: at least 0, less than 1.
    """
    waits = torch.empty(len(weights), dtype=torch.float64).exponential_(generator=rng) / weights
    return waits.topk(len(weights) - int(share * len(weights)), largest=False).indices

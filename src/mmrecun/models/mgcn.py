"""MGCN: modality features purified by behaviour, over two graphs (Yu et al., MM 2023, arXiv 2308.03588)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import embedding
from torch.nn.functional import linear as linear_map

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.models.base import (
    EmbeddingTable,
    ModelConfig,
    Recommender,
    Sizes,
    TripleVectors,
    UserItemVectors,
    Vectors,
    linear,
    squared_norm,
)
from mmrecun.models.fusion import attend, mean_with
from mmrecun.models.gathering import gather
from mmrecun.models.info_nce import InfoNCETerm, info_nce
from mmrecun.models.per_modality import PerModality
from mmrecun.models.propagation import propagate_at, propagate_table


class MGCNConfig(ModelConfig):
    """Settings of MGCN."""

    renamed: ClassVar[Mapping[str, str]] = {"rivals": "negatives_per_block"}
    # on TikTok four hops instead of two raised validation Recall@20 from 0.100 to 0.108; l2 = 0.01 did not help
    layers: PositiveInt = Field(default=4, description="hops over the user-item graph")
    item_layers: PositiveInt = Field(default=1, description="hops over each item-item graph")
    neighbours: PositiveInt = Field(
        default=10, description="neighbours of an item in each item-item graph, itself included"
    )
    l2: NonNegativeFloat = Field(default=1e-3, description="L2 regularisation of the batch's final vectors")
    contrast: NonNegativeFloat = Field(default=0.01, description="weight of InfoNCE between the two views (lambda_c)")
    temperature: float = Field(default=0.2, ge=0.1, description="temperature of InfoNCE")
    negatives_per_block: PositiveInt = Field(
        default=2048,
        description="rows of a batch that InfoNCE compares with one another; 2048 is the paper's batch size",
    )


class MGCN(Recommender):
    """A content view (IDs over the user-item graph) plus a side view (modalities). Without modalities it is LightGCN.

    The paper's trainable feature table is split into the raw features, which come with the inputs, and a trainable
    offset that starts at zero. The sum is the same, and the features themselves stay outside the model.
    """

    Config = MGCNConfig
    summary = "IDs and purified features over a user-item and item-item graphs, joined by attention"
    source = "Yu et al., MM 2023, arXiv 2308.03588"
    user_parts = True
    config: MGCNConfig

    def __init__(self, config: MGCNConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        dim, widths = config.dim, sizes.widths
        self.users = EmbeddingTable("users", sizes.users, dim, rng)
        self.items = EmbeddingTable("items", sizes.items, dim, rng)
        self.offsets = PerModality(
            {
                name: EmbeddingTable("items", sizes.items, width, rng, modality=name, zeros=True)
                for name, width in widths.items()
            }
        )
        self.projections = PerModality({name: linear(width, dim, rng) for name, width in widths.items()})
        self.gates = PerModality({name: linear(dim, dim, rng) for name in widths})
        self.preferences = PerModality({name: linear(dim, dim, rng) for name in widths})
        self.attention = nn.Sequential(linear(dim, dim, rng), nn.Tanh(), linear(dim, 1, rng, bias=False))

    def required_inputs(self) -> RequiredInputs:
        """Return both graphs and the features."""
        return RequiredInputs(user_item=True, features=True, neighbours=self.config.neighbours)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return the content view plus the side view; the views `content` and `side` feed the contrastive terms."""
        content, sizes = self._content(inputs), (inputs.users, inputs.items)
        if not self.sizes.widths:
            return Vectors(*_sides(content, sizes))
        return self._fused(content, torch.cat(self._branches(inputs)), self._present(inputs), sizes)

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return `vectors(inputs).of_triples(triples)`, computing the side view for the batch's users and items only.

        On a CPU each distinct user and item is computed once. On CUDA each row is: finding the distinct ones would make
        the host wait for the device.
        """
        if not self.sizes.widths:
            return self.vectors(inputs).of_triples(triples, inputs)
        if triples.users.device.type != "cpu":
            return self._at_rows(inputs, triples)
        users, user_rows = triples.users.unique(return_inverse=True)
        items, item_rows = torch.cat([triples.positives, triples.negatives]).unique(return_inverse=True)
        sizes = inputs.users, inputs.items
        content, stacked, present = (
            torch.cat([inputs.rows_of_users(users, of_users), embedding(items, of_items)])
            for of_users, of_items in (
                _sides(self._content(inputs), sizes),
                self._branches(inputs),
                _sides(self._present(inputs), sizes),
            )
        )
        met = self._fused(content, stacked, present, (len(users), len(items)))
        return met.of_triples(Triples(user_rows, *item_rows.chunk(2)))

    def _at_rows(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return the same with static shapes: one row for each user, each positive and each negative."""
        assert inputs.user_item is not None
        items, size = torch.cat([triples.positives, triples.negatives]), len(triples)
        table = torch.cat([self.users.weight, self.items.weight])
        nodes = torch.cat([triples.users, items + inputs.users])
        smooth = propagate_at(inputs.user_item, table, nodes, self.config.layers)
        of_users, of_items = self._branches(inputs)
        stacked = torch.cat([gather(triples.users, of_users), gather(items, of_items)])
        vectors = self._fused(smooth, stacked, self._present(inputs)[nodes], (size, 2 * size))
        views = {name: _thirds(*pair) for name, pair in vectors.views.items()}
        return TripleVectors(*_thirds(vectors.users, vectors.items), views, triples)

    def _content(self, inputs: GraphInputs) -> Tensor:
        """Propagate IDs over the user-item graph (equations 4 and 5); float32 [U + I, D]."""
        assert inputs.user_item is not None
        table = torch.cat([self.users.weight, self.items.weight])
        return propagate_table(inputs.user_item, table, self.config.layers)

    def _branches(self, inputs: GraphInputs) -> UserItemVectors:
        """Compute every modality's vectors, side by side (equations 1 to 3, 6 and 7); float32 [U, M D] and [I, M D].

        An item without a modality has no neighbours in its graph.
        """
        assert inputs.user_block is not None
        branches = []
        for name in self.sizes.widths:
            features = self.projections[name](inputs.features[name] + self.offsets[name].get_parameter("weight"))
            items = self.items.weight * self.gates[name](features).sigmoid()
            for _ in range(self.config.item_layers):
                items = inputs.item_graphs[name] @ items
            branches.append(items)
        stacked = torch.cat(branches, dim=1)
        return inputs.user_block @ stacked, stacked

    def _present(self, inputs: GraphInputs) -> Tensor:
        """Say which of the model's modalities each user and then each item has; bool [U + I, M].

        The inputs may have more: those of the data before a modality was forgotten.
        """
        return inputs.nodes_present(self.sizes.widths)

    def _fused(self, content: Tensor, stacked: Tensor, present: Tensor, sizes: tuple[int, int]) -> Vectors:
        """Combine `_content`, `_branches` and `_present` of some users and, after them, some items: `sizes`."""
        side = self._side(content, stacked, present)
        parts = (torch.split(nodes, self.config.dim, dim=1) for nodes in _sides(stacked, sizes))
        return Vectors(
            *_sides(content + side, sizes),
            views={"content": _sides(content, sizes), "side": _sides(side, sizes)},
            branches=dict(zip(self.sizes.widths, zip(*parts, strict=True), strict=True)),
        )

    def _side(self, content: Tensor, stacked: Tensor, present: Tensor) -> Tensor:
        """Fuse the modalities of N nodes, aware of behaviour (equations 8 to 13); float32 [N, D].

        Shared and own parts are averaged, as in the authors' released code; the paper's text adds them.

        Args:
            content: float32 [N, D].
            stacked: float32 [N, M D], the modalities' vectors side by side.
            present: bool [N, M].
        """
        vectors = stacked.unflatten(1, (-1, self.config.dim))
        shared = attend(vectors, self.attention(vectors).squeeze(2), present)
        layers = [self.preferences[name] for name in self.sizes.widths]
        weight, bias = (torch.cat([getattr(layer, part) for layer in layers]) for part in ("weight", "bias"))
        gates = linear_map(content, weight, bias).sigmoid().unflatten(1, (-1, self.config.dim))
        return mean_with(shared, gates * (vectors - shared.unsqueeze(1)), present)

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the L2 regulariser plus InfoNCE between side and content view (equation 14)."""
        loss = self.config.l2 * squared_norm(batch.users, batch.positives, batch.negatives)
        term = self.info_nce_term()
        if term is not None:
            assert batch.triples is not None
            (one, other), whose = (batch.views[name] for name in term.views), batch.triples
            agreement = sum(
                info_nce(first, second, who, term.temperature, term.negatives_per_block)
                for first, second, who in zip(one, other, (whose.users, whose.positives), strict=False)
            )
            loss = loss + term.weight * agreement
        return loss

    def info_nce_term(self) -> InfoNCETerm | None:
        """Return the term between side and content view; None without modalities or weight."""
        if not (self.sizes.widths and self.config.contrast):
            return None
        config = self.config
        return InfoNCETerm(("side", "content"), config.contrast, config.temperature, config.negatives_per_block)


def _sides(nodes: Tensor, sizes: tuple[int, int]) -> UserItemVectors:
    """Divide rows of users and items, [U + I, ...]."""
    users, items = nodes.split(sizes)
    return users, items


def _thirds(users: Tensor, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split [B, D] and [2 B, D] into the rows of users, positives and negatives."""
    positives, negatives = items.chunk(2)
    return users, positives, negatives

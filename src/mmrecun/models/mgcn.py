"""MGCN: modality features purified by behaviour, seen through two graphs (Yu et al., MM 2023, arXiv 2308.03588)."""

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from mmrecun.data.graph import GraphInputs, InputSpec
from mmrecun.models.base import (
    ModelConfig,
    Pair,
    Recommender,
    Sizes,
    Table,
    TripleVectors,
    Vectors,
    linear,
    squared_norm,
)
from mmrecun.models.contrast import info_nce
from mmrecun.models.fusion import attend, mean_with
from mmrecun.models.propagation import propagate


class MGCNConfig(ModelConfig):
    """Settings of MGCN.

    Attributes:
        layers: hops over the user-item graph.
        item_layers: hops over each item-item graph.
        neighbours: of an item in an item-item graph, itself included.
        l2: weight of the squared norm of the batch's final vectors.
        contrast: weight of the two InfoNCE terms (the paper's lambda_c).
        temperature: of InfoNCE.
    """

    layers: PositiveInt = 2
    item_layers: PositiveInt = 1
    neighbours: PositiveInt = 10
    l2: NonNegativeFloat = 1e-4
    contrast: NonNegativeFloat = 0.01
    temperature: PositiveFloat = 0.2


class MGCN(Recommender):
    """A content view (IDs over the user-item graph) plus a side view (modalities); without modalities, LightGCN.

    Each modality's table is kept as the raw features, which come with the inputs, plus a trainable offset that starts
    at zero. This equals the paper's trainable table and leaves the features themselves outside the model.
    """

    Config = MGCNConfig

    def __init__(self, config: MGCNConfig, sizes: Sizes, rng: torch.Generator) -> None:
        super().__init__(config, sizes, rng)
        self.config = config
        dim, widths = config.dim, sizes.widths
        self.users = Table("users", sizes.users, dim, rng)
        self.items = Table("items", sizes.items, dim, rng)
        self.offsets = nn.ModuleDict(
            {name: Table("items", sizes.items, width, modality=name) for name, width in widths.items()}
        )
        self.projections = nn.ModuleDict({name: linear(width, dim, rng) for name, width in widths.items()})
        self.gates = nn.ModuleDict({name: linear(dim, dim, rng) for name in widths})
        self.preferences = nn.ModuleDict({name: linear(dim, dim, rng) for name in widths})
        self.attention = nn.Sequential(linear(dim, dim, rng), nn.Tanh(), linear(dim, 1, rng, bias=False))

    def spec(self) -> InputSpec:
        """Everything."""
        return InputSpec(user_item=True, features=True, neighbours=self.config.neighbours)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Content view plus side view; the views `content` and `side` feed the contrastive terms."""
        assert inputs.user_item is not None
        content = propagate(inputs.user_item, self.users.weight, self.items.weight, self.config.layers)
        if not self.sizes.widths:
            return Vectors(*content)
        branches = {name: self._branch(name, inputs) for name in self.sizes.widths}
        side = self._side(torch.cat(content), branches, inputs)
        users = inputs.users
        return Vectors(
            content[0] + side[:users],
            content[1] + side[users:],
            views={"content": content, "side": (side[:users], side[users:])},
            branches=branches,
        )

    def _branch(self, name: str, inputs: GraphInputs) -> Pair:
        """One modality's user and item vectors (equations 1 to 3, 6 and 7)."""
        assert inputs.user_block is not None
        features = self.projections[name](inputs.features[name] + self.offsets.get_parameter(f"{name}.weight"))
        items = self.items.weight * self.gates[name](features).sigmoid() * inputs.present[name].unsqueeze(1)
        for _ in range(self.config.item_layers):
            items = inputs.item_graphs[name] @ items
        return inputs.user_block @ items, items

    def _side(self, content: Tensor, branches: dict[str, Pair], inputs: GraphInputs) -> Tensor:
        """The behaviour-aware fuser (equations 8 to 13) over users, then items; float32 [U + I, D].

        Shared and own parts are averaged, as in the authors' released implementation; the paper's text adds them.
        """
        vectors = {name: torch.cat(pair) for name, pair in branches.items()}
        present = {name: torch.cat([inputs.user_present[name], inputs.present[name]]) for name in vectors}
        shared = attend(vectors, {name: self.attention(vector) for name, vector in vectors.items()}, present)
        own = {name: self.preferences[name](content).sigmoid() * (vector - shared) for name, vector in vectors.items()}
        return mean_with(shared, own, present)

    def extra_loss(self, batch: TripleVectors) -> Tensor:
        """The L2 regulariser and the agreement of side and content view (equation 14)."""
        loss = self.config.l2 * squared_norm(batch.users, batch.positives, batch.negatives)
        if "side" in batch.views and self.config.contrast:
            side, content = batch.views["side"], batch.views["content"]
            agreement = sum(info_nce(side[at], content[at], self.config.temperature) for at in (0, 1))
            loss = loss + self.config.contrast * agreement
        return loss

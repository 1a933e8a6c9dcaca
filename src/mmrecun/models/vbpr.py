"""VBPR: matrix factorisation with content factors of items (He and McAuley, AAAI 2016, equation 4)."""

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

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
from mmrecun.models.per_modality import PerModality


class VBPRConfig(ModelConfig):
    """Settings of VBPR."""

    l2: NonNegativeFloat = Field(
        default=1e-2, description="L2 regularisation of the batch's vectors, without their constant column"
    )


class VBPR(Recommender):
    """Latent factors, plus for each modality the product of user factors and the item's projected features.

    The paper's item bias and content bias are one more column, which is 1 for every user. Features are scaled to length
    one, so that no modality dominates by its units; absent features add nothing.
    """

    Config = VBPRConfig
    summary = "matrix factorisation with content factors for each modality"
    source = "He and McAuley, AAAI 2016"
    row_wise = True
    config: VBPRConfig

    def __init__(self, config: VBPRConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)
        self.bias = EmbeddingTable("items", sizes.items, 1, rng, zeros=True)
        self.tastes = PerModality(
            {name: EmbeddingTable("users", sizes.users, config.dim, rng, modality=name) for name in sizes.widths}
        )
        self.projections = PerModality(
            {name: linear(width, config.dim, rng, bias=False) for name, width in sizes.widths.items()}
        )
        self.content_bias = PerModality(
            {name: linear(width, 1, rng, bias=False) for name, width in sizes.widths.items()}
        )

    def required_inputs(self) -> RequiredInputs:
        """Return the features."""
        return RequiredInputs(features=True)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return latent factors, each modality's factors and the bias, side by side."""
        users: list[Tensor] = [self.users.weight]
        items: list[Tensor] = [self.items.weight]
        bias: Tensor = self.bias.weight
        branches: dict[str, UserItemVectors] = {}
        for name in self.sizes.widths:
            unit = nn.functional.normalize(inputs.features[name], dim=1)
            content = self.projections[name](unit)
            branches[name] = (self.tastes[name].weight, content)  # type: ignore[assignment]
            users.append(branches[name][0])
            items.append(content)
            bias = bias + self.content_bias[name](unit)
        users.append(torch.ones_like(self.users.weight[:, :1]))
        return Vectors(torch.cat(users, dim=1), torch.cat([*items, bias], dim=1), branches=branches)

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the L2 regulariser."""
        return self.config.l2 * squared_norm(batch.users[:, :-1], batch.positives, batch.negatives)

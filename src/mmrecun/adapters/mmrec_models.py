"""Recommenders as MMRec computes them, where that differs from ours, so that its state dicts give the same scores.

MMRec (Zhou, MMAsia workshop 2023) weighs all neighbours of FREEDOM's item graph alike, as the paper of FREEDOM does,
gives BM3's predictor a bias, and joins all features in one layer of VBPR.
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.data.sparse import SparseMatrix
from mmrecun.models.base import (
    EmbeddingTable,
    Recommender,
    Sizes,
    TripleVectors,
    Vectors,
    linear,
    squared_norm,
)
from mmrecun.models.bm3 import BM3, BM3Config
from mmrecun.models.freedom import FREEDOM
from mmrecun.models.per_modality import PerModality
from mmrecun.models.vbpr import VBPRConfig


class BiasedBM3(BM3):
    """BM3 whose predictor has a bias."""

    def __init__(self, config: BM3Config, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.predictor = linear(config.dim, config.dim, rng)


class EvenFREEDOM(FREEDOM):
    """FREEDOM with an item graph in which all neighbours have the same weight."""

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return the vectors as FREEDOM does."""
        return super().vectors(with_even_graphs(inputs))

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return the vectors of a batch as FREEDOM does."""
        return super().batch_vectors(with_even_graphs(inputs), triples)


def with_even_graphs(inputs: GraphInputs) -> GraphInputs:
    """Return `inputs` with item graphs in which all neighbours have the same weight."""
    return replace(inputs, item_graphs={name: evened(graph) for name, graph in inputs.item_graphs.items()})


def evened(graph: SparseMatrix) -> SparseMatrix:
    """Return a graph [I, I] with the same links, each 1 / sqrt(d_i d_j) for the numbers of links d of both rows.

    FREEDOM, equations 3 and 4.
    """
    links = graph.forward.crow_indices().diff().cpu().numpy()
    columns = graph.forward.col_indices().cpu().numpy()
    heads = np.repeat(np.arange(len(links)), links)
    values = 1 / np.sqrt(np.maximum(links[heads] * links[columns], 1))
    matrix = sp.csr_array((values.astype(np.float32), (heads, columns)), shape=(len(links), len(links)))
    return SparseMatrix.of(matrix, graph.forward.device)


class JoinedVBPR(Recommender):
    """Users rank items by latent factors and by one linear map of all their raw features side by side."""

    Config = VBPRConfig
    config: VBPRConfig

    def __init__(self, config: VBPRConfig, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.tastes = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)
        self.projections = PerModality(
            {name: linear(width, config.dim, rng, bias=False) for name, width in sizes.widths.items()}
        )
        self.bias = nn.Parameter(torch.zeros(config.dim))

    def required_inputs(self) -> RequiredInputs:
        """Return the features alone."""
        return RequiredInputs(features=True)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return factors and projected features side by side; a branch is one modality's part of the latter."""
        own = self.tastes.weight
        parts: dict[str, Tensor] = {name: self.projections[name](inputs.features[name]) for name in self.sizes.widths}
        content = sum(parts.values(), start=self.bias.expand(inputs.items, -1))
        branches = {name: (own, part) for name, part in parts.items()}
        users = torch.cat([self.users.weight, own], dim=1)
        return Vectors(users, torch.cat([self.items.weight, content], dim=1), branches=branches)

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return the L2 regulariser."""
        return self.config.l2 * squared_norm(batch.users, batch.positives, batch.negatives)

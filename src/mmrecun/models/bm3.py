"""BM3: users, items and modalities attract one another, without negatives (Zhou et al., WWW 2023)."""

from typing import ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, embedding, normalize

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.models.base import (
    EmbeddingTable,
    ModelConfig,
    Sizes,
    TripleVectors,
    Vectors,
    linear,
    squared_norm,
)
from mmrecun.models.full_batch import AllPairs, FullBatchRecommender
from mmrecun.models.per_modality import PerModality, own_view
from mmrecun.models.propagation import propagate

_TINY = 1e-8
_CONTENTS = 1024  # items in a step over all pairs whose features are aligned; 512 and all items end alike


class BM3Config(ModelConfig):
    """Settings of BM3."""

    layers: PositiveInt = Field(default=1, description="hops over the user-item graph")
    dropout: float = Field(
        default=0.3, ge=0, lt=1, description="share of a target's entries that are dropped, redrawn in each step"
    )
    alignment: NonNegativeFloat = Field(
        default=1.0,
        description="weight of the modalities' terms beside the reconstruction of the graph; 1 in the paper",
    )
    # smaller than the authors' 0.1 or 0.01: large values keep vectors short, and a short vector's cosine is unstable
    l2: NonNegativeFloat = Field(
        default=1e-3, description="L2 regularisation of the batch's rows before the predictor (lambda)"
    )


class BM3(FullBatchRecommender):
    """Draws the online vector of each side of a positive pair to the target of the other side, without gradient there.

    Online vectors are outputs of one linear predictor, shared by users, items and modalities; targets are its inputs,
    with dropout. The predictor starts as the identity. Unlike the paper's it has no bias, which would draw all vectors
    to one direction. Modalities act in training alone: the served score reads IDs and graph.
    """

    Config = BM3Config
    summary = "users, items and modalities drawn together, without negatives"
    source = "Zhou et al., WWW 2023, arXiv 2207.05969"
    config: BM3Config
    uses_bpr: ClassVar[bool] = False

    def __init__(self, config: BM3Config, sizes: Sizes, rng: torch.Generator | None) -> None:
        super().__init__(config, sizes, rng)
        self.users = EmbeddingTable("users", sizes.users, config.dim, rng)
        self.items = EmbeddingTable("items", sizes.items, config.dim, rng)
        self.predictor = linear(config.dim, config.dim, rng, bias=False)
        # a bias and a random start left validation Recall@20 on TikTok at 0.063 to 0.065 from the first epochs on
        nn.init.eye_(self.predictor.weight)
        self.projections = PerModality({name: linear(width, config.dim, rng) for name, width in sizes.widths.items()})

    def required_inputs(self) -> RequiredInputs:
        """Return the user-item graph and the features."""
        return RequiredInputs(user_item=True, features=True)

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return online vectors; the view `before` holds the inputs of the predictor."""
        before = self._before(inputs)
        users, items = (self.predictor(rows) for rows in before)
        everything = torch.arange(inputs.items, device=users.device)
        contents = {name: self._content(name, inputs, everything) for name in self.sizes.widths}
        own = {own_view(name): (before[0], content) for name, content in contents.items()}
        branches = {
            name: (users, self.predictor(content) * inputs.present[name].unsqueeze(1))
            for name, content in contents.items()
        }
        return Vectors(users, items, views={"before": before, **own}, branches=branches)

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return `vectors(inputs).of_triples(triples)`; predictor and projections read the batch's rows alone."""
        before = Vectors(*self._before(inputs)).of_triples(triples)
        rows = (before.users, before.positives, before.negatives)
        views = {"before": rows}
        for name in self.sizes.widths:
            positives, negatives = (
                self._content(name, inputs, items) for items in (triples.positives, triples.negatives)
            )
            views[own_view(name)] = (before.users, positives, negatives)
        users, positives, negatives = (self.predictor(part) for part in rows)
        return TripleVectors(users, positives, negatives, views)

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Return reconstruction, alignment between and within modalities, and the L2 regulariser; a scalar."""
        users, items, _ = batch.views["before"]
        target = self._target(items)
        loss = distance(batch.users, target) + distance(batch.positives, self._target(users))
        for name in self.sizes.widths:
            loss = loss + self.config.alignment * self._content_loss(batch.views[own_view(name)][1], target)
        return loss + self.config.l2 * squared_norm(users, items)

    def full_batch_loss(self, inputs: GraphInputs, pairs: AllPairs) -> Tensor:
        """Compute `auxiliary_loss` over all pairs; modalities take part through the items of some pairs, drawn anew.

        The unit vectors of a row's partners are summed first, so that no pair needs rows of its own.
        """
        users, items = self._before(inputs)
        target, target_users = self._target(items), self._target(users)
        loss = 2 - _total_cosine(self.predictor(users), pairs.sum_to_users(normalize(target)))
        loss = loss - _total_cosine(self.predictor(items), pairs.sum_to_items(normalize(target_users)))
        drawn = pairs.draw_items(_CONTENTS, self.dropout_rng)
        for name in self.sizes.widths:
            content = self._content(name, inputs, drawn)
            loss = loss + self.config.alignment * self._content_loss(content, target[drawn])
        squares = pairs.user_shares @ users.square().sum(dim=1) + pairs.item_shares @ items.square().sum(dim=1)
        return loss + self.config.l2 * squares / 2

    def _content_loss(self, content: Tensor, target: Tensor) -> Tensor:
        """Return the alignment of `content` [B, D] with its items' `target` [B, D] and with itself; a scalar."""
        online, there = self.predictor(content), content.any(dim=1)
        return distance(online, target, there) + distance(online, self._target(content), there)

    def _before(self, inputs: GraphInputs) -> tuple[Tensor, Tensor]:
        """Propagate users and items, and add the items' own rows again (equation 3)."""
        assert inputs.user_item is not None
        users, items = propagate(inputs.user_item, self.users.weight, self.items.weight, self.config.layers)
        return users, items + self.items.weight

    def _content(self, name: str, inputs: GraphInputs, items: Tensor) -> Tensor:
        """Project the features of `items` (int64 [B]), zero where absent; float32 [B, D] (equation 1)."""
        projected: Tensor = self.projections[name](embedding(items, inputs.features[name]))
        return projected * inputs.present[name][items].unsqueeze(1)

    def _target(self, rows: Tensor) -> Tensor:
        """Return a copy that takes no gradient, with a fresh dropout mask while an epoch is trained."""
        if self.dropout_rng is None:
            return rows.detach()
        kept = torch.rand(rows.shape, generator=self.dropout_rng, device=rows.device) >= self.config.dropout
        return rows.detach() * kept


def _total_cosine(online: Tensor, partners: Tensor) -> Tensor:
    """Add up the cosines of rows [R, D] with all their partners, whose unit vectors are summed in [R, D]; a scalar."""
    cosines: Tensor = (online * partners).sum(dim=1) / online.norm(dim=1).clamp(min=_TINY)
    return cosines.sum()


def distance(online: Tensor, target: Tensor, there: Tensor | None = None) -> Tensor:
    """Compute one minus the mean cosine of the rows of `online` and of `target`; a scalar.

    >>> distance(torch.eye(2), torch.eye(2).flip(0)).item()
    1.0

    Args:
        online, target: float32 [B, D].
        there: bool [B], the rows that count; all by default. The result is zero if none does.
    """
    apart = 1 - cosine_similarity(online, target, dim=1)
    return apart.mean() if there is None else (apart * there).sum() / there.sum().clamp(min=1)

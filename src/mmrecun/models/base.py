"""The contract of every recommender: sizes and a seed in, vectors out; graphs and features come with each call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import embedding

from mmrecun.arrays import Bools, Ints
from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, RequiredInputs
from mmrecun.models.gathering import gather
from mmrecun.models.info_nce import InfoNCETerm
from mmrecun.rng import Seed
from mmrecun.settings import Hyperparameters, Settings

UserItemVectors = tuple[Tensor, Tensor]


class IdTables(NamedTuple):
    """Names of the parameters that hold one trainable row per user and one per item, whatever the modalities."""

    users: str
    items: str


ID_TABLES = IdTables("users.weight", "items.weight")


class ModelConfig(Hyperparameters):
    """Settings every recommender has."""

    dim: PositiveInt = Field(default=64, description="size of the trainable rows (D)")

    def check_modalities(self, known: Sequence[str]) -> None:
        """Refuse settings that name a modality which the dataset lacks. Most models have no such setting.

        Raises:
            ConfigError: with the known modalities.
        """


class Sizes(Settings):
    """Sizes of a model: U, I, and F of each modality."""

    users: PositiveInt
    items: PositiveInt
    widths: Mapping[str, PositiveInt] = {}

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Self:
        """Return the sizes that fit `dataset`."""
        widths = {name: modality.width for name, modality in sorted(dataset.modalities.items())}
        return cls(users=len(dataset.users), items=len(dataset.items), widths=widths)


@dataclass(frozen=True)
class Vectors:
    """Vectors of all users and items; the score of a pair is the dot product of its vectors.

    Attributes:
        users, items: float32 [U, D] and [I, D].
        views: name -> further (users [U, D'], items [I, D']) that the model's own losses read.
        branches: modality -> (users [U, D'], items [I, D']), whose dot product is that modality's own score.
    """

    users: Tensor
    items: Tensor
    views: Mapping[str, UserItemVectors] = field(default_factory=dict)
    branches: Mapping[str, UserItemVectors] = field(default_factory=dict)

    @property
    def sides(self) -> UserItemVectors:
        """The vectors of users and of items."""
        return self.users, self.items

    def of_triples(self, triples: Triples, inputs: GraphInputs | None = None) -> "TripleVectors":
        """Return the rows of B triples; `inputs` are needed where users of other processes are read."""
        views = {name: _rows(*both, triples, inputs) for name, both in self.views.items()}
        return TripleVectors(*_rows(self.users, self.items, triples, inputs), views, triples)

    def branch_of_triples(self, modality: str, triples: Triples) -> "TripleVectors":
        """Return the rows of B triples in one modality's branch."""
        return TripleVectors(*_rows(*self.branches[modality], triples))


@dataclass(frozen=True)
class TripleVectors:
    """Vectors of B triples.

    Attributes:
        users, positives, negatives: float32 [B, D].
        views: name -> (users, positives, negatives) of that view.
        triples: the triples themselves, for losses that deduplicate users and items; None if unavailable.
    """

    users: Tensor
    positives: Tensor
    negatives: Tensor
    views: Mapping[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    triples: Triples | None = None

    def margins(self) -> Tensor:
        """Return the scores of the positives minus those of the negatives: float32 [B]."""
        return (self.users * (self.positives - self.negatives)).sum(dim=1)

    def take(self, at: slice) -> "TripleVectors":
        """Return the vectors of some of the triples."""
        views = {name: (users[at], one[at], other[at]) for name, (users, one, other) in self.views.items()}
        whose = self.triples.take(at) if self.triples else None
        return TripleVectors(self.users[at], self.positives[at], self.negatives[at], views, whose)


def _rows(
    users: Tensor, items: Tensor, triples: Triples, inputs: GraphInputs | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    if triples.users.device.type != "cpu":
        both = gather(torch.cat([triples.positives, triples.negatives]), items)
        positives, negatives = both.chunk(2)
        return gather(triples.users, users), positives, negatives
    # unlike that of indexing, the backward of `embedding` adds up repeated rows in a fixed order, in parallel
    return (
        inputs.rows_of_users(triples.users, users) if inputs else embedding(triples.users, users),
        embedding(triples.positives, items),
        embedding(triples.negatives, items),
    )


class EmbeddingTable(nn.Module):
    """A table with one trainable row per user or item; rows can be removed, added and drawn anew.

    Args:
        side: "users" or "items".
        rows, width: size.
        rng: draws the initial values; None leaves zeros, to be filled later.
        modality: modality that the rows are learned with, if any; an item without it gets a fresh row.
        zeros: start training from zeros instead of Glorot-uniform values.
    """

    def __init__(
        self,
        side: Literal["users", "items"],
        rows: int,
        width: int,
        rng: torch.Generator | None,
        modality: str | None = None,
        zeros: bool = False,
    ) -> None:
        super().__init__()
        self.side = side
        self.modality = modality
        self.zeros = zeros
        self.weight = nn.Parameter(torch.zeros(rows, width))
        if rng is not None and not zeros:
            nn.init.xavier_uniform_(self.weight, generator=rng)

    @property
    def feature(self) -> str | None:
        """The modality of an item's feature that each row belongs to, and goes with; None of tables of users."""
        return self.modality if self.side == "items" else None

    def fresh(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw `count` untrained rows from `rng`, on the CPU: float32 [count, width]."""
        rows = torch.zeros(count, self.weight.shape[1])
        bound = 0.0 if self.zeros else (6 / sum(self.weight.shape)) ** 0.5
        return rows.uniform_(-bound, bound, generator=rng) if bound else rows


class Recommender(nn.Module):
    """Base of every model. A subclass defines its config, the inputs it reads, its vectors and its own losses.

    A model built without a generator has zeros, to be filled later.

    Attributes:
        summary: what the model is, in one line.
        source: its paper.
        ID_TABLES: names of its two ID tables; every other table is found in `tables`, by its side and modality.
        uses_bpr: whether BPR is part of its training loss.
        user_parts: whether it can be trained by processes each of which has a part of the users, and all items.
        row_wise: whether the vectors of a batch are made of the rows and features of its users and items and of small
            parameters alone, without graphs, so that a step needs no whole table.
        dropout_rng: generator of dropout masks while an epoch is trained; None otherwise, which means no dropout.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    summary: ClassVar[str] = ""
    source: ClassVar[str] = ""
    ID_TABLES: ClassVar[IdTables] = ID_TABLES
    uses_bpr: ClassVar[bool] = True
    user_parts: ClassVar[bool] = False
    row_wise: ClassVar[bool] = False
    config: ModelConfig

    def __init__(self, config: ModelConfig, sizes: Sizes, rng: torch.Generator | None) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.sizes = sizes
        self.dropout_rng: torch.Generator | None = None

    def required_inputs(self) -> RequiredInputs:
        """Return the inputs that `vectors` reads."""
        return RequiredInputs()

    def modalities(self) -> tuple[str, ...]:
        """Return the modalities this model learns from."""
        return tuple(self.sizes.widths) if self.required_inputs().features else ()

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Compute all vectors for the graphs and features of `inputs`."""
        raise NotImplementedError

    def batch_vectors(self, inputs: GraphInputs, triples: Triples) -> TripleVectors:
        """Return `vectors(inputs).of_triples(triples)`; a model may skip computing the other rows."""
        return self.vectors(inputs).of_triples(triples)

    def epoch_inputs(self, inputs: GraphInputs, rng: torch.Generator) -> GraphInputs:  # noqa: ARG002
        """Return the inputs of one epoch of training, for models that prune or perturb their graphs."""
        return inputs

    def auxiliary_loss(self, batch: TripleVectors) -> Tensor:
        """Compute what the model's paper adds to BPR (regulariser, contrastive terms); a scalar."""
        raise NotImplementedError

    def info_nce_term(self) -> InfoNCETerm | None:
        """Return the contrastive term of `auxiliary_loss`, if it is InfoNCE between two views."""
        return None

    def tables(self) -> dict[str, EmbeddingTable]:
        """Return parameter name -> table, for every table."""
        return {f"{name}.weight": module for name, module in self.named_modules() if isinstance(module, EmbeddingTable)}

    def id_tables(self) -> dict[str, EmbeddingTable]:
        """Return parameter name -> table of the two tables named in `ID_TABLES`, that of the users first."""
        tables = self.tables()
        return {name: tables[name] for name in self.ID_TABLES}


def linear(inputs: int, outputs: int, rng: torch.Generator | None, bias: bool = True) -> nn.Linear:
    """Build a linear layer with Glorot-uniform weights from `rng` and zero bias; without `rng`, to be filled later."""
    place = torch.get_default_device()
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias, device=place)
    if rng is not None:
        nn.init.xavier_uniform_(layer.weight, generator=rng)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def squared_norm(*rows: Tensor) -> Tensor:
    """Compute half the squared L2 norm of [B, D] arrays, divided by B: the regulariser of the BPR family."""
    total = sum((row.square().sum() for row in rows), start=torch.zeros((), device=rows[0].device))
    return total / (2 * len(rows[0]))


def transfer_rows(
    source: Recommender,
    sizes: Sizes,
    user_rows: Ints,
    item_rows: Ints,
    present: Mapping[str, Bools],
    seed: Seed,
) -> Recommender:
    """Build a model of `sizes` that copies from `source` the rows and layers it keeps. All else is untrained.

    Args:
        source: the model to copy from; not changed.
        sizes: sizes of the new model; parameters of modalities that it lacks are not copied.
        user_rows, item_rows: int64, the row in `source` of each new row, or -1 for an untrained one.
        present: modality -> bool [I of the new model]; rows of an absent feature are untrained.
        seed: random seed of the untrained values.
    """
    device = next(source.parameters()).device
    with device:  # a large table crosses from host to device only where a row of it is new
        target = type(source)(source.config, sizes, None)
    origin, tables, rng = source.state_dict(), target.tables(), seed.torch()
    with torch.no_grad():
        for name, parameter in target.state_dict().items():
            if name not in tables:
                parameter.copy_(origin[name])
                continue
            table = tables[name]
            rows = user_rows if table.side == "users" else item_rows
            if table.feature is not None:
                rows = np.where(present[table.feature], rows, -1)
            kept = rows >= 0
            torch.index_select(origin[name], 0, torch.from_numpy(rows.clip(min=0)).to(device), out=parameter)
            if not kept.all():
                new = torch.from_numpy(np.flatnonzero(~kept)).to(device)
                parameter[new] = table.fresh(len(new), rng).to(device)
    return target.to(device)

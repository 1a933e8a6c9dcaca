"""The balance of a trained model: the decay of its rows by degree, and the derivative of vectors by their rows.

These facts describe the whole model and no single user or item, so that they can be kept with a run (see
`small_request`).
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple, Self

import torch
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.forget import views
from mmrecun.models.base import Recommender, UserItemVectors
from mmrecun.settings import Settings
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.mmrecun.balance import DecayByDegree, RowsAndGradient
from mmrecun.unlearning.mmrecun.expected_loss import ExpectedLoss
from mmrecun.unlearning.mmrecun.row_change import degrees_of

_MIN_COSINE_OF_FEATURES = 0.5  # of items; MGCN's of tags on CiteULike have 0.34, and their steps went astray
_PROBE = 1e-2  # length of a random change, relative to that of all rows


class BalanceFacts(Settings):
    """Facts of a trained model that small requests read.

    Attributes:
        owed: share of the pairs that requests have removed since all rows were last settled.
        epochs: of the training; 0 if that is not known.
        reach: mean squared derivative of a vector by its row; 1 where the vectors are the rows.
        decays: table -> decay of its rows; tables that cannot be solved for are left out.
    """

    owed: float = 0.0
    epochs: int = 0
    reach: float = 1.0
    decays: dict[str, DecayByDegree] = {}


class TrainedBalance(NamedTuple):
    """The balance of a trained model, measured before a request.

    Attributes:
        facts: facts to be kept with the run.
        gradients: table -> gradient over the original pairs, float32 [R, D], in original rows.
        by_outputs: gradient by what `ExpectedLoss.outputs` returns, in original rows.
        cosines: table -> mean cosine of its rows with their negative gradients.
        unsolvable: why the rows of users or of items cannot be solved for; empty where they can.
    """

    facts: BalanceFacts
    gradients: dict[str, Tensor]
    by_outputs: list[Tensor]
    cosines: dict[str, float]
    unsolvable: str

    @classmethod
    def of(cls, task: Task, loss: ExpectedLoss, min_cosine: float) -> Self:
        """Measure the rows that are retained.

        Args:
            task: the input of the method.
            loss: over the original pairs.
            min_cosine: least mean cosine between rows and their negative gradients at which a table can be solved for;
                at least 0.5 for tables of the items' features.
        """
        partition, inputs = task.partition, task.inputs(views.original)
        found = loss.at(task.model, inputs)
        kept = {"users": partition.user_rows, "items": partition.item_rows}
        decays, cosines, unsolvable = {}, dict[str, float](), ""
        for name, table in task.model.tables().items():
            degree = degrees_of(table, partition.original)[kept[table.side]]
            rows = torch.from_numpy(kept[table.side]).to(task.device)
            seen = RowsAndGradient.of(table.weight.detach()[rows], found.gradients[name][rows])
            cosine = cosines[name] = seen.mean_cosine(degree)
            if cosine >= (max(min_cosine, _MIN_COSINE_OF_FEATURES) if table.feature is not None else min_cosine):
                decays[name] = DecayByDegree.fitted(seen.decay(), degree)
            elif name in task.model.ID_TABLES:
                unsolvable = f"what pairs taught {name} explains it with a cosine of {cosine:.2f} only"
        reach = _reach(task.model, inputs, found.vectors, task.seed.child("probe").torch())
        epochs = task.carried.get("epochs", task.epochs)
        return cls(
            BalanceFacts(epochs=epochs, reach=reach, decays=decays),
            found.gradients,
            found.by_outputs,
            cosines,
            unsolvable,
        )


def vectors_of(model: Recommender, inputs: GraphInputs) -> UserItemVectors:
    """Return the vectors of users and of items, float32 [U, D] and [I, D]."""
    vectors = model.vectors(inputs)
    return vectors.users, vectors.items


@torch.no_grad()
def _reach(model: Recommender, inputs: GraphInputs, before: UserItemVectors, rng: torch.Generator) -> float:
    """Estimate the mean squared derivative of the vectors, at `before`, by the rows: from a random change of all."""
    if not model.required_inputs().user_item:
        return 1.0
    probe = deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})  # shares them
    tables = list(probe.id_tables().values())
    noise = [torch.randn(table.weight.shape, generator=rng).to(table.weight.device) for table in tables]
    size = _PROBE * _length([table.weight for table in tables]) / _length(noise)
    for table, change in zip(tables, noise, strict=True):
        table.weight = torch.nn.Parameter(table.weight.add(change, alpha=size))
    moved = [after - was for after, was in zip(vectors_of(probe, inputs), before, strict=True)]
    return max((_length(moved) / (size * _length(noise))) ** 2, 1e-3)


def _length(parts: Sequence[Tensor]) -> float:
    return float(torch.stack([part.square().sum() for part in parts]).sum().sqrt())

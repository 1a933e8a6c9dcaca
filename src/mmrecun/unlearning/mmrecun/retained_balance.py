"""The balance of the retained pairs, derived from that of the trained model and from what a request takes."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.data.sparse import SparseMatrix
from mmrecun.forget.partition import Partition
from mmrecun.models.base import EmbeddingTable, Recommender
from mmrecun.unlearning.mmrecun.balance import Balance, share_left
from mmrecun.unlearning.mmrecun.expected_loss import ExpectedLoss, LossAt
from mmrecun.unlearning.mmrecun.partner_effect import lean_of_lost_pairs
from mmrecun.unlearning.mmrecun.row_change import RowChange
from mmrecun.unlearning.mmrecun.trained_balance import TrainedBalance

WELL_EXPLAINED = 0.8  # LightGCN has 0.87 and 0.83 on Baby and CiteULike, 0.7 on MovieLens
_LEAST_SCALE, _TINY = 0.05, 1e-9


def retained_balances(
    partition: Partition,
    trained: TrainedBalance,
    tables: Mapping[str, EmbeddingTable],
    changes: Mapping[str, RowChange],
    loss_now: Callable[[], LossAt],
    gradient_scales: Mapping[str, Tensor],
    leans: Mapping[str, Tensor],
    contrast: bool,
) -> dict[str, Balance]:
    """Return the balance of each of `tables`.

    Args:
        partition: the request.
        trained: the balance of the trained model.
        tables: those of the model of the retained data that can be solved for.
        changes: what their rows lose.
        loss_now: evaluates the loss of the retained pairs at the trained rows.
        gradient_scales: see `gradient_scales`; of no table where no features were lost.
        leans: see `lost_leans`; of no table where no pair was lost, or no graph averages rows.
        contrast: whether rows learn by contrast with those that they meet, too.
    """
    share = max(len(partition.retained.train), 1) / max(len(partition.original.train), 1)
    found = {}
    for name, table in tables.items():
        rows, own = _rows(partition, table), table.weight.detach()
        gradient, change = trained.gradients[name][rows], changes[name]
        # by contrast, or where items share features or graphs join many rows, most of a row may come from the pairs of
        # others, and its rest is more than noise of its own
        alone = trained.cosines[name] >= WELL_EXPLAINED and not contrast
        left = None if alone else share_left(gradient, loss_now().gradients[name])
        balance = Balance.of(own, gradient, trained.facts.decays[name], *change.degrees, share, left, leans.get(name))
        if name in gradient_scales:
            balance = balance.with_decay_scaled(gradient_scales[name])
        found[name] = balance.with_fixed(change.emptied, own)
    return found


def lost_leans(
    partition: Partition, trained: TrainedBalance, model: Recommender, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Compute how far rests lean because of forgotten pairs: table of users or of items -> float32 [R, D].

    Args:
        partition: the request.
        trained: the balance of the trained model.
        model: as trained.
        rng: draws pairs and non-members.
    """
    original = partition.original
    sizes, found = (len(original.users), len(original.items)), {}
    pairs = SparseMatrix.of(original.train.matrix(*sizes), trained.by_outputs[0].device)
    for name, table in model.id_tables().items():
        if name not in trained.facts.decays:
            continue
        number, own = int(table.side == "items"), table.weight.detach()
        decay = torch.from_numpy(trained.facts.decays[name](original.degrees[number])).to(own)[:, None]
        lean = lean_of_lost_pairs(partition, pairs, number, own, -trained.gradients[name] / decay, rng)
        found[name] = lean[_rows(partition, table)]
    return found


def gradient_scales(
    partition: Partition, trained: TrainedBalance, loss: ExpectedLoss, model: Recommender, inputs: GraphInputs
) -> dict[str, Tensor]:
    """Compute how large the gradient of each row is without the lost features: table -> float32 [R, 1], at most 1.

    Adam's steps do not shrink with the gradient. So a row that is reached through one branch less is not trained less:
    what decays is in proportion to its gradient. In MGCN on MovieLens a quarter of the length of items without text
    would be missing otherwise.

    The gradient by the vectors is that of the trained model; only the way from there to the rows has changed.
    """
    tables, outputs = model.tables(), loss.outputs(model, inputs)
    sides = [torch.from_numpy(rows).to(outputs[0].device) for rows in (partition.user_rows, partition.item_rows)]
    by_outputs = [by[sides[number % 2]] for number, by in enumerate(trained.by_outputs)]
    if any(by.shape != output.shape for by, output in zip(by_outputs, outputs, strict=True)):
        return {}  # each modality has places of its own in the vectors, as in VBPR: rows have no other way to them
    weights = [table.weight for table in tables.values()]
    after = torch.autograd.grad(outputs, weights, by_outputs, materialize_grads=True, allow_unused=True)
    scales = {}
    for (name, table), gradient in zip(tables.items(), after, strict=True):
        before = trained.gradients[name][_rows(partition, table)]
        length = before.norm(dim=1, keepdim=True)
        ratio = torch.where(length > 0, gradient.norm(dim=1, keepdim=True) / length.clamp(min=_TINY), 1.0)
        scales[name] = ratio.clamp(_LEAST_SCALE, 1)
    return scales


def _rows(partition: Partition, table: EmbeddingTable) -> Tensor:
    """Return the original rows that are retained, int64 [R]."""
    rows = partition.user_rows if table.side == "users" else partition.item_rows
    return torch.from_numpy(rows).to(table.weight.device)

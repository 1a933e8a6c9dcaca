"""Small requests: only the rows that lost pairs move, and the other rows wait for a later, larger request.

The few pairs of most users hardly change other rows, and solving for all rows costs the same for one user as for a
thousand. So a small request moves only the rows of its pairs. In models that average rows over a graph, each moves
until it agrees with its forgotten partners as rows do that never were their partners (see `non_members`); in others by
a Newton step of its own. Facts of the whole model are computed once, before the first small request, and kept with the
run (see `trained_balance`), as is the share of the pairs that requests have removed since all rows were last settled.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, build_inputs
from mmrecun.data.interactions import Interactions
from mmrecun.forget.partition import Partition
from mmrecun.models.base import EmbeddingTable, Recommender, UserItemVectors
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.mmrecun.balance import DecayByDegree, pairs_kept
from mmrecun.unlearning.mmrecun.expected_bpr import gradient_weight, hessian_weight
from mmrecun.unlearning.mmrecun.links import add_rows
from mmrecun.unlearning.mmrecun.non_members import agree_as_non_members
from mmrecun.unlearning.mmrecun.row_change import degrees_of, reset_emptied
from mmrecun.unlearning.mmrecun.row_matching import keep_standing
from mmrecun.unlearning.mmrecun.step_scale import row_scale
from mmrecun.unlearning.mmrecun.trained_balance import BalanceFacts
from mmrecun.unlearning.mmrecun.trained_vectors import TrainedVectors

_WHERE_OTHERS_STAY = 2.0  # times as far as their neighbours predict, who lean towards the partner, too
_MOST_PAIRS = 4096  # pairs sampled for the curvature of their rows
_MOST_ENTRIES = 1 << 24  # of curvature matrices at a time
_ITEM_GRAPHS: dict[bytes, sp.csr_array] = {}  # of the last request; the next one often has the same items


@torch.no_grad()
def moved_alone(task: Task, facts: BalanceFacts, negatives: int, step_scale: float) -> Recommender:
    """Return a model of the retained data in which only rows that lost pairs have moved.

    Args:
        task: the input of the method.
        facts: facts of the trained model.
        negatives: number of negatives to draw; models with a graph need none.
        step_scale: scale of the Newton steps.
    """
    model = retained_model(task, task.model)
    trained = TrainedVectors(task.model, _inputs_of(task.model, task.partition.original))
    if model.required_inputs().user_item:
        reset_emptied(model.tables(), task.partition, task.seed.child("fresh rows").torch())
        rng = task.seed.child("non-members").numpy()
        inputs = _inputs_of(model, task.partition.retained)
        agree_as_non_members(model, inputs, task.partition, trained, rng, _WHERE_OTHERS_STAY)
    else:
        for move in list(_moves(task, facts, _Local(task, negatives, trained), model)):
            move.table.weight[move.places] += row_scale(step_scale, move.kept, False) * move.step
        reset_emptied(model.tables(), task.partition, task.seed.child("fresh rows").torch())
    before, after = ([table.weight.detach() for table in each.id_tables().values()] for each in (task.model, model))
    keep_standing(before, after, task.partition)
    return model


def _inputs_of(model: Recommender, data: Dataset) -> GraphInputs:
    """Build the graphs and features that a model reads of `data`; item graphs of the last request are used again."""
    device = next(model.parameters()).device
    inputs = build_inputs(data, model.required_inputs(), device, graph_cache=_ITEM_GRAPHS)
    while len(_ITEM_GRAPHS) > 2 * len(inputs.item_graphs):  # of the data before a request, and after it
        del _ITEM_GRAPHS[next(iter(_ITEM_GRAPHS))]
    return inputs


class _Move(NamedTuple):
    """The steps of M rows of a table.

    Attributes:
        table: of the model of the retained data.
        places: int64 [M], the rows.
        kept: float32 [M, 1], the share of its pairs that each row keeps.
        step: float32 [M, D].
    """

    table: EmbeddingTable
    places: Tensor
    kept: Tensor
    step: Tensor


def _moves(task: Task, facts: BalanceFacts, local: "_Local", model: Recommender) -> Iterator[_Move]:
    partition = task.partition
    tables = [
        (name, table, degrees_of(table, partition.original), degrees_of(table, partition.retained))
        for name, table in model.tables().items()
        if name in facts.decays
    ]
    for number, side in enumerate(("users", "items")):
        for rows in _rows_that_lost_pairs(partition, number, local.rows_at_once):
            curvature = local.curvature(side, rows.original)
            for name, table, old, new in tables:
                if table.side == side:
                    degrees = old[rows.original], new[rows.retained]
                    step = _newton_step(table, rows, local.taught(name), curvature, facts.decays[name], degrees)
                    places = torch.from_numpy(rows.retained).to(step.device)
                    yield _Move(table, places, pairs_kept(*degrees, step), step)


class _Rows(NamedTuple):
    """M retained rows of one side that lost pairs: their places in both datasets, int64 [M] each."""

    original: Ints
    retained: Ints


def _rows_that_lost_pairs(partition: Partition, number: int, at_once: int) -> Iterator[_Rows]:
    """Yield those of users (`number` 0) or items (1), at most `at_once` together."""
    removed = (partition.removed_users, partition.removed_items)[number]
    kept = (partition.user_rows, partition.item_rows)[number]
    pairs = (partition.forgotten.users, partition.forgotten.items)[number]
    affected = np.unique(pairs[~removed[pairs]])
    for start in range(0, len(affected), at_once):
        rows = affected[start : start + at_once]
        yield _Rows(rows, np.searchsorted(kept, rows))


def _newton_step(
    table: EmbeddingTable,
    rows: _Rows,
    taught: Tensor,
    curvature: Tensor,
    decay_at: DecayByDegree,
    degrees: tuple[Ints, Ints],
) -> Tensor:
    """Return the step of each of M rows, float32 [M, D'].

    Args:
        table: table of the model of the retained data.
        rows: the M rows.
        taught: gradient over the forgotten pairs by all original rows, float32 [R, D'].
        curvature: float32 [M, D, D].
        decay_at: the decay of the table's rows.
        degrees: int64 [M] each, before and after.
    """
    at, to = (torch.from_numpy(each).to(taught.device) for each in (rows.original, rows.retained))
    old, new = (torch.from_numpy(decay_at(degree)).to(taught)[:, None] for degree in degrees)
    return _solved(curvature, new, taught[at] + (old - new) * table.weight[to])


def _solved(curvature: Tensor, decay: Tensor, target: Tensor) -> Tensor:
    """Solve (curvature + decay) x = target for each row.

    Rows of another width than the vectors have the mean curvature of all directions.

    Args:
        curvature: float32 [M, D, D].
        decay: float32 [M, 1].
        target: float32 [M, D'].
    """
    width = curvature.shape[1]
    if target.shape[1] != width:
        return target / (curvature.diagonal(dim1=1, dim2=2).mean(dim=1, keepdim=True) + decay)
    whole = curvature + decay[:, :, None] * torch.eye(width, device=target.device)
    found: Tensor = torch.linalg.solve(whole, target)
    return found


class _Local:
    """Gradient of BPR over the forgotten pairs, and curvature over all pairs of a row; in original rows."""

    def __init__(self, task: Task, negatives: int, trained: TrainedVectors) -> None:
        self._task, self._rng = task, task.seed.child("small request").numpy()
        data = task.partition.original
        self._train = data.train
        self._drawn = np.sort(self._rng.permutation(len(data.items))[:negatives])
        self._vectors = trained.sides
        self._taught = trained.by_rows(self._gradient(task.partition.forgotten))

    @property
    def rows_at_once(self) -> int:
        """Number of rows whose curvature matrices fit the memory limit."""
        return max(1, _MOST_ENTRIES // self._vectors[0].shape[1] ** 2)

    def taught(self, table: str) -> Tensor:
        """Return the gradient of BPR over the forgotten pairs by the rows of a table, float32 [R, D]."""
        return self._taught[table]

    def curvature(self, side: str, rows: Ints) -> Tensor:
        """Return the curvature of BPR over all pairs of the M `rows` of a side, by their vectors: float32 [M, D, D]."""
        users, items = self._vectors
        centred = items - items.mean(dim=0)
        if side == "users":
            own, others = self._train.take(self._train.rows_of_users(rows)[0]), centred
        else:
            own, others = self._train.select(np.isin(self._train.items, rows)), users
        sampled = own.sample(_MOST_PAIRS, self._rng)
        ends, partners = (sampled.users, sampled.items) if side == "users" else (sampled.items, sampled.users)
        weights = self._stiffness(sampled) * (len(own) / max(len(sampled), 1))
        negative = self._as_negatives(users) if side == "items" else centred.T @ centred / len(items)
        found = torch.empty(len(rows), users.shape[1], users.shape[1], device=users.device)
        for number, row in enumerate(rows):
            mine = np.flatnonzero(ends == row)
            factors, weight = others[torch.from_numpy(partners[mine]).to(users.device)], weights[mine]
            as_negative = negative if side == "items" else negative * weight.sum()
            found[number] = (factors * weight[:, None]).T @ factors + as_negative
        return found

    def _as_negatives(self, users: Tensor) -> Tensor:
        """Compute the curvature of an item as a negative, which is the same for all items: float32 [D, D]."""
        pairs = self._train.sample(_MOST_PAIRS, self._rng)
        rows = users[torch.tensor(pairs.users, device=users.device)]
        share = len(self._train) / max(len(pairs), 1) / len(self._vectors[1])
        return (rows * (self._stiffness(pairs) * share)[:, None]).T @ rows

    def _gradient(self, pairs: Interactions) -> UserItemVectors:
        """Compute the gradient by the vectors, of items as positives only: as negatives all items have the same."""
        users, items = self._vectors
        own, good = (torch.tensor(rows, device=users.device) for rows in (pairs.users, pairs.items))
        margins, share = self._margins(pairs)
        weights = gradient_weight(margins).mul_(share)
        whole = weights.sum(dim=1, keepdim=True)
        away = weights @ items[torch.from_numpy(self._drawn).to(users.device)]
        by_user, by_item = torch.zeros_like(users), torch.zeros_like(items)
        add_rows(by_user, own, away - whole * items[good])
        add_rows(by_item, good, -whole * users[own])
        return by_user, by_item

    def _stiffness(self, pairs: Interactions) -> Tensor:
        margins, share = self._margins(pairs)
        return (hessian_weight(gradient_weight(margins)) * share).sum(dim=1)

    def _margins(self, pairs: Interactions) -> tuple[Tensor, Tensor]:
        """Compute the margins of N pairs over the S drawn items, and their weights: float32 [N, S] both."""
        users, items = self._vectors
        own, good = (torch.tensor(rows, device=users.device) for rows in (pairs.users, pairs.items))
        drawn = np.broadcast_to(self._drawn, (len(pairs), len(self._drawn)))
        known = self._train.contains(np.repeat(pairs.users, drawn.shape[1]), drawn.ravel(), len(items))
        allowed = torch.from_numpy(1 - known.reshape(drawn.shape).astype(np.float32)).to(users.device)
        scores = users[own] @ items[torch.from_numpy(self._drawn).to(users.device)].T
        margins = (users[own] * items[good]).sum(dim=1, keepdim=True) - scores
        return margins, allowed / allowed.sum(dim=1, keepdim=True).clamp(min=1)

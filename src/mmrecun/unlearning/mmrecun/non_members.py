"""Move rows until they agree with their forgotten partners only as far as rows do that never were their partners.

The vector of a row that lost a pair still agrees with that of its partner, since each taught the other. How far it
would agree without the pair is estimated from rows like it: *non-members* share a partner with it, and were never
partners of the forgotten one. Their agreement is regressed on that of their neighbourhoods, and a row that lost a pair
gets the agreement that its own neighbourhood predicts, with the deviation of a non-member that is drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmrecun.arrays import Ints
from mmrecun.data.dataset import inverse_index
from mmrecun.data.graph import GraphInputs
from mmrecun.data.sparse import product, square_diagonal
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender, UserItemVectors
from mmrecun.unlearning.mmrecun.links import add_rows
from mmrecun.unlearning.mmrecun.trained_balance import vectors_of
from mmrecun.unlearning.mmrecun.trained_vectors import TrainedVectors

_DRAWN = 2048
FEWEST = 32  # rows among the non-members that are drawn; a regression of ten numbers needs them
_RIDGE = 1e-6  # of the mean square of the predictors
_TINY = 1e-12


class _Side(NamedTuple):
    """Rows of one side that lost pairs, and the non-members that they are compared with.

    Attributes:
        number: 0 for users, 1 for items.
        rows, original: int64 [T], their places in the retained and in the original data.
        towards: unit float32 [T, D], the mean direction of the forgotten partners of each.
        others: int64 [C], non-members, in retained rows.
        like: int64 [C], the one of `rows` whose partners each is compared with.
    """

    number: int
    rows: Tensor
    original: Tensor
    towards: Tensor
    others: Tensor
    like: Tensor


@torch.no_grad()
def agree_as_non_members(
    model: Recommender,
    inputs: GraphInputs,
    partition: Partition,
    trained: TrainedVectors,
    rng: np.random.Generator,
    scale: float,
) -> None:
    """Move the rows of retained users and items that lost pairs, in place; all others stay.

    Args:
        model: of the retained data.
        inputs: graphs and features of the retained data; the graph of users and items is among them.
        partition: original and retained data.
        trained: vectors of the original users and items.
        rng: draws non-members.
        scale: of the move.
    """
    assert inputs.user_item is not None
    adjacency = inputs.user_item.forward
    edges = edges_of(adjacency)
    found = (_side(number, partition, trained.sides, edges, rng) for number in (0, 1))
    sides = [side for side in found if side is not None]
    if not sides:
        return
    tables = model.id_tables()
    weights, pulls = [table.weight for table in tables.values()], _pulls(sides, list(tables), trained)
    vectors = vectors_of(model, inputs)
    wanted = _wanted(sides, vectors, adjacency, partition.retained.degrees, rng)
    for side, pull, target in zip(sides, pulls, wanted, strict=True):
        missing = target - (vectors[side.number][side.rows] * side.towards).sum(dim=1)
        far = scale * missing[:, None] / pull.square().sum(dim=1, keepdim=True).clamp(min=_TINY)
        weights[side.number][side.rows] += far * pull


def _pulls(sides: Sequence[_Side], tables: Sequence[str], trained: TrainedVectors) -> list[Tensor]:
    """Return the gradient of the agreement by the rows of each side, float32 [T, D]."""
    gradient = torch.zeros_like(trained.sides[0]), torch.zeros_like(trained.sides[1])
    for side in sides:
        gradient[side.number][side.original] = side.towards
    found = trained.by_rows(gradient)
    return [found[tables[side.number]][side.original] for side in sides]


def _side(
    number: int, partition: Partition, trained: UserItemVectors, edges: tuple[Ints, Ints], rng: np.random.Generator
) -> _Side | None:
    """Find the rows of a side that lost pairs and keep some, and draw non-members; None if there are too few.

    Args:
        number: 0 for users, 1 for items.
        partition: original and retained data.
        trained: vectors of the original users and items.
        edges: of the retained graph, see `edges_of`.
        rng: draws non-members.
    """
    ends = (partition.forgotten.users, partition.forgotten.items)
    kept, sizes = (partition.user_rows, partition.item_rows)[number], [len(side) for side in trained]
    places = inverse_index(kept, sizes[number])[ends[number]]
    stay = places >= 0
    stay[stay] = partition.retained.degrees[number][places[stay]] > 0
    if not stay.any():
        return None
    rows, whose = np.unique(places[stay], return_inverse=True)
    partners, device = ends[1 - number][stay], trained[0].device
    towards = torch.zeros(len(rows), trained[0].shape[1], device=device)
    lost, of = (torch.from_numpy(part).to(device) for part in (partners, whose))
    add_rows(towards, of, trained[1 - number][lost])
    drawn, first = rng.integers(len(partners), size=_DRAWN), number * len(partition.user_rows)
    found = drawn_neighbours(edges, drawn_neighbours(edges, first + rows[whose[drawn]], rng), rng) - first
    pairs = (kept[found], partners[drawn]) if number == 0 else (partners[drawn], kept[found])
    strangers = ~(partition.original.train.contains(*pairs, sizes[1]) | np.isin(found, rows))
    if len(np.unique(found[strangers])) < FEWEST:
        return None
    indices = (rows, kept[rows], found[strangers], whose[drawn][strangers])
    own, original, others, like = (torch.from_numpy(part).to(device) for part in indices)
    return _Side(number, own, original, normalize(towards, dim=1), others, like)


def edges_of(adjacency: Tensor) -> tuple[Ints, Ints]:
    """Return where the neighbours of each node start, int64 [N + 1], and all neighbours, int64 [E], of a CSR graph."""
    return adjacency.crow_indices().cpu().numpy(), adjacency.col_indices().cpu().numpy()


def drawn_neighbours(edges: tuple[Ints, Ints], nodes: Ints, rng: np.random.Generator) -> Ints:
    """Draw a neighbour of each node, int64 [N], that has one."""
    starts, columns = edges
    count = starts[nodes + 1] - starts[nodes]
    found: Ints = columns[starts[nodes] + (rng.random(len(nodes)) * count).astype(np.int64)]
    return found


def _wanted(
    sides: Sequence[_Side],
    vectors: UserItemVectors,
    adjacency: Tensor,
    degrees: tuple[Ints, Ints],
    rng: np.random.Generator,
) -> list[Tensor]:
    """Predict how far the rows of each side would agree without the forgotten pairs; float32 [T] each."""
    own = torch.cat(list(vectors))
    near = product(adjacency, own)
    far = product(adjacency, near) - square_diagonal(adjacency)[:, None] * own
    sizes = [len(side) for side in vectors]
    hoods = list(zip(*(part.split(sizes) for part in (own, near, far)), strict=True))
    found = []
    for side in sides:
        logs = torch.from_numpy(np.log1p(degrees[side.number])).to(own)
        seen, agreed = _predictors(hoods[side.number], logs, side.others, side.towards[side.like])
        square = seen.T @ seen
        square += _RIDGE * square.diagonal().mean() * torch.eye(len(square)).to(square)
        weights = torch.linalg.solve(square, seen.T @ agreed)
        deviations = agreed - seen @ weights
        drawn = torch.from_numpy(rng.integers(len(deviations), size=len(side.rows))).to(own.device)
        predicted = _predictors(hoods[side.number], logs, side.rows, side.towards)[0] @ weights
        found.append((predicted + deviations[drawn]).to(own.dtype))
    return found


def _predictors(hood: tuple[Tensor, ...], logs: Tensor, rows: Tensor, towards: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is known of M rows: float64 [M, 9], and their agreement with `towards`, float64 [M].

    Args:
        hood: vectors of a side and the means of those one and two hops from each, float32 [R, D].
        logs: log degrees, float32 [R].
        rows: int64 [M].
        towards: unit float32 [M, D].
    """
    own, near, far = (part[rows].double() for part in hood)
    degree, one, two = logs[rows].double(), (near * towards).sum(dim=1), (far * towards).sum(dim=1)
    lengths = (part.norm(dim=1) for part in (own, near, far))
    columns = torch.ones_like(degree), one, two, one * degree, two * degree, degree, *lengths
    return torch.stack(columns, dim=1), (own * towards).sum(dim=1)

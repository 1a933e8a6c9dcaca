"""Give rows that lost pairs the traits of rows of the same degree that lost none, so that none of them stands out.

A solved row remains a little longer, and agrees a little less with its neighbourhood, than a row that never had the
forgotten pairs. An attacker with the model and the retained pairs could recognise it by that. So four traits are
adjusted: the log length of the trained row, its cosines with the mean of its partners and with the rows two hops away,
and the agreement of the served vector with the mean vector of the other side. The dependence of these traits on the
share of lost pairs is removed by regression (see `share_effect`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from mmrecun.arrays import Doubles, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs, user_item_graph
from mmrecun.data.sparse import product, square_diagonal
from mmrecun.evaluation.row_traits import degree_strata, normal_scores, structure
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender
from mmrecun.unlearning.mmrecun.share_effect import at_scores, without_effect

_FEWEST = 5  # rows that lost pairs; fewer are too few for a regression
_MOST_PEERS = 512  # whose traits a single row is ranked among
_DIGITS = 3  # of traits that are ranked
_ROUNDS = 2  # the traits of a row depend on its neighbours, which move, too
_PARALLEL = 1e-6  # is added to the squared lengths of directions, which may be parallel
_LEAST_REST = 0.05  # of a row's length that always lies outside the span of its directions


def match_rows(model: Recommender, inputs: GraphInputs, partition: Partition, reach: float = 1.0) -> None:
    """Change the rows of retained users and items that lost pairs, in place.

    Args:
        model: of the retained data.
        inputs: graphs and features of the retained data.
        partition: original and retained data.
        reach: mean squared derivative of a vector by its row; 1 where the vectors are the rows.
    """
    forgotten, data = partition.forgotten, partition.retained
    affected = (
        np.unique(forgotten.users[~partition.removed_users[forgotten.users]]),
        np.unique(forgotten.items[~partition.removed_items[forgotten.items]]),
    )
    if max(map(len, affected)) < _FEWEST:
        return
    tables = [table.weight.detach() for table in model.id_tables().values()]
    graph = inputs.user_item
    adjacency = _graph(data, tables[0].device) if graph is None else graph.forward
    shown = structure(adjacency, len(data.users))
    both = _Side.of(partition, True, shown.users), _Side.of(partition, False, shown.items)
    sides = [side for side in both if len(side.touched) >= _FEWEST]
    if not sides:
        return
    nodes = [side.first + side.rows[side.touched] for side in sides]
    whose = [np.full(len(part), number) for part, number in zip(nodes, map(both.index, sides), strict=True)]
    asked = torch.from_numpy(np.stack([np.concatenate(nodes), np.concatenate(whose)])).to(tables[0].device)
    own_share = square_diagonal(adjacency)
    for _ in range(_ROUNDS):
        seen = _neighbourhoods(tables, adjacency, own_share)
        middle = _Middle.of(model, inputs, reach)
        measured = _measured(*seen, middle.agreement)
        wanted = np.concatenate([side.wanted(measured) for side in sides])
        _match(tables, seen, middle, asked, wanted)


class _Middle(NamedTuple):
    """Agreement of each of N vectors with the mean vector of the other side, and its derivative by the row.

    Attributes:
        agreement: float32 [N], users first.
        ways: unit float32 [2, D], the directions of rows of users and of items in which `agreement` grows.
        slope: float32 [N], derivative of `agreement` by a row's cosine with its way.
    """

    agreement: Tensor
    ways: Tensor
    slope: Tensor

    @classmethod
    def of(cls, model: Recommender, inputs: GraphInputs, reach: float) -> Self:
        """Measure both sides, users and items."""
        weights = [table.weight for table in model.id_tables().values()]
        vectors = model.vectors(inputs)
        pair = vectors.users, vectors.items
        middles = [other.detach().mean(dim=0) for other in reversed(pair)]
        found = []
        for own, middle, weight in zip(pair, middles, weights, strict=True):
            dots = own @ middle
            (pull,) = torch.autograd.grad(dots.sum(), weight, retain_graph=True)
            length = own.detach().norm(dim=1).clamp(min=1e-12)
            slope = (reach**0.5 * middle.norm()) * weight.detach().norm(dim=1) / length
            found.append((dots.detach() / length, normalize(pull.mean(dim=0), dim=0), slope.clamp(min=1e-12)))
        agreement, ways, slopes = zip(*found, strict=True)
        return cls(torch.cat(agreement), torch.stack(ways), torch.cat(slopes))


@dataclass(frozen=True, eq=False)
class _Side:
    """Rows of users or of items that can be compared, M of them.

    Attributes:
        first: number of rows before those of this side, users being first.
        rows: int64 [M], retained rows that have pairs.
        shares: float64 [M], the share of its pairs that each lost.
        strata: int64 [M], rows of nearly equal degree.
        shown: float64 [M, S], normal scores of traits computed from the retained pairs alone.
        touched: int64, indices of rows that lost a pair.
    """

    first: int
    rows: Ints
    shares: Doubles
    strata: Ints
    shown: Doubles
    touched: Ints

    @classmethod
    def of(cls, partition: Partition, of_users: bool, shown: Doubles) -> Self:
        """Compare the rows of a side, with traits `shown` of the retained pairs alone: float64 [R, S]."""
        before = partition.original.degrees[0 if of_users else 1]
        forgotten = partition.forgotten.users if of_users else partition.forgotten.items
        kept = partition.user_rows if of_users else partition.item_rows
        lost = np.bincount(forgotten, minlength=len(before))
        strata = degree_strata((before - lost)[kept])
        rows = np.flatnonzero(strata > 0)
        shares = (lost / np.maximum(before, 1))[kept][rows]
        scores = normal_scores(shown[rows], strata[rows])
        first = 0 if of_users else len(partition.user_rows)
        return cls(first, rows, shares, strata[rows], scores, np.flatnonzero(shares > 0))

    def wanted(self, measured: Doubles) -> Doubles:
        """Return the traits that the T touched rows should have, float64 [T, 4], given those of all, of `_measured`."""
        of_side = measured[self.first + self.rows]
        traits, lengths = of_side[:, :4], of_side[:, 4:]
        context = np.column_stack([self.shown, normal_scores(lengths, self.strata)])
        # rows at the end of their stratum were given equal traits in the first round; rounding errors do not rank them
        scores = normal_scores(traits.round(_DIGITS), self.strata)
        found = at_scores(traits, scores, without_effect(scores, self.shares, context), self.strata)
        return found[self.touched]


@torch.no_grad()
def _measured(own: Tensor, near: Tensor, far: Tensor, agreement: Tensor) -> Doubles:
    """Return four traits of N rows, and the lengths of the mean rows one and two hops away: float64 [N, 6]."""
    lengths = [near.norm(dim=1, keepdim=True), far.norm(dim=1, keepdim=True)]
    found = torch.cat([_traits(own, near, far), agreement[:, None], *lengths], dim=1)
    return _on_host(found)


@torch.no_grad()
def _match(tables: Sequence[Tensor], seen: Sequence[Tensor], middle: _Middle, asked: Tensor, wanted: Doubles) -> None:
    """Give touched rows of both `tables` the traits `wanted`, float64 [T, 4].

    Args:
        seen: the rows and the mean rows one and two hops away, float32 [N, D] each.
        middle: agreement with the other side.
        asked: int64 [2, T], the nodes and their sides.
    """
    nodes, whose = asked
    own, near, far = (part[nodes] for part in seen)
    traits, way = torch.from_numpy(wanted).to(own), middle.ways[whose]
    traits[:, 3] = cosine_similarity(own, way) + (traits[:, 3] - middle.agreement[nodes]) / middle.slope[nodes]
    whole = seen[0]
    whole[nodes] = with_traits(own, (near, far, way), traits)
    torch._foreach_copy_(list(tables), list(whole.split([len(table) for table in tables])))


def _traits(own: Tensor, near: Tensor, far: Tensor) -> Tensor:
    """Compute log length, cosine with `near` and cosine with `far` of rows [M, D]: float32 [M, 3]."""
    length = own.norm(dim=1).clamp(min=1e-12)
    unit = own / length[:, None]
    found = [length.log(), (unit * normalize(near, dim=1)).sum(dim=1), (unit * normalize(far, dim=1)).sum(dim=1)]
    return torch.stack(found, dim=1)


def _on_host(traits: Tensor) -> Doubles:
    found: Doubles = traits.cpu().double().numpy()
    return found


@torch.no_grad()
def keep_standing(before: Sequence[Tensor], after: Sequence[Tensor], partition: Partition) -> None:
    """Give each row that lost pairs the rank that it had, by each trait, among rows of equal degree.

    For requests that are too small for a regression. A row that was longer than nine tenths of the rows of its degree
    will be longer than nine tenths of those of its new degree.

    Args:
        before: float32 [U, D] and [I, D], as trained.
        after: float32 [U', D] and [I', D], changed in place.
        partition: original and retained data.
    """
    seen = []
    for tables, data in ((before, partition.original), (after, partition.retained)):
        graph = _graph(data, tables[0].device)
        _, near, far = _neighbourhoods(tables, graph, square_diagonal(graph))
        sizes = [len(table) for table in tables]
        seen.append((tables, near.split(sizes), far.split(sizes)))
    for number, table in enumerate(after):
        kept = partition.item_rows if number else partition.user_rows
        degree, new_degree = partition.original.degrees[number], partition.retained.degrees[number]
        strata, new_strata = degree_strata(degree), degree_strata(new_degree)
        for row in np.flatnonzero((new_degree < degree[kept]) & (new_strata > 0)):
            place = torch.tensor([row], device=table.device)
            peers, new_peers = (
                _peers(groups, at).to(table.device) for groups, at in ((strata, kept[row]), (new_strata, row))
            )
            scores, values = (
                _on_host(_traits(*(part[number][rows] for part in hood)))
                for hood, rows in zip(seen, (peers, new_peers), strict=True)
            )
            was = torch.tensor([kept[row]], device=table.device)
            own = _on_host(_traits(*(part[number][was] for part in seen[0])))
            rank = (scores < own).mean(axis=0)
            wanted = [np.quantile(values[:, trait], rank[trait]) for trait in range(len(rank))]
            near, far = (part[number][place] for part in seen[1][1:])
            table[place] = with_traits(table[place], (near, far), torch.tensor([wanted]).to(table))


def _peers(strata: Ints, row: np.integer) -> Tensor:
    """Return rows of the stratum of `row`, int64; every n-th of many."""
    rows = np.flatnonzero(strata == strata[row])
    return torch.from_numpy(rows[:: -(-len(rows) // _MOST_PEERS)])


def _graph(data: Dataset, device: torch.device) -> Tensor:
    return user_item_graph(data.train, len(data.users), len(data.items), device).forward


def _neighbourhoods(tables: Sequence[Tensor], adjacency: Tensor, own_share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of users and items, and the mean rows one and two hops from each: float32 [U + I, D] all.

    Two hops lead back to a row itself with a weight of `own_share`, float32 [U + I], the diagonal of the square.
    """
    own = torch.cat(list(tables))
    near = product(adjacency, own)
    return own, near, product(adjacency, near) - own_share[:, None] * own


def with_traits(own: Tensor, towards: Sequence[Tensor], traits: Tensor) -> Tensor:
    """Turn and scale rows until they have the given traits.

    A row is a combination of the unit vectors that it is turned towards and of the unit vector of its component outside
    their span. The cosines give the coefficients of the former, and the length that of the latter. Where no row has
    all cosines, as where two of the directions are nearly parallel, all go as far from the present ones to those
    wanted as a row can.

    Args:
        own: float32 [M, D].
        towards: [M, D] each.
        traits: [M, 1 + number of `towards`], log length and cosines.
    """
    ways = torch.stack([normalize(way.double(), dim=1) for way in towards], dim=1)
    gram = ways @ ways.mT
    gram += _PARALLEL * torch.eye(len(towards)).to(gram)
    unit = normalize(own.double(), dim=1)

    def in_span(cosines: Tensor) -> Tensor:
        coefficients: Tensor = torch.linalg.solve(gram, cosines)
        return (coefficients[:, :, None] * ways).sum(dim=1)

    now = (ways @ unit[:, :, None])[:, :, 0]
    present, change = in_span(now), in_span(traits[:, 1:] - now)
    outside = normalize(unit - present, dim=1)
    inside = present + _feasible(present, change) * change
    rest = (1 - inside.square().sum(dim=1, keepdim=True)).clamp(min=_LEAST_REST**2).sqrt()
    turned: Tensor = normalize(inside + rest * outside, dim=1) * traits[:, :1].exp()
    return turned.to(own.dtype)


def _feasible(start: Tensor, change: Tensor) -> Tensor:
    """Return the share, from 0 to 1, of each `change` [M, D] after which `start` [M, D] fits in a unit row: [M, 1]."""
    along, square = ((change * other).sum(dim=1, keepdim=True) for other in (start, change))
    room = (1 - _LEAST_REST**2 - start.square().sum(dim=1, keepdim=True)).clamp(min=0)
    # |start + share * change|^2 = 1 - least^2 is quadratic in the share
    return (((along.square() + square * room).sqrt() - along) / square.clamp(min=1e-12)).clamp(0, 1)

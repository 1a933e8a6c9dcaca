"""Give rows that lost pairs the traits of rows of the same degree that lost none, so that none of them stands out.

However well a row is solved for, it is left a little longer, and agrees a little less with its neighbourhood, than a
row that never had the forgotten pairs. Whoever holds the model and the retained pairs could tell it by that. So three
traits of the trained rows are looked at: the log length, the cosine with the mean of the partners, and the cosine with
the rows two hops away. What the share of pairs that a row lost has to do with its traits is found by regression within
rows of the same degree, and taken out again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmrecun.arrays import Doubles, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import user_item_graph
from mmrecun.data.sparse import product, square_diagonal
from mmrecun.evaluation.row_traits import degree_strata, normal_scores, structure
from mmrecun.forget.partition import Partition

_FEWEST = 5  # rows that lost pairs; fewer show nothing that could be found
_ROUNDS = 2  # the traits of a row depend on its neighbours, which move, too
_RIDGE = 1.0
_LEAST_VARIANCE = 0.05  # of the usual one in any direction, so that spreads can be divided by
_LEAST_REST = 0.05  # of a row's length that always lies outside the plane of its two directions


@torch.no_grad()
def match_rows(users: Tensor, items: Tensor, partition: Partition) -> None:
    """Change the rows of retained users float32 [U', D] and items [I', D] that lost pairs, in place."""
    forgotten, data = partition.forgotten, partition.retained
    affected = (
        np.unique(forgotten.users[~partition.removed_users[forgotten.users]]),
        np.unique(forgotten.items[~partition.removed_items[forgotten.items]]),
    )
    if max(map(len, affected)) < _FEWEST:
        return
    adjacency = _graph(data, users.device)
    shown = structure(adjacency, len(data.users))
    sides = [_Side.of(partition, True, shown.users), _Side.of(partition, False, shown.items)]
    for _ in range(_ROUNDS):
        _, near, far = _neighbourhoods((users, items), adjacency)
        for number, (table, side) in enumerate(zip((users, items), sides, strict=True)):
            if len(side.touched) >= _FEWEST:
                side.match(table, near[number], far[number])


@dataclass(frozen=True)
class _Side:
    """Rows of users or of items that can be compared, M of them.

    Attributes:
        rows: int64 [M], retained rows that have pairs.
        shares: float64 [M], the share of its pairs that each lost.
        strata: int64 [M], rows of nearly equal degree.
        shown: float64 [M, S], normal scores of what the retained pairs alone show of each row.
        touched: int64, places of rows that lost a pair.
    """

    rows: Ints
    shares: Doubles
    strata: Ints
    shown: Doubles
    touched: Ints

    @classmethod
    def of(cls, partition: Partition, of_users: bool, shown: Doubles) -> Self:
        before = partition.original.degrees[0 if of_users else 1]
        forgotten = partition.forgotten.users if of_users else partition.forgotten.items
        kept = partition.user_rows if of_users else partition.item_rows
        lost = np.bincount(forgotten, minlength=len(before))
        strata = degree_strata((before - lost)[kept])
        rows = np.flatnonzero(strata > 0)
        shares = (lost / np.maximum(before, 1))[kept][rows]
        return cls(rows, shares, strata[rows], normal_scores(shown[rows], strata[rows]), np.flatnonzero(shares > 0))

    def match(self, table: Tensor, near: Tensor, far: Tensor) -> None:
        """Change the touched rows of `table`, given what lies one and two hops away; float32 [R, D] all."""
        rows = torch.from_numpy(self.rows).to(table.device)
        own, near, far = table[rows], near[rows], far[rows]
        traits = _traits(own, near, far)
        lengths = torch.stack([near.norm(dim=1), far.norm(dim=1)], dim=1).cpu().double().numpy()
        context = np.column_stack([self.shown, normal_scores(lengths, self.strata)])
        scores = normal_scores(traits, self.strata)
        wanted = _at_scores(traits, scores, without_effect(scores, self.shares, context), self.strata)
        places = torch.from_numpy(self.touched).to(table.device)
        asked = torch.from_numpy(wanted[self.touched]).to(own)
        table[rows[places]] = with_traits(own[places], near[places], far[places], asked)


def _traits(own: Tensor, near: Tensor, far: Tensor) -> Doubles:
    """Log length, cosine with `near` and cosine with `far` of rows [M, D]: float64 [M, 3]."""
    length = own.norm(dim=1).clamp(min=1e-12)
    unit = own / length[:, None]
    found = [length.log(), (unit * normalize(near, dim=1)).sum(dim=1), (unit * normalize(far, dim=1)).sum(dim=1)]
    traits: Doubles = torch.stack(found, dim=1).cpu().double().numpy()
    return traits


@torch.no_grad()
def keep_standing(before: Sequence[Tensor], after: Sequence[Tensor], partition: Partition) -> None:
    """Give the few rows that lost pairs the traits of rows that stand where they stood among rows of equal degree.

    For requests that are too small for a regression. A row that was longer than nine tenths of the rows of its degree
    will be longer than nine tenths of those of its new degree.

    Args:
        before: float32 [U, D] and [I, D], as trained.
        after: float32 [U', D] and [I', D], changed in place.
        partition: original and retained data.
    """
    seen = [
        _neighbourhoods(tables, _graph(data, tables[0].device))
        for tables, data in ((before, partition.original), (after, partition.retained))
    ]
    for number, table in enumerate(after):
        kept = partition.item_rows if number else partition.user_rows
        degree, new_degree = partition.original.degrees[number], partition.retained.degrees[number]
        strata, new_strata = degree_strata(degree), degree_strata(new_degree)
        for row in np.flatnonzero((new_degree < degree[kept]) & (new_strata > 0)):
            place = torch.tensor([row], device=table.device)
            peers, new_peers = (
                torch.from_numpy(np.flatnonzero(groups == groups[at])).to(table.device)
                for groups, at in ((strata, kept[row]), (new_strata, row))
            )
            scores, values = (
                _traits(*(part[number][rows] for part in hood))
                for hood, rows in zip(seen, (peers, new_peers), strict=True)
            )
            own = _traits(*(part[number][torch.tensor([kept[row]])] for part in seen[0]))
            rank = (scores < own).mean(axis=0)
            wanted = [np.quantile(values[:, trait], rank[trait]) for trait in range(len(rank))]
            near, far = (part[number][place] for part in seen[1][1:])
            table[place] = with_traits(table[place], near, far, torch.tensor([wanted]).to(table))


def _graph(data: Dataset, device: torch.device) -> Tensor:
    return user_item_graph(data.train, len(data.users), len(data.items), device).forward


def _neighbourhoods(tables: Sequence[Tensor], adjacency: Tensor) -> tuple[Sequence[Tensor], ...]:
    """Rows of users and items, and what lies one and two hops from each."""
    sizes = [len(table) for table in tables]
    own = torch.cat(list(tables))
    near = product(adjacency, own)
    far = product(adjacency, near) - square_diagonal(adjacency)[:, None] * own
    return tables, torch.split(near, sizes), torch.split(far, sizes)


def without_effect(scores: Doubles, shares: Doubles, context: Doubles) -> Doubles:
    """Take out of normal scores what the share of lost pairs has to do with them.

    Their mean is a function of context (with squares), and of the share, whose effect may depend on context. The
    covariance of what is left is a linear function of the share. Both are carried over to a share of 0.

    Args:
        scores: float64 [M, T].
        shares: float64 [M], from 0 to 1.
        context: float64 [M, C].

    Returns:
        float64 [M, T]; rows with a share of 0 stay as they are.
    """
    ones, share = np.ones((len(scores), 1)), shares[:, None]
    whatever = np.column_stack([ones, context, context**2 - 1])
    effect = share * np.column_stack([ones, context])
    design = np.column_stack([whatever, effect])
    penalty = np.full(design.shape[1], 1e-9)
    penalty[whatever.shape[1] + 1 :] = _RIDGE
    weights = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ scores)
    rest = scores - design @ weights
    found: Doubles = scores - effect @ weights[whatever.shape[1] :] + _evened(rest, share) - rest
    return np.where(share > 0, found, scores)


def _evened(rest: Doubles, share: Doubles) -> Doubles:
    """Give residuals [M, T] the covariance that they have at a share of 0."""
    count = rest.shape[1]
    products = (rest[:, :, None] * rest[:, None, :]).reshape(len(rest), -1)
    weights = np.linalg.lstsq(np.column_stack([np.ones_like(share), share]), products, rcond=None)[0]
    untouched, slope = weights.astype(np.float64).reshape(2, count, count)
    # a fit may ask for a covariance that there is none of; the smallest that counts is a share of the usual one
    least = max(_LEAST_VARIANCE * float(products.mean(axis=0).reshape(count, count).diagonal().mean()), 1e-9)
    whiten = _power(untouched + share[:, :, None] * slope, -0.5, least)
    evened: Doubles = (_power(untouched, 0.5, least) @ whiten @ rest[:, :, None])[:, :, 0]
    return evened


def _power(matrices: Doubles, exponent: float, least: float) -> Doubles:
    """Raise symmetric matrices [..., T, T] to a power; eigenvalues below `least` count as that."""
    values, vectors = np.linalg.eigh(matrices)
    found: Doubles = (vectors * np.maximum(values, least)[..., None, :] ** exponent) @ np.swapaxes(vectors, -1, -2)
    return found


def _at_scores(traits: Doubles, scores: Doubles, wanted: Doubles, strata: Ints) -> Doubles:
    """Values of traits [M, T] at other normal scores, read off the values in each stratum."""
    found = traits.copy()
    for stratum in np.unique(strata):
        inside = strata == stratum
        for column in range(traits.shape[1]):
            order = np.argsort(scores[inside, column])
            known = scores[inside, column][order], traits[inside, column][order]
            found[inside, column] = np.interp(wanted[inside, column], *known)
    return found


def with_traits(own: Tensor, near: Tensor, far: Tensor, traits: Tensor) -> Tensor:
    """Turn and scale rows until they have the given traits; float32 [M, D] all but `traits` [M, 3].

    A row is a * n + b * f + c * r, where n and f are the unit vectors of `near` and `far`, and r is the unit vector of
    what the row has outside their plane. The two cosines give a and b, and c makes up the length. Where no row has both
    cosines, c stays small and the row comes as near as it can.
    """
    n, f = normalize(near, dim=1), normalize(far, dim=1)
    between = (n * f).sum(dim=1)
    least = 1e-3  # n and f may be parallel
    determinant = (1 - between**2).clamp(min=least)

    def in_plane(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        return (one - between * other) / determinant, (other - between * one) / determinant

    unit = normalize(own, dim=1)
    a, b = in_plane((unit * n).sum(dim=1), (unit * f).sum(dim=1))
    outside = normalize(unit - a[:, None] * n - b[:, None] * f, dim=1)
    a, b = in_plane(traits[:, 1], traits[:, 2])
    c = (1 - a**2 - b**2 - 2 * a * b * between).clamp(min=_LEAST_REST**2).sqrt()
    turned = a[:, None] * n + b[:, None] * f + c[:, None] * outside
    return normalize(turned, dim=1) * traits[:, :1].exp()

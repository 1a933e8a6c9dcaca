"""How far the rest of a row leans towards the other rows of its partners because of the pairs with them.

What a gradient leaves of a row is not noise alone: rows that share a partner are alike beyond what their gradients
explain. If the pair is forgotten, the row must not stay among the others of that partner. How far it leans towards them
because of the pair is estimated from pairs of the trained model, beside *non-members*: rows that share another partner
with them, and were never partners of this one.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmrecun.arrays import Bools
from mmrecun.data.interactions import Interactions
from mmrecun.data.sparse import SparseMatrix, product
from mmrecun.forget.partition import Partition
from mmrecun.unlearning.mmrecun.links import add_rows
from mmrecun.unlearning.mmrecun.non_members import FEWEST, drawn_neighbours, edges_of

_DRAWN, _OF_EACH = 8192, 2  # pairs, and non-members that are drawn for each
_RIDGE = 1e-6  # of the mean square of the predictors
_BLOCK = 1 << 16  # pairs at a time
_TINY = 1e-12

Lean = Callable[[Tensor, Tensor], Tensor]


class _Rows(NamedTuple):
    """R rows of a table, and their P partners.

    Attributes:
        rows: float32 [R, D], less their mean over all pairs, which the rows of all partners have in common.
        explained: float32 [R, D], what the gradient explains of them.
        rest: float32 [R, D], what it leaves of them.
        sums: float32 [P, D], of the rows of each partner.
        towards: float32 [R, D], sum of the directions of `sums` over the partners of each row.
        degrees: float32 [R] and [P].
    """

    rows: Tensor
    explained: Tensor
    rest: Tensor
    sums: Tensor
    towards: Tensor
    degrees: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, rows: Tensor, explained: Tensor, partners_of: Tensor, rows_of: Tensor) -> Self:
        """Sum over the pairs, CSR [R, P] and [P, R]."""
        degrees = partners_of.crow_indices().diff().to(rows), rows_of.crow_indices().diff().to(rows)
        centred = rows - (degrees[0] @ rows) / degrees[0].sum().clamp(min=1)
        sums = product(rows_of, centred)
        towards = product(partners_of, normalize(sums, dim=1))
        return cls(centred, explained, rows - explained, sums, towards, degrees)

    def directions(self, rows: Tensor, partners: Tensor, joined: Tensor) -> Tensor:
        """Return the directions of the other rows of the partners, unit float32 [N, D]; 0 where there are none.

        Args:
            rows, partners: int64 [N].
            joined: float32 [N, 1], 1 for a pair, whose own row is left out, and 0 for a non-member.
        """
        return normalize(self.sums[partners] - joined * self.rows[rows], dim=1)

    def predictors(self, rows: Tensor, partners: Tensor, joined: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is known of N rows and partners, and how far the rests of the rows lean towards these.

        Returns:
            float64 [N, 13]; the last three are 0 for non-members, and multiply what pairs add.
            float64 [N].
        """
        direction = self.directions(rows, partners, joined)
        explained, own = self.explained[rows], joined[:, 0]
        others = (self.degrees[0][rows] - own).clamp(min=1)
        lean = (self.rest[rows] * direction).sum(dim=1)
        taught = (explained * direction).sum(dim=1)
        alike = ((self.towards[rows] - joined * normalize(self.sums[partners], dim=1)) * direction).sum(dim=1) / others
        degree, of_partner = others.log1p(), self.degrees[1][partners].log1p()
        lengths = explained.norm(dim=1), self.rows[rows].norm(dim=1)
        known = torch.ones_like(taught), taught, alike, degree, of_partner, *lengths
        crossed = taught * degree, alike * degree, taught * of_partner
        columns = (*known, *crossed, own, own * degree, own * of_partner)
        return torch.stack(columns, dim=1).double(), lean.double()

    def lean(self, coefficients: Tensor) -> Lean:
        """Return how far pairs, int64 rows and partners [N], make rests lean: float32 [N, D]."""

        def of(rows: Tensor, partners: Tensor) -> Tensor:
            joined = self.sums.new_ones(len(rows), 1)
            degree = (self.degrees[0][rows] - 1).clamp(min=1).log1p()
            known = torch.stack([torch.ones_like(degree), degree, self.degrees[1][partners].log1p()], dim=1)
            return (known @ coefficients).clamp(min=0)[:, None] * self.directions(rows, partners, joined)

        return of


@torch.no_grad()
def lean_of_lost_pairs(
    partition: Partition, pairs: SparseMatrix, number: int, rows: Tensor, explained: Tensor, rng: np.random.Generator
) -> Tensor:
    """Return how far the rests of rows lean because of the forgotten pairs; float32 [R, D].

    Partners whose other rows lie in the same direction count once together: a row leans as far towards each of them as
    it would if the others were not there.

    Args:
        partition: the request.
        pairs: of the original users and items, [U, I].
        number: 0 for rows of users, 1 for rows of items.
        rows: float32 [R, D] of all original users or items.
        explained: float32 [R, D], what the gradients explain of them.
        rng: draws pairs and non-members.
    """
    sides = (pairs.forward, pairs.transposed) if number == 0 else (pairs.transposed, pairs.forward)
    side, found = _Rows.of(rows, explained, *sides), torch.zeros_like(rows)
    lean = _fitted(side, partition.original.train, number, sides, rng)
    if lean is None:
        return found
    squares = rows.new_zeros(len(rows), 1)
    forgotten = partition.forgotten
    ends = [torch.from_numpy(end.copy()).to(rows.device) for end in (forgotten.users, forgotten.items)]
    for own, partners in zip(ends[number].split(_BLOCK), ends[1 - number].split(_BLOCK), strict=True):
        part = lean(own, partners)
        add_rows(found, own, part)
        add_rows(squares, own, part.square().sum(dim=1, keepdim=True))
    return found * (squares / found.square().sum(dim=1, keepdim=True).clamp(min=_TINY)).clamp(max=1)


def _fitted(
    side: _Rows, train: Interactions, number: int, sides: tuple[Tensor, Tensor], rng: np.random.Generator
) -> Lean | None:
    """Estimate what pairs add to the lean of rests, beside non-members; None if there are too few."""
    ends = (train.users, train.items)
    partners_of, rows_of = (edges_of(part) for part in sides)
    has_others = np.flatnonzero(np.diff(rows_of[0])[ends[1 - number]] > 1)
    drawn = rng.permutation(has_others)[:_DRAWN]
    own, partners = ends[number][drawn], ends[1 - number][drawn]
    asked = np.repeat(partners, _OF_EACH)
    others = drawn_neighbours(rows_of, drawn_neighbours(partners_of, drawn_neighbours(rows_of, asked, rng), rng), rng)
    users, items = (others, asked) if number == 0 else (asked, others)
    member = train.contains(users, items, sides[number].shape[1 - number])
    if len(np.unique(others[~member])) < FEWEST:
        return None
    rows, with_ = np.concatenate([own, others[~member]]), np.concatenate([partners, asked[~member]])
    joined: Bools = np.arange(len(rows)) < len(own)
    at, partner, own_pair = (torch.from_numpy(part).to(side.rows.device) for part in (rows, with_, joined))
    seen, lean = side.predictors(at, partner, own_pair.to(side.rows)[:, None])
    square = seen.T @ seen
    square += _RIDGE * square.diagonal().mean() * torch.eye(len(square)).to(square)
    return side.lean(torch.linalg.solve(square, seen.T @ lean)[-3:].to(side.rows))

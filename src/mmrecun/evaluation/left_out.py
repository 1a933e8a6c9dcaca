"""Leave-one-out fold-in: how well a row fitted to some pairs of an owner predicts another pair."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import PairsAmong, percentiles

RIDGE = 0.1
# entries of kernels that are inverted together, and ratio of the pair counts of their owners; on a device few launches
# matter more than less arithmetic
_ENTRIES, _ENTRIES_ON_DEVICE = 1 << 20, 1 << 24
_ALIKE, _ALIKE_ON_DEVICE = 5 / 4, 8
_MOST_OWNERS = (1 << 16) - 1


class _Fits(NamedTuple):
    """G owners of similar counts, with P pairs at most, whose queries are fitted together; all on one device.

    Attributes:
        queries: int64 [B], which queries.
        partners: int64 [G, P], the owners' partners, numbered among those in `trained`.
        inside: bool [G, P], where an owner has that many.
        owners, places: int64 [B], each query's owner, and the place of what it leaves out.
    """

    queries: Tensor
    partners: Tensor
    inside: Tensor
    owners: Tensor
    places: Tensor


@dataclass(frozen=True)
class LeaveOneOut:
    """Query pairs, each with a row fitted to its owner's other pairs; `users` are owners, `items` partners.

    Attributes:
        trained: T pairs to which rows are fitted, in owner order.
        queries: B pairs, of owners with two or more trained pairs.
        left_out: int64 [B], the partner left out of each fit: that of the query or, for a held-out query, any of the
            owner's, so that every fit has the same number of pairs.
        seen: all pairs of the owners, which are masked when one of them is ranked.
    """

    trained: Interactions
    queries: Interactions
    left_out: Ints
    seen: Interactions
    _fits_on: dict[torch.device, tuple[Tensor, list[_Fits]]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, trained: Interactions, queries: Interactions, seen: Interactions, rng: np.random.Generator) -> Self:
        """Leave out the query pair if it is a trained one, and otherwise any other pair of its owner."""
        counts = np.bincount(trained.users, minlength=int(queries.users.max(initial=-1)) + 1)
        queries = queries.select(counts[queries.users] >= 2)
        size = int(max(part.items.max(initial=0) for part in (trained, queries))) + 1
        starts = np.searchsorted(trained.users, queries.users)
        other = trained.items[starts + rng.integers(counts[queries.users])] if len(queries) else queries.items
        among = trained.contains(queries.users, queries.items, size)
        return cls(trained, queries, np.where(among, queries.items, other), seen)

    def joined(self, other: "LeaveOneOut") -> "LeaveOneOut":
        """Return the same for the queries of both, which have the same trained pairs and no query in common."""
        queries = self.queries.joined(other.queries)
        size = int(queries.items.max(initial=0)) + 1
        left_out = np.empty(len(queries), dtype=np.int64)
        for part in (self, other):
            left_out[queries.find(part.queries.users, part.queries.items, size)] = part.left_out
        return LeaveOneOut(self.trained, queries, left_out, self.seen)

    def rows(self, partners: Tensor, factor: Tensor | None = None) -> Tensor:
        """Fit a row for each pair: float32 [B, D].

        A row w minimises the sum of (w v - 1)^2 over the owner's pairs without the one left out, plus the mean of
        (w v)^2 over all partners and a ridge. In coordinates where these two are |w|^2, w is a sum of the owner's
        partners, whose coefficients without one of them follow from the inverse kernel of all.

        Args:
            partners: float32 [N, D], vectors of all partners.
            factor: `common_factor(partners)`, if already computed.
        """
        factor = common_factor(partners) if factor is None else factor
        if partners.device not in self._fits_on:
            at = torch.from_numpy(np.unique(self.trained.items)).to(partners.device)
            self._fits_on[partners.device] = at, list(self._fits(partners.device))
        at, groups = self._fits_on[partners.device]
        white = torch.linalg.solve_triangular(factor, partners[at].double().T, upper=False).T.contiguous()
        fitted = white.new_empty(len(self.queries), partners.shape[1])
        for fits in groups:
            known = white[fits.partners] * fits.inside[:, :, None]
            fitted[fits.queries] = _fits_without_one(known, fits.owners, fits.places)
        found: Tensor = torch.linalg.solve_triangular(factor.T, fitted.T, upper=True).T.to(partners.dtype)
        return found

    def _fits(self, device: torch.device) -> Iterator[_Fits]:
        owners, whose = np.unique(self.queries.users, return_inverse=True)
        first = np.searchsorted(self.trained.users, owners)
        count = np.searchsorted(self.trained.users, owners, "right") - first
        places, known = self._places_left_out() - first[whose], np.unique(self.trained.items)
        if device.type == "cpu":
            groups = _similar_counts(count, _ALIKE, _ENTRIES)
        else:
            groups = _similar_counts(count, _ALIKE_ON_DEVICE, _ENTRIES_ON_DEVICE, int(count.max(initial=8)))
        for group in groups:
            which = np.flatnonzero(np.isin(whose, group))
            rows = first[group, None] + np.arange(count[group].max())
            inside = rows < (first + count)[group, None]
            items = self.trained.items[np.minimum(rows, len(self.trained) - 1)]
            partners = np.searchsorted(known, items)
            arrays = which, partners, inside, np.searchsorted(group, whose[which]), places[which]
            yield _Fits(*(torch.from_numpy(array).to(device) for array in arrays))

    def _places_left_out(self) -> Ints:
        """Return where in `trained` each query's left-out pair stands; int64 [B]."""
        size = int(max(part.max(initial=0) for part in (self.trained.items, self.left_out))) + 1
        keys = self.trained.users * size + self.trained.items
        order = np.argsort(keys, kind="stable")
        found: Ints = order[np.searchsorted(keys[order], self.queries.users * size + self.left_out)]
        return found

    def percentiles(self, partners: Tensor, factor: Tensor | None = None) -> np.ndarray:
        """Compute the rank percentile of each query's partner among those that the owner never had: float32 [B].

        Arguments as for `rows`.
        """
        return percentiles(self.rows(partners, factor), partners, *self._numbered())

    def among(self, partners: Ints, count: int, device: torch.device) -> PairsAmong:
        """Prepare to estimate these percentiles for any `rows`, from some of all `count` partners; int64 [C]."""
        return PairsAmong(*self._numbered(), partners, count, device)

    def _numbered(self) -> tuple[Interactions, Interactions]:
        """Return what each query's owner had, and the queries, with the query's number as the user."""
        count = len(self.queries)
        rows, sizes = self.seen.rows_of_users(self.queries.users)
        own = np.repeat(np.arange(count), sizes)
        seen = Interactions(own, self.seen.items[rows], np.zeros(len(rows), dtype=np.int8))
        return seen, Interactions(np.arange(count), self.queries.items, self.queries.splits)


def common_factor(partners: Tensor) -> Tensor:
    """Factor the mean of v v' over all `partners` v (float32 [N, D]) and a ridge: float64 [D, D], lower triangular."""
    table = partners.double()
    common = table.T @ table / len(table)
    ridge = (RIDGE * common.diagonal().mean()).clamp(min=1e-12)  # all vectors may be 0
    unit = torch.eye(len(common), dtype=table.dtype, device=table.device)
    factor: Tensor = torch.linalg.cholesky_ex(common + ridge * unit).L
    return factor


def _similar_counts(count: Ints, ratio: float, entries: int, widest: int = 1 << 31) -> Iterator[Ints]:
    """Divide owners, with `count` [O] pairs each, into groups of counts within `ratio`; yields ascending indices.

    The kernels of a group have `entries` at most in all, unless it has one owner; `widest` bounds their width. A group
    has less than 2^16 owners, since not every library multiplies or inverts more matrices at once on a device.
    """
    order = np.argsort(count, kind="stable")
    start = 0
    while start < len(order):
        width = min(max(int(count[order[start]] * ratio), 8), widest)
        most = min(max(1, entries // width**2), _MOST_OWNERS)
        stop = min(int(np.searchsorted(count[order], width, "right")), start + most)
        yield np.sort(order[start:stop])
        start = stop


def _fits_without_one(known: Tensor, owners: Tensor, places: Tensor) -> Tensor:
    """Minimise the sum of (w v - 1)^2 over all but one of an owner's vectors v, plus |w|^2; float64 [B, D].

    Args:
        known: float64 [G, P, D], vectors of each owner, and rows of 0 where it has fewer.
        owners, places: int64 [B], the owner, and which vector is left out.
    """
    count, width = known.shape[1:]
    if count > width:  # w = A^-1 V' 1 with A = V' V + 1; a pair is left out by Sherman and Morrison's formula
        inverse = _inverse_with_ridge(known.mT @ known)
        away, left_out = (known @ inverse)[owners, places], known[owners, places]
        whole = (known.sum(dim=1)[:, None] @ inverse)[owners, 0]
        share = (1 - (whole * left_out).sum(dim=1)) / (1 - (away * left_out).sum(dim=1))
    else:
        inverse = _inverse_with_ridge(known @ known.mT)
        away, coefficients = (inverse @ known)[owners, places], inverse.sum(dim=2)
        whole = (coefficients[:, None] @ known)[owners, 0]
        share = coefficients[owners, places] / inverse[owners, places, places]
    found: Tensor = whole - share[:, None] * away
    return found


def _inverse_with_ridge(matrices: Tensor) -> Tensor:
    """Invert matrices plus one, without the check that would make the host wait for the device; writes over them."""
    matrices.diagonal(dim1=1, dim2=2).add_(1)
    found: Tensor = torch.linalg.inv_ex(matrices).inverse
    return found


def of_whole_owners(pairs: Interactions, most: int, rng: np.random.Generator) -> Interactions:
    """Select about `most` pairs at most: all pairs of some users."""
    if len(pairs) <= most:
        return pairs
    owners, whose = np.unique(pairs.users, return_inverse=True)
    order = rng.permutation(len(owners))
    totals = np.cumsum(np.bincount(whose)[order])
    chosen = np.zeros(len(owners), dtype=bool)
    chosen[order[: max(1, int(np.searchsorted(totals, most, "right")))]] = True
    return pairs.select(chosen[whose])

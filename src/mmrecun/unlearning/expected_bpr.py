"""What BPR taught each vector: its gradient over all pairs, in expectation over negatives, and its curvature.

A trained row is, up to its length, the sum of what its pairs taught it. How hard a pair pulls falls as its margin x
grows, and a row still holds what the pair taught it when x was small. So a pair counts with its mean pull over the
second half of the way, from x / 2 to x. On four datasets this explains the rows of BPR-MF with a cosine of 0.86 to 0.98
and those of LightGCN with 0.88 to 0.92; the pull at x alone reaches 0.70 only.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from mmrecun.data.forget import Partition
from mmrecun.data.interactions import Split
from mmrecun.models.base import Pair
from mmrecun.shapes import Ints

_BLOCK = 1024  # pairs scored at a time: the block stays in a CPU's cache
_PAIRS = 8  # drawn for every negative; they cost less
_FAR = -60.0


def pull(margins: Tensor) -> Tensor:
    """Mean of sigmoid(-y) over y from x / 2 to x: how hard a pair pulled, float32 of any shape.

    >>> [round(force, 3) for force in pull(torch.tensor([0.0, 4.0])).tolist()]
    [0.5, 0.054]
    """
    x = _apart_from_zero(margins, 1e-3)
    half = (x / -2).exp_()
    return ((1 + half) / (1 + half * half)).log_().mul_(2).div_(x)


def stiffness(margins: Tensor) -> Tensor:
    """-d pull / d margins; float32 of the same shape."""
    x = _apart_from_zero(margins, 3e-2)
    half = (x / -2).exp_()
    whole = half * half
    mean = ((1 + half) / (1 + whole)).log_().mul_(2).div_(x)
    return (mean - 2 * whole / (1 + whole) + half / (1 + half)).div_(x)


def _apart_from_zero(margins: Tensor, near: float) -> Tensor:
    # both functions are 0 / 0 at zero, and lose their digits near it
    return margins.masked_fill(margins.abs() < near, near).clamp_(min=_FAR)


class Links:
    """N pairs of U users and I items, for weighted sums over those of each row.

    Args:
        users, items: int64 [N].
        sizes: U and I.
    """

    def __init__(self, users: Tensor, items: Tensor, sizes: tuple[int, int]) -> None:
        self.users, self.items = users, items
        self._by_user, self._by_item = (_bags(rows, size) for rows, size in zip((users, items), sizes, strict=True))

    def to_users(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Sum weight * row of the item over each user's pairs; [U, D] from [N] and [I, D]."""
        order, starts = self._by_user
        return _summed(self.items[order], starts, weights[order], rows)

    def to_items(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Sum weight * row of the user over each item's pairs; [I, D] from [N] and [U, D]."""
        order, starts = self._by_item
        return _summed(self.users[order], starts, weights[order], rows)

    def scores(self, *sides: Pair) -> Tensor:
        """Score every pair by rows [U, D] and [I, D], summed over what is given; float32 [N]."""
        found = torch.zeros(len(self.users), device=self.users.device)
        for start in range(0, len(found), _BLOCK):
            at = slice(start, start + _BLOCK)
            for users, items in sides:
                found[at] += (users[self.users[at]] * items[self.items[at]]).sum(dim=1)
        return found


def _bags(rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
    starts = rows.new_zeros(size + 1)
    starts[1:] = torch.bincount(rows, minlength=size).cumsum(0)
    return rows.argsort(stable=True), starts


def _summed(columns: Tensor, starts: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
    return embedding_bag(
        columns, rows.contiguous(), starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


class Gradient(NamedTuple):
    """Of BPR's sum over all pairs, by the vectors.

    Attributes:
        users, items: float32 [U, D] and [I, D].
        stiffness: float32 [N], of each pair, averaged over negatives.
    """

    users: Tensor
    items: Tensor
    stiffness: Tensor


@dataclass(frozen=True)
class Drawn:
    """Pairs that stand for all of a group when items are asked how often, and by whom, they were the negative.

    Attributes:
        places: int64 [T], which pairs.
        weights: float32 [T], how many draws of each single item a pair stands for.
        known: int64 rows and columns of [T, I], items that a pair's user has.
    """

    places: Tensor
    weights: Tensor
    known: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Swapped:
    """Forgotten pairs of rows that stay: the user may draw the item as a negative from now on.

    Attributes:
        users, positives, negatives: int64 [B], the negative being the forgotten item.
        weights: float32 [B], how often that happens in an epoch.
    """

    users: Tensor
    positives: Tensor
    negatives: Tensor
    weights: Tensor


@dataclass(frozen=True)
class ExpectedBPR:
    """BPR over N pairs, each with all negatives at once; S drawn items stand for them.

    Attributes:
        links: the pairs.
        negatives: int64 [S] items.
        allowed: float32 [U, S], 1 where the user does not have the item.
        drawn: of each group of pairs.
        swapped: what training on these pairs does besides; None for nothing.
    """

    links: Links
    negatives: Tensor
    allowed: Tensor
    drawn: tuple[Drawn, ...]
    swapped: Swapped | None = None

    def gradient(self, vectors: Pair, stiff: bool = True) -> Gradient:
        """Of the sum over pairs of the mean over negatives, float32 vectors [U, D] and [I, D] given; no autograd.

        Without `stiff` all pairs have stiffness 0, which saves half of the time.
        """
        users, items = vectors
        links, others = self.links, items[self.negatives]
        scores, own = users @ others.T, links.scores((users, items))
        positive, bent = torch.empty_like(own), torch.zeros_like(own)
        negative = torch.zeros_like(scores)
        number = self.allowed.sum(dim=1).clamp(min=1)
        for start in range(0, len(own), _BLOCK):
            at = slice(start, start + _BLOCK)
            who = links.users[at]
            margins, share = own[at, None] - scores[who], self.allowed[who] / number[who, None]
            pulls = pull(margins).mul_(share)
            positive[at] = pulls.sum(dim=1)
            if stiff:
                bent[at] = stiffness(margins).mul_(share).sum(dim=1)
            negative.index_add_(0, who, pulls)
        by_user = negative @ others - links.to_users(positive, items)
        by_item = -links.to_items(positive, users)
        for group in self.drawn:
            who = links.users[group.places]
            pulls = pull(own[group.places, None] - users[who] @ items.T)
            pulls[group.known] = 0
            by_item += pulls.T @ (users[who] * group.weights[:, None])
        if self.swapped is not None:
            _add_swapped(self.swapped, users, items, by_user, by_item)
        return Gradient(by_user, by_item, bent)


def _add_swapped(swapped: Swapped, users: Tensor, items: Tensor, by_user: Tensor, by_item: Tensor) -> None:
    rows, good, bad = users[swapped.users], items[swapped.positives], items[swapped.negatives]
    pulls = (pull((rows * (good - bad)).sum(dim=1)) * swapped.weights)[:, None]
    by_user.index_add_(0, swapped.users, pulls * (bad - good))
    by_item.index_add_(0, swapped.negatives, pulls * rows)
    by_item.index_add_(0, swapped.positives, -pulls * rows)


class BeforeAndAfter(NamedTuple):
    """BPR over the original and over the retained pairs, with the same draws, so that chance cancels out.

    Attributes:
        before: in original rows.
        after: in retained rows.
    """

    before: ExpectedBPR
    after: ExpectedBPR

    @classmethod
    def of(cls, parts: Partition, size: int, rng: np.random.Generator, device: torch.device) -> Self:
        """Draw `size` negatives, and as many pairs of those that stay and of those that go."""
        return cls(*_Sampling(parts, size, rng, device).both())


class _Sampling:
    def __init__(self, parts: Partition, size: int, rng: np.random.Generator, device: torch.device) -> None:
        self._parts, self._size, self._rng, self._device = parts, size, rng, device
        held, gone = parts.held.part(Split.TRAIN), parts.forgotten
        # retained pairs first, in both: what is drawn of them stands at the same places before and after
        self._users, self._items = (
            np.concatenate([getattr(pairs, side) for pairs in (held, gone)]) for side in ("users", "items")
        )
        self._held = len(held)
        self._sizes = len(parts.original.users), len(parts.original.items)
        self._had = parts.original.train.matrix(*self._sizes)
        self._degree = np.bincount(self._users, minlength=self._sizes[0])
        self._row_of = tuple(
            _positions(rows, size) for rows, size in zip((parts.user_rows, parts.item_rows), self._sizes, strict=True)
        )

    def both(self) -> tuple[ExpectedBPR, ExpectedBPR]:
        parts = self._parts
        items = np.sort(self._rng.permutation(parts.item_rows)[: self._size])
        allowed = 1 - self._had[:, items].toarray().astype(np.float32)
        held, gone = (
            np.sort(self._rng.permutation(np.arange(*span))[: _PAIRS * self._size])
            for span in ((0, self._held), (self._held, len(self._users)))
        )
        groups = [(held, self._held)] + ([(gone, len(self._users) - self._held)] if len(gone) else [])
        before = ExpectedBPR(
            Links(self._tensor(self._users), self._tensor(self._items), self._sizes),
            self._tensor(items),
            self._tensor(allowed),
            tuple(self._drawn(*group) for group in groups),
        )
        users, kept = (
            row_of[rows[: self._held]] for row_of, rows in zip(self._row_of, (self._users, self._items), strict=True)
        )
        after = ExpectedBPR(
            Links(self._tensor(users), self._tensor(kept), (len(parts.user_rows), len(parts.item_rows))),
            self._tensor(self._row_of[1][items]),
            self._tensor(allowed[parts.user_rows]),
            (self._drawn(held, self._held, retained=True),),
            self._swapped(),
        )
        return before, after

    def _drawn(self, places: Ints, number: int, retained: bool = False) -> Drawn:
        users = self._users[places]
        left = np.maximum(self._sizes[1] - self._degree[users], 1)
        weights = (number / max(len(places), 1) / left).astype(np.float32)
        rows, columns = (axis.astype(np.int64) for axis in self._had[users].nonzero())
        if retained:
            columns = self._row_of[1][columns]
            rows, columns = rows[columns >= 0], columns[columns >= 0]
        return Drawn(self._tensor(places), self._tensor(weights), (self._tensor(rows), self._tensor(columns)))

    def _swapped(self) -> Swapped | None:
        users, items = self._users[self._held :], self._items[self._held :]
        kept = np.bincount(self._users[: self._held], minlength=self._sizes[0])
        stay = (self._row_of[0][users] >= 0) & (self._row_of[1][items] >= 0) & (kept[users] > 0)
        if not stay.any():
            return None
        users, items = users[stay], items[stay]
        start = np.searchsorted(self._users[: self._held], users)
        positives = self._items[start + (self._rng.random(len(users)) * kept[users]).astype(np.int64)]
        weights = kept[users] / np.maximum(self._sizes[1] - self._degree[users], 1)
        rows = self._row_of[0][users], self._row_of[1][positives], self._row_of[1][items]
        first, second, third = (self._tensor(column) for column in rows)
        return Swapped(first, second, third, self._tensor(weights.astype(np.float32)))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def _positions(rows: Ints, size: int) -> Ints:
    found = np.full(size, -1, dtype=np.int64)
    found[rows] = np.arange(len(rows))
    return found


class Curvature:
    """The Gauss-Newton matrix of BPR by the vectors, the negatives of a pair taken as one and as all alike.

    Args:
        links: of the pairs.
        stiff: float32 [N], their stiffness.
        vectors: float32 [U, D] and [I, D].
    """

    def __init__(self, links: Links, stiff: Tensor, vectors: Pair) -> None:
        self._links, self._stiff = links, stiff
        self._users, items = vectors
        self._items = items - items.mean(dim=0)
        self._count = len(items)
        self._weight = torch.zeros(len(self._users), device=stiff.device).index_add_(0, links.users, stiff)
        self._spread = self._items.T @ self._items / len(items)
        self._drawn = (self._users * self._weight[:, None]).T @ self._users / len(items)

    def product(self, users: Tensor, items: Tensor) -> Pair:
        """Multiply a change of the vectors [U, D] and [I, D] by the matrix."""
        links = self._links
        bend = links.scores((users, self._items), (self._users, items - items.mean(dim=0))) * self._stiff
        by_user = links.to_users(bend, self._items) + self._weight[:, None] * (users @ self._spread)
        drawn = torch.zeros(len(users), device=bend.device).index_add_(0, links.users, bend) @ self._users
        by_item = links.to_items(bend, self._users) + items @ self._drawn - drawn / self._count
        return by_user, by_item

    def diagonal(self) -> tuple[Tensor, Tensor]:
        """The mean of each row's block diagonal: float32 [U] and [I]."""
        width = self._users.shape[1]
        own, other = self._items.square().sum(dim=1, keepdim=True), self._users.square().sum(dim=1, keepdim=True)
        by_user = self._links.to_users(self._stiff, own)[:, 0] + self._weight * self._spread.diagonal().sum()
        by_item = self._links.to_items(self._stiff, other)[:, 0] + self._drawn.diagonal().sum()
        return by_user / width, by_item / width

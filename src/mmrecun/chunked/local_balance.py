"""Move the rows that a request affects back to a stationary point of training, reading little else.

The balance is that of `unlearning.mmrecun` (see `balance` and `expected_bpr` there): training leaves a row x where

    -g(x) = decay * x + rest,

g being the gradient of BPR over all pairs of the row in expectation over negatives, and rest a remainder that is kept.
Without the forgotten pairs, decay and rest are those of a row of the new degree. The method in memory solves for all
rows together; here each affected row is solved for by itself, by Newton's method, with its neighbours fixed. The
neglected moves of the neighbours are of second order in the share of removed pairs.

Sums over many pairs are estimated from samples: at most `_MOST` partners of a row, `_NEGATIVES` items for all
negatives, and the pairs of `_USERS` users for all pairs in which an item may be drawn as the negative. The samples
before and after are the same, so that sampling errors cancel. So the cost of a row does not depend on the size of the
model.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.chunked.erasure import OTHER, LostPartners, Moved
from mmrecun.chunked.run import SIDES, MappedRun
from mmrecun.data.interactions import Split
from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun.expected_bpr import gradient_weight, hessian_weight

_MOST, _NEGATIVES, _USERS = 4096, 64, 128
_ROWS = 32  # affected rows whose partners are read at once
_STEPS = 3
_LEAST_DECAY = 1e-6


@dataclass(frozen=True)
class PairTerms:
    """The terms of the BPR gradient of one row x: M of them, weight * f(sign * (x . vector) + offset) * vector.

    A term stands for pairs in which the row is the positive (sign 1), or the negative (sign -1).

    Attributes:
        vectors: float32 [M, D].
        offsets: float32 [M, S], added to a score to get margins; the mean over S is taken.
        signs: float32 [M].
        before, after: float32 [M], number of pairs that a term stands for, before the request and after it.
    """

    vectors: Tensor
    offsets: Tensor
    signs: Tensor
    before: Tensor
    after: Tensor

    def gradient(self, row: Tensor, weights: Tensor) -> Tensor:
        """Compute the gradient of the sum of BPR over all terms by the row: float32 [D]."""
        slope = gradient_weight(self._margins(row)).mean(dim=1)
        return -(slope * self.signs * weights) @ self.vectors

    def curvature(self, row: Tensor, weights: Tensor) -> Tensor:
        """Compute the Gauss-Newton matrix: float32 [D, D]."""
        stiffness = hessian_weight(gradient_weight(self._margins(row))).mean(dim=1) * weights
        return (self.vectors * stiffness[:, None]).T @ self.vectors

    def _margins(self, row: Tensor) -> Tensor:
        return self.signs[:, None] * (self.vectors @ row)[:, None] + self.offsets


@dataclass(frozen=True)
class ReducedRow:
    """A row that lost partners.

    Attributes:
        row: float32 [D], as trained.
        terms: terms of its gradient.
        kept: share of its occurrences in an epoch that remain.
        free: int64 [D'], the trainable columns of the row.
    """

    row: Tensor
    terms: PairTerms
    kept: float
    free: Tensor

    def explained(self) -> float:
        """Compute the cosine between the row and the negative gradient of its pairs."""
        descent = -self.terms.gradient(self.row, self.terms.before)
        return float(torch.nn.functional.cosine_similarity(self.row[self.free], descent[self.free], dim=0))

    def solved(self) -> Tensor:
        """Return the stationary row without the removed pairs, by damped Newton steps: float32 [D]."""
        own, free = self.row[self.free], self.free
        gradient = self.terms.gradient(self.row, self.terms.before)[free]
        decay = max(float(-(gradient @ own) / own.square().sum().clamp(min=1e-9)), _LEAST_DECAY)
        rest = self.kept * (gradient + decay * own)
        row, after, decay_after = self.row.clone(), self.terms.after, self.kept * decay
        for _ in range(_STEPS):
            missing = rest - self.terms.gradient(row, after)[free] - decay_after * row[free]
            curvature = self.terms.curvature(row, after)[free[:, None], free] + decay_after * torch.eye(len(free))
            step = torch.linalg.solve(curvature, missing)
            row[free] += step * min(1.0, float(row[free].norm() / step.norm().clamp(min=1e-12)))
        return row


@dataclass(frozen=True)
class LocalBalance:
    """The new vectors of the rows affected by a request.

    Attributes:
        moved: "users" and "items" -> rows and their new vectors.
        explained: mean cosine between the affected rows and the gradients of their pairs.
    """

    moved: dict[str, Moved]
    explained: float


def restore(run: MappedRun, lost: LostPartners, seed: Seed) -> LocalBalance:
    """Solve for every retained row that lost a training pair; a row that lost all of them is drawn anew."""
    moved, cosines = {}, []
    for side in SIDES:
        solved: dict[int, np.ndarray] = {}
        emptied = []
        for row, reduced in _Neighbourhoods(run, side, seed.child(side).numpy()).affected(lost.lost[side]):
            if reduced is None:
                emptied.append(row)
            else:
                cosines.append(reduced.explained())
                solved[row] = reduced.solved().numpy()
        fresh = _fresh(run, side, np.array(emptied, dtype=np.int64), seed)
        rows = np.array([*solved, *emptied], dtype=np.int64)
        values = np.array([*solved.values(), *fresh], dtype=np.float32).reshape(-1, fresh.shape[1])
        order = np.argsort(rows)
        moved[side] = rows[order], values[order]
    return LocalBalance(moved, float(np.mean(cosines or [0.0])))


def _fresh(run: MappedRun, side: str, at: Ints, seed: Seed) -> np.ndarray:
    """Draw rows `at` (int64 [K]) as at the start of a training, without changing fixed columns: float32 [K, D]."""
    rows, width = run.manifest.rows[f"{side}.vectors"].shape
    bound = (6 / (rows + width)) ** 0.5
    drawn = seed.child(f"fresh {side}").numpy().uniform(-bound, bound, (len(at), width)).astype(np.float32)
    fixed = run.manifest.fixed.get(side, [])
    drawn[:, fixed] = run.vectors(side, at).numpy()[:, fixed]
    return drawn


@dataclass(frozen=True)
class _Partners:
    """The training partners of a row.

    Attributes:
        all: int64 [P], partners before the request.
        stay: int64 [M], those that stay, or a sample of them.
        go: int64 [P - P'], those that leave.
        retained: P', number of those that stay.
    """

    all: Ints
    stay: Ints
    go: Ints
    retained: int

    def sampled(self) -> Ints:
        """Return those whose terms are computed: int64 [M + P - P']."""
        return np.concatenate([self.stay, self.go])

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return how many partners each of those stands for, before and after: float32 [M + P - P']."""
        stay = torch.full((len(self.stay),), self.retained / max(len(self.stay), 1))
        return torch.cat([stay, torch.ones(len(self.go))]), torch.cat([stay, torch.zeros(len(self.go))])


class _Neighbourhoods:
    """Collects the gradient terms of rows of one side."""

    def __init__(self, run: MappedRun, side: str, rng: np.random.Generator) -> None:
        self._run, self._side, self._rng = run, side, rng
        self._items = run.size("items")
        self._train = run.manifest.pairs[Split.TRAIN.label]

    def affected(self, lost: Mapping[int, Ints]) -> Iterator[tuple[int, ReducedRow | None]]:
        """Yield the rows that lost training pairs, ascending; None for one that lost all of them.

        Args:
            lost: row -> the partners that it loses, int64.
        """
        if not lost:
            return
        self._draw_negatives()
        as_negative = self._as_negative() if self._side == "items" else None
        rows = np.array(list(lost), dtype=np.int64)
        for start in range(0, len(rows), _ROWS):
            yield from self._block(rows[start : start + _ROWS], lost, as_negative)

    def _draw_negatives(self) -> None:
        drawn = self._rng.integers(self._items, size=2 * _NEGATIVES)
        vectors = self._run.vectors("items", drawn[:_NEGATIVES])
        if not vectors.any(dim=1).all():  # some are removed; others take their places
            vectors = self._run.vectors("items", drawn)
        alive = np.flatnonzero(vectors.any(dim=1))[:_NEGATIVES]
        self._negatives, self._drawn = vectors[alive], drawn[alive]
        fixed = self._run.manifest.fixed.get(self._side, [])
        self._free = torch.from_numpy(np.setdiff1d(np.arange(vectors.shape[1]), fixed))

    def _block(
        self, rows: Ints, lost: Mapping[int, Ints], as_negative: PairTerms | None
    ) -> Iterator[tuple[int, ReducedRow | None]]:
        """Yield some rows; the vectors of all their partners are read at once, so that a chunk is opened only once."""
        lists = self._run.pairs_of(self._side).lists(rows)
        found = {row: self._partners(values, lost[row]) for row, values in zip(rows.tolist(), lists, strict=True)}
        affected = {row: partners for row, partners in found.items() if len(partners.go)}
        own = self._run.vectors(self._side, np.array(list(affected), dtype=np.int64))
        at = np.unique(np.concatenate([np.zeros(0, np.int64), *(each.sampled() for each in affected.values())]))
        vectors = self._run.vectors(OTHER[self._side], at)
        for vector, (row, partners) in zip(own, affected.items(), strict=True):
            theirs = vectors[torch.from_numpy(np.searchsorted(at, partners.sampled()))]
            yield row, self._reduced(vector, partners, theirs, as_negative) if partners.retained else None

    def _partners(self, values: np.ndarray, lost: Ints) -> _Partners:
        partners = (values[(values & 3) == Split.TRAIN] >> 2).astype(np.int64)
        leaves = np.isin(partners, lost)
        stay = partners[~leaves]
        drawn = stay if len(stay) <= _MOST else self._rng.choice(stay, _MOST, replace=False)
        return _Partners(partners, drawn, partners[leaves], len(stay))

    def _reduced(
        self, vector: Tensor, partners: _Partners, vectors: Tensor, as_negative: PairTerms | None
    ) -> ReducedRow:
        """Return a row with its terms; `vectors` are those of `partners.sampled()`."""
        before, after = partners.weights()
        if as_negative is None:
            # the margin x . (q_p - q_n) is linear in q_p - q_n, so each combination of positive and negative is a term
            others = self._negatives[torch.from_numpy(~np.isin(self._drawn, partners.all))]
            apart = (vectors[:, None] - others[None]).flatten(0, 1)
            shares = [part.repeat_interleave(len(others)) / len(others) for part in (before, after)]
            terms = PairTerms(apart, torch.zeros(len(apart), 1), torch.ones(len(apart)), *shares)
            return ReducedRow(vector, terms, partners.retained / len(partners.all), self._free)
        whole = PairTerms(
            torch.cat([vectors, as_negative.vectors]),
            torch.cat([-vectors @ self._negatives.T, as_negative.offsets.expand(-1, len(self._negatives))]),
            torch.cat([torch.ones(len(vectors)), as_negative.signs]),
            torch.cat([before, as_negative.before]),
            torch.cat([after, as_negative.after]),
        )
        drawn_as_negative = self._train / self._items  # times in an epoch
        kept = (partners.retained + drawn_as_negative) / (len(partners.all) + drawn_as_negative)
        return ReducedRow(vector, whole, kept, self._free)

    def _as_negative(self) -> PairTerms:
        """Return terms for the pairs in which an item may be the negative, from pairs of some users."""
        users = np.unique(self._rng.integers(self._run.size("users"), size=_USERS))
        pairs = self._run.interactions(users, Split.TRAIN)
        own = self._run.vectors("users", users)[torch.tensor(pairs.users)]
        scores = (own * self._run.vectors("items", pairs.items)).sum(dim=1, keepdim=True)
        share = torch.full((len(pairs),), self._train / max(len(pairs), 1) / self._items)
        return PairTerms(own, scores, -torch.ones(len(pairs)), share, share)

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

from mmrecun.arrays import Floats, Ints
from mmrecun.chunked.erasure import OTHER, LostPartners, Moved
from mmrecun.chunked.run import SIDES, MappedRun
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError
from mmrecun.rng import Seed

_MOST, _NEGATIVES, _USERS = 4096, 64, 128
_ROWS = 32  # affected rows whose partners are read at once
_STEPS = 3
_LEAST_DECAY = 1e-6
_WAY = np.float32(2 / 3)  # as in `expected_bpr`, whose two functions are written here without torch


def gradient_weight(margins: Floats) -> Floats:
    """Compute the weight of pairs with the final margins x in the gradient: sigmoid(-2/3 x), of the same shape."""
    weights: Floats = (1 - np.tanh(margins * (_WAY / 2))) / 2
    return weights


def hessian_weight(pulls: Floats) -> Floats:
    """Compute -d `gradient_weight` / d margins from gradient weights; of the same shape."""
    weights: Floats = pulls * (1 - pulls) * _WAY
    return weights


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

    vectors: Floats
    offsets: Floats
    signs: Floats
    before: Floats
    after: Floats

    def gradient(self, row: Floats, weights: Floats) -> Floats:
        """Compute the gradient of the sum of BPR over all terms by the row: float32 [D]."""
        slope = gradient_weight(self._margins(row)).mean(axis=1)
        found: Floats = -(slope * self.signs * weights) @ self.vectors
        return found

    def curvature(self, row: Floats, weights: Floats) -> Floats:
        """Compute the Gauss-Newton matrix: float32 [D, D]."""
        stiffness = hessian_weight(gradient_weight(self._margins(row))).mean(axis=1) * weights
        found: Floats = (self.vectors * stiffness[:, None]).T @ self.vectors
        return found

    def _margins(self, row: Floats) -> Floats:
        found: Floats = self.signs[:, None] * (self.vectors @ row)[:, None] + self.offsets
        return found


@dataclass(frozen=True)
class ReducedRow:
    """A row that lost partners.

    Attributes:
        row: float32 [D], as trained.
        terms: terms of its gradient.
        kept: share of its occurrences in an epoch that remain.
        free: int64 [D'], the trainable columns of the row.
    """

    row: Floats
    terms: PairTerms
    kept: float
    free: Ints

    def explained(self) -> float:
        """Compute the cosine between the row and the negative gradient of its pairs."""
        own, descent = self.row[self.free], -self.terms.gradient(self.row, self.terms.before)[self.free]
        return float(own @ descent) / max(float(np.linalg.norm(own) * np.linalg.norm(descent)), 1e-8)

    def solved(self) -> Floats:
        """Return the stationary row without the removed pairs, by damped Newton steps: float32 [D]."""
        own, free = self.row[self.free], self.free
        gradient = self.terms.gradient(self.row, self.terms.before)[free]
        decay = max(-float(gradient @ own) / max(float(own @ own), 1e-9), _LEAST_DECAY)
        rest = self.kept * (gradient + decay * own)
        row, after, decay_after = self.row.copy(), self.terms.after, self.kept * decay
        for _ in range(_STEPS):
            missing = rest - self.terms.gradient(row, after)[free] - decay_after * row[free]
            curvature = self.terms.curvature(row, after)[free[:, None], free] + decay_after * np.eye(len(free))
            step = np.linalg.solve(curvature, missing)
            row[free] += step * min(1.0, float(np.linalg.norm(row[free])) / max(float(np.linalg.norm(step)), 1e-12))
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
    """Solve for every retained row that lost a training pair; a row that lost all of them is drawn anew.

    Raises:
        DivergedError: when a row is no longer finite.
    """
    moved, cosines = {}, []
    for side in SIDES:
        solved: dict[int, np.ndarray] = {}
        emptied = []
        for row, reduced in _Neighbourhoods(run, side, seed.child(side).numpy()).affected(lost.lost[side]):
            if reduced is None:
                emptied.append(row)
            else:
                cosines.append(reduced.explained())
                solved[row] = reduced.solved()
        fresh = _fresh(run, side, np.array(emptied, dtype=np.int64), seed)
        rows = np.array([*solved, *emptied], dtype=np.int64)
        values = np.array([*solved.values(), *fresh], dtype=np.float32).reshape(-1, fresh.shape[1])
        if not np.isfinite(values).all():
            raise DivergedError(f"{run.folder}: rows of {side} could not be solved for: they are no longer finite")
        order = np.argsort(rows)
        moved[side] = rows[order], values[order]
    return LocalBalance(moved, float(np.mean(cosines or [0.0])))


def _fresh(run: MappedRun, side: str, at: Ints, seed: Seed) -> np.ndarray:
    """Draw rows `at` (int64 [K]) as at the start of a training, without changing fixed columns: float32 [K, D]."""
    rows, width = run.manifest.rows[f"{side}.vectors"].shape
    bound = (6 / (rows + width)) ** 0.5
    drawn = seed.child(f"fresh {side}").numpy().uniform(-bound, bound, (len(at), width)).astype(np.float32)
    fixed = run.manifest.fixed.get(side, [])
    drawn[:, fixed] = run.rows(side, at)[:, fixed]
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

    def weights(self) -> tuple[Floats, Floats]:
        """Return how many partners each of those stands for, before and after: float32 [M + P - P']."""
        before = np.ones(len(self.stay) + len(self.go), dtype=np.float32)
        before[: len(self.stay)] = self.retained / max(len(self.stay), 1)
        after = before.copy()
        after[len(self.stay) :] = 0
        return before, after


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
        vectors = self._run.rows("items", drawn[:_NEGATIVES])
        if not vectors.any(axis=1).all():  # some are removed; others take their places
            vectors = self._run.rows("items", drawn)
        if vectors.any(axis=1).sum() < _NEGATIVES:  # most are removed
            drawn = self._rng.choice(self._run.retained("items"), _NEGATIVES)
            vectors = self._run.rows("items", drawn)
        alive = np.flatnonzero(vectors.any(axis=1))[:_NEGATIVES]
        self._negatives, self._drawn = vectors[alive], drawn[alive]
        fixed = self._run.manifest.fixed.get(self._side, [])
        self._free = np.setdiff1d(np.arange(vectors.shape[1]), fixed)

    def _block(
        self, rows: Ints, lost: Mapping[int, Ints], as_negative: PairTerms | None
    ) -> Iterator[tuple[int, ReducedRow | None]]:
        """Yield some rows; the vectors of all their partners are read at once, so that a chunk is opened only once."""
        lists = self._run.pairs_of(self._side).lists(rows)
        found = {row: self._partners(values, lost[row]) for row, values in zip(rows.tolist(), lists, strict=True)}
        affected = {row: partners for row, partners in found.items() if len(partners.go)}
        own = self._run.rows(self._side, np.array(list(affected), dtype=np.int64))
        at = np.unique(np.concatenate([np.zeros(0, np.int64), *(each.sampled() for each in affected.values())]))
        vectors = self._run.rows(OTHER[self._side], at)
        for vector, (row, partners) in zip(own, affected.items(), strict=True):
            theirs = vectors[np.searchsorted(at, partners.sampled())]
            yield row, self._reduced(vector, partners, theirs, as_negative) if partners.retained else None

    def _partners(self, values: np.ndarray, lost: Ints) -> _Partners:
        partners = (values[(values & 3) == Split.TRAIN] >> 2).astype(np.int64)
        leaves = np.isin(partners, lost)
        stay = partners[~leaves]
        drawn = stay if len(stay) <= _MOST else self._rng.choice(stay, _MOST, replace=False)
        return _Partners(partners, drawn, partners[leaves], len(stay))

    def _reduced(
        self, vector: Floats, partners: _Partners, vectors: Floats, as_negative: PairTerms | None
    ) -> ReducedRow:
        """Return a row with its terms; `vectors` are those of `partners.sampled()`."""
        before, after = partners.weights()
        if as_negative is None:
            # the margin x . (q_p - q_n) is linear in q_p - q_n, so each combination of positive and negative is a term
            others = self._negatives[~np.isin(self._drawn, partners.all)]
            apart = (vectors[:, None] - others[None]).reshape(-1, vectors.shape[1])
            shares = [np.repeat(part, len(others)) / np.float32(len(others)) for part in (before, after)]
            ones = np.ones(len(apart), dtype=np.float32)
            terms = PairTerms(apart, np.zeros((len(apart), 1), dtype=np.float32), ones, *shares)
            return ReducedRow(vector, terms, partners.retained / len(partners.all), self._free)
        whole = PairTerms(
            np.concatenate([vectors, as_negative.vectors]),
            np.concatenate([-vectors @ self._negatives.T, np.tile(as_negative.offsets, len(self._negatives))]),
            np.concatenate([np.ones(len(vectors), dtype=np.float32), as_negative.signs]),
            np.concatenate([before, as_negative.before]),
            np.concatenate([after, as_negative.after]),
        )
        drawn_as_negative = self._train / self._items  # times in an epoch
        kept = (partners.retained + drawn_as_negative) / (len(partners.all) + drawn_as_negative)
        return ReducedRow(vector, whole, kept, self._free)

    def _as_negative(self) -> PairTerms:
        """Return terms for the pairs in which an item may be the negative, from pairs of some users."""
        users = np.unique(self._rng.integers(self._run.size("users"), size=_USERS))
        pairs = self._run.interactions(users, Split.TRAIN)
        if not len(pairs):  # most are removed
            users = np.unique(self._rng.choice(self._run.retained("users"), _USERS))
            pairs = self._run.interactions(users, Split.TRAIN)
        own = self._run.rows("users", users)[pairs.users]
        scores = (own * self._run.rows("items", pairs.items)).sum(axis=1, keepdims=True)
        share = np.full(len(pairs), self._train / max(len(pairs), 1) / self._items, dtype=np.float32)
        return PairTerms(own, scores, np.full(len(pairs), -1, dtype=np.float32), share, share)

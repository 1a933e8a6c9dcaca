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
    affected, emptied = {}, {}
    for side in SIDES:
        found = _Neighbourhoods(run, side, seed.child(side).numpy()).affected(lost) if lost.lost[side] else {}
        affected[side] = {row: each for row, each in found.items() if each is not None}
        emptied[side] = [row for row, each in found.items() if each is None]
    everyone = [each for of in affected.values() for each in of.values()]
    explained = float(np.mean([each.explained() for each in everyone] or [0.0]))
    moved = {}
    for side in SIDES:
        fresh = _fresh(run, side, np.array(emptied[side], dtype=np.int64), seed)
        rows = np.array([*affected[side], *emptied[side]], dtype=np.int64)
        values = [*(each.solved().numpy() for each in affected[side].values()), *fresh]
        order = np.argsort(rows)
        width = run.manifest.rows["users.vectors"].shape[1]
        moved[side] = rows[order], np.array(values, dtype=np.float32).reshape(-1, width)[order]
    return LocalBalance(moved, explained)


def _fresh(run: MappedRun, side: str, at: Ints, seed: Seed) -> np.ndarray:
    """Draw rows `at` (int64 [K]) as at the start of a training, without changing fixed columns: float32 [K, D]."""
    rows, width = run.manifest.rows[f"{side}.vectors"].shape
    bound = (6 / (rows + width)) ** 0.5
    drawn = seed.child(f"fresh {side}").numpy().uniform(-bound, bound, (len(at), width)).astype(np.float32)
    fixed = run.manifest.fixed.get(side, [])
    drawn[:, fixed] = run.vectors(side, at).numpy()[:, fixed]
    return drawn


class _Neighbourhoods:
    """Collects the gradient terms of rows of one side."""

    def __init__(self, run: MappedRun, side: str, rng: np.random.Generator) -> None:
        self._run, self._side, self._rng = run, side, rng
        self._items = run.size("items")
        drawn = rng.integers(self._items, size=2 * _NEGATIVES)
        vectors = run.vectors("items", drawn[:_NEGATIVES])
        if not vectors.any(dim=1).all():  # some are removed; others take their places
            vectors = run.vectors("items", drawn)
        alive = np.flatnonzero(vectors.any(dim=1))[:_NEGATIVES]
        self._negatives, self._drawn = vectors[alive], drawn[alive]
        fixed = run.manifest.fixed.get(side, [])
        self._free = torch.from_numpy(np.setdiff1d(np.arange(vectors.shape[1]), fixed))
        self._train = run.manifest.pairs[Split.TRAIN.label]

    def affected(self, lost: LostPartners) -> dict[int, ReducedRow | None]:
        """Return the rows that lost training pairs; None for one that lost all of them."""
        rows = np.array(list(lost.lost[self._side]), dtype=np.int64)
        found: dict[int, ReducedRow | None] = {}
        own = self._run.vectors(self._side, rows)
        as_negative = self._as_negative() if self._side == "items" else None
        for row, vector, values in zip(rows.tolist(), own, self._run.pairs_of(self._side).lists(rows), strict=True):
            partners = (values[(values & 3) == Split.TRAIN] >> 2).astype(np.int64)
            leaves = np.isin(partners, lost.lost[self._side][row])
            if leaves.all() and len(partners):
                found[row] = None
            elif leaves.any():
                found[row] = self._one(vector, partners, leaves, as_negative)
        return found

    def _one(self, vector: Tensor, partners: Ints, leaves: np.ndarray, as_negative: PairTerms | None) -> ReducedRow:
        stay, go = partners[~leaves], partners[leaves]
        drawn = stay if len(stay) <= _MOST else self._rng.choice(stay, _MOST, replace=False)
        each = len(stay) / len(drawn)
        vectors = self._run.vectors(OTHER[self._side], np.concatenate([drawn, go]))
        after = torch.cat([torch.full((len(drawn),), each), torch.zeros(len(go))])
        before = torch.cat([torch.full((len(drawn),), each), torch.ones(len(go))])
        signs = torch.ones(len(vectors))
        if self._side == "users":
            # the margin x . (q_p - q_n) is linear in q_p - q_n, so each combination of positive and negative is a term
            others = self._negatives[torch.from_numpy(~np.isin(self._drawn, partners))]
            apart = (vectors[:, None] - others[None]).flatten(0, 1)
            shares = [part.repeat_interleave(len(others)) / len(others) for part in (before, after)]
            terms = PairTerms(apart, torch.zeros(len(apart), 1), torch.ones(len(apart)), *shares)
            return ReducedRow(vector, terms, len(stay) / len(partners), self._free)
        assert as_negative is not None
        whole = PairTerms(
            torch.cat([vectors, as_negative.vectors]),
            torch.cat([-vectors @ self._negatives.T, as_negative.offsets.expand(-1, len(self._negatives))]),
            torch.cat([signs, as_negative.signs]),
            torch.cat([before, as_negative.before]),
            torch.cat([after, as_negative.after]),
        )
        drawn_as_negative = self._train / self._items  # times in an epoch
        kept = (len(stay) + drawn_as_negative) / (len(partners) + drawn_as_negative)
        return ReducedRow(vector, whole, kept, self._free)

    def _as_negative(self) -> PairTerms:
        """Return terms for the pairs in which an item may be the negative, from pairs of some users."""
        users = np.unique(self._rng.integers(self._run.size("users"), size=_USERS))
        pairs = self._run.interactions(users, Split.TRAIN)
        own = self._run.vectors("users", users)[torch.tensor(pairs.users)]
        scores = (own * self._run.vectors("items", pairs.items)).sum(dim=1, keepdim=True)
        share = torch.full((len(pairs),), self._train / max(len(pairs), 1) / self._items)
        return PairTerms(own, scores, -torch.ones(len(pairs)), share, share)

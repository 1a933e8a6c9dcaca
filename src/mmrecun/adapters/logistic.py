"""Forget from logistic matrix factorisation, as `implicit` trains it (Johnson, NIPS 2014 workshop).

The chance of a pair is the logistic function of its score p_u . q_i + b_u + b_i. Training raises the log-likelihood of
the pairs that are there, each by its weight, and of negatives not being there, less ridge / 2 times the squared length
of the rows. Negatives are drawn in proportion to how often somebody occurs among the pairs; `implicit` 0.7 draws for
each row at most as many as the row is long. A row thus has a convex objective with the other side fixed.

Training stops before the optimum, so that solving for a row outright would give another model. What is forgotten shows
in a difference: a row that lost pairs is moved by how far its optimum moves when they go, from where training left it.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from pydantic import PositiveFloat, PositiveInt
from scipy.special import expit

from mmrecun.adapters.embeddings import rows_of, with_rows
from mmrecun.adapters.interactions import weight_matrices
from mmrecun.adapters.row_map import Array
from mmrecun.arrays import Ints
from mmrecun.data.dataset import inverse_index
from mmrecun.text import counted
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, retained_model

_STEPS, _SMALL = 20, 1e-5  # Newton steps, and halvings of one, at most; until none moves a number by more


class LogisticConfig(UnlearnConfig):
    """Settings of the unlearning of logistic matrix factorisation.

    Attributes:
        regularization, neg_prop: the values of the training.
        negatives: number of sampled rows of the other side that represent all, drawn as in training.
    """

    regularization: PositiveFloat = 0.6
    neg_prop: PositiveInt = 30
    negatives: PositiveInt = 256


class RowObjective(NamedTuple):
    """The objective that training maximises in one row, the other side fixed.

    Attributes:
        pairs: float64 [N, D], rows of the other side that it has pairs with.
        weights: float64 [N] of these pairs.
        others: float64 [M, D], sampled rows of negatives.
        share: weight of each of these.
        ridge: factor of half the row's squared length.
        free: int64, the columns that training moves; the other one is held at 1.
    """

    pairs: Array
    weights: Array
    others: Array
    share: float
    ridge: float
    free: Ints

    def value(self, row: Array) -> float:
        """Return the negative log-likelihood with the ridge."""
        met, missed = self.pairs @ row, self.others @ row
        fit = self.weights @ np.logaddexp(0, -met) + self.share * np.logaddexp(0, missed).sum()
        return float(fit + self.ridge / 2 * (row[self.free] ** 2).sum())

    def newton_step(self, row: Array) -> Array:
        """Return the Newton step of the free columns."""
        pairs, others = self.pairs[:, self.free], self.others[:, self.free]
        met, missed = expit(self.pairs @ row), expit(self.others @ row)
        slope = pairs.T @ (self.weights * (met - 1)) + self.share * missed @ others + self.ridge * row[self.free]
        bend = (pairs.T * (self.weights * met * (1 - met))) @ pairs
        bend += self.share * (others.T * (missed * (1 - missed))) @ others
        bend[np.diag_indices_from(bend)] += self.ridge
        step: Array = -np.linalg.solve(bend, slope)
        return step

    def optimum(self, start: Array) -> Array:
        """Return the row of the least value, sought from `start` with Newton steps that are halved until they help."""
        row, value = start.copy(), self.value(start)
        for _ in range(_STEPS):
            step = self.newton_step(row)
            for _ in range(_STEPS):
                tried = row.copy()
                tried[self.free] += step
                if (there := self.value(tried)) <= value:
                    break
                step = step / 2
            else:
                break
            row, value = tried, there
            if np.abs(step).max(initial=0) < _SMALL:
                break
        return row


class LogisticSide(NamedTuple):
    """The rows of one side, before or after a request.

    Attributes:
        matrix: float64 [R, S] sparse, weights of the pairs.
        other: float64 [S, D], the other side.
        drawn: int64 [M], rows of it that stand for negatives.
        fixed: the column that is held at 1 on this side.
    """

    matrix: sp.csr_array
    other: Array
    drawn: Ints
    fixed: int

    def optimum(self, row: int, start: Array, config: LogisticConfig) -> Array:
        """Return where the objective of a row has its optimum."""
        span = slice(self.matrix.indptr[row], self.matrix.indptr[row + 1])
        width = self.other.shape[1]
        count = min(width, (span.stop - span.start) * config.neg_prop)
        free = np.delete(np.arange(width), width + self.fixed)
        objective = RowObjective(
            self.other[self.matrix.indices[span]],
            self.matrix.data[span],
            self.other[self.drawn],
            count / len(self.drawn),
            config.regularization,
            free,
        )
        return objective.optimum(start)


class UnlearnLogistic(Unlearner):
    """Moves each row that lost pairs by the change of its optimum: users first, then items.

    Rows are [p, 1, b_u] for users and [q, b_i, 1] for items, whose dot product is the score.
    """

    Config = LogisticConfig
    config: LogisticConfig

    def run(self, task: Task) -> UnlearnResult:
        """Move the rows of users, then those of items."""
        partition = task.partition
        model = retained_model(task, task.model)
        before = [table.astype(np.float64) for table in rows_of(task.model)]
        after = [before[0][partition.user_rows], before[1][partition.item_rows]]
        whole, left = (weight_matrices(data) for data in (partition.original, partition.retained))
        kept, moved = (partition.user_rows, partition.item_rows), [0, 0]
        rng = task.seed.child("logistic").numpy()
        for side, fixed in ((0, -2), (1, -1)):
            other = 1 - side
            drawn = rng.choice(whole[side].indices, self.config.negatives)
            place = inverse_index(kept[other], len(before[other]))
            stay = place[drawn][place[drawn] >= 0]
            old = LogisticSide(whole[side], before[other], drawn, fixed)
            new = LogisticSide(left[side], after[other], stay, fixed)
            touched = np.flatnonzero(np.diff(left[side].indptr) < np.diff(whole[side].indptr)[kept[side]])
            for done, row in enumerate(touched.tolist(), start=1):
                past = old.optimum(kept[side][row], after[side][row], self.config)
                after[side][row] += new.optimum(row, past, self.config) - past
                task.progress(done, len(touched), "rows moved")
            moved[side] = len(touched)
        stop = f"{counted(moved[0], 'row')} of users and {moved[1]:,} of items moved with their optima"
        return UnlearnResult(with_rows(model, *after), stop, [])

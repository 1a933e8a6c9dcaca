"""Forget from matrix factorisation of ratings, as Cornac's MF trains it with stochastic gradient descent.

The rating of a pair is mu + b_u + b_i + p_u . q_i, and training lowers the squared error of every pair plus ridge times
the squared length of the four. It stops long before the minimum, so that solving for a row outright would give another
model. Therefore a row is moved by the difference of its least-squares solutions with and without its forgotten pairs.
That is the first sweep of Unlearn-ALS, starting from the trained rows.
"""

import numpy as np
import scipy.sparse as sp
from pydantic import PositiveFloat, PositiveInt

from mmrecun.adapters.embeddings import rows_of, with_rows
from mmrecun.adapters.interactions import weight_matrices
from mmrecun.adapters.least_squares import Side
from mmrecun.adapters.row_map import Array
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, retained_model


class RatingsConfig(UnlearnConfig):
    """Settings of the unlearning of rating models.

    Attributes:
        regularization: ridge of each pair in the training.
        mean: mu of the training; it is not changed.
        sweeps: number of sweeps over users, then items.
    """

    regularization: PositiveFloat = 0.02
    mean: float = 0.0
    sweeps: PositiveInt = 1


class UnlearnRatings(Unlearner):
    """Moves each row by the change of its solution that its forgotten pairs, and the rows moved before, cause.

    Rows are [p, b_u, 1] for users and [q, 1, b_i] for items, whose dot product is the rating less the mean.
    """

    Config = RatingsConfig
    config: RatingsConfig

    def run(self, task: Task) -> UnlearnResult:
        """Sweep over users and items."""
        partition = task.partition
        model = retained_model(task, task.model)
        before = [table.astype(np.float64) for table in rows_of(task.model)]
        users, items = before[0][partition.user_rows], before[1][partition.item_rows]
        whole = weight_matrices(partition.original)
        left = weight_matrices(partition.retained)
        for _ in range(self.config.sweeps):
            moved = self._solved(left[0], items, -2) - self._solved(whole[0], before[1], -2)[partition.user_rows]
            users = before[0][partition.user_rows] + moved
            moved = self._solved(left[1], users, -1) - self._solved(whole[1], before[0], -1)[partition.item_rows]
            items = before[1][partition.item_rows] + moved
        stop = f"{self.config.sweeps} sweeps over users and items"
        return UnlearnResult(with_rows(model, users, items), stop, [])

    def _solved(self, ratings: sp.csr_array, other: Array, own: int) -> Array:
        """Return the least-squares rows: float64 [R, D].

        Args:
            ratings: float64 sparse [R, S].
            other: float64 [S, D], the rows of the other side.
            own: column of the row's own bias: -2 for users, -1 for items. The other one of the two multiplies the
                other side's bias and stays at 1.
        """
        fixed = -3 - own
        free = np.setdiff1d(np.arange(other.shape[1]), np.array([other.shape[1] + fixed]))
        targets = ratings.copy()
        targets.data = ratings.data - self.config.mean - other[ratings.indices, fixed]
        count = np.diff(ratings.indptr)
        ones = ratings.copy()
        ones.data = np.ones_like(ratings.data)
        ridge = self.config.regularization * np.maximum(count, 1)
        rows: Array = np.ones((len(count), other.shape[1]))
        rows[:, free] = Side(ones, targets, 0.0, ridge).solve(other[:, free])
        return rows

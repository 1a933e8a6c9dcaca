"""Forget from implicit ALS exactly: solve again, on the retained pairs alone, until the factors no longer change.

The objective (Hu, Koren and Volinsky, ICDM 2008, as `implicit` states it) is a sum over all users u and items i:
c_ui (p_ui - x_u . y_i)^2 + ridge (|x_u|^2 + |y_i|^2), where an observed pair has p = 1 and c = alpha * weight, and
every other p = 0 and c = 1. With one side fixed each row is one linear solve without any forgotten pair.
Starting from the trained factors is known as Unlearn-ALS (Xu et al., arXiv 2302.06676).
"""

import numpy as np
import scipy.sparse as sp
from pydantic import Field, PositiveFloat, PositiveInt

from mmrecun.adapters.embeddings import rows_of, with_rows
from mmrecun.adapters.interactions import weight_matrices
from mmrecun.adapters.least_squares import Side
from mmrecun.adapters.row_map import Array
from mmrecun.data.dataset import Dataset
from mmrecun.errors import DataError
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult, retained_model


class ALSConfig(UnlearnConfig):
    """Settings of the exact unlearning of ALS.

    Attributes:
        regularization, alpha: the values of the training.
        sweeps: the most sweeps; each solves for all users, then for all items.
        tolerance: stop when a sweep moves the factors by less than this share of their length. 0.01 suffices for a
            request; 1e-9 with enough sweeps gives the minimum itself.
    """

    regularization: PositiveFloat = 0.01
    alpha: PositiveFloat = 1.0
    sweeps: PositiveInt = 3
    tolerance: float = Field(default=1e-2, ge=0)


class UnlearnALS(Unlearner):
    """Solves for every row on the retained pairs, starting from the trained factors."""

    Config = ALSConfig
    config: ALSConfig

    def run(self, task: Task) -> UnlearnResult:
        """Sweep over users and items until they no longer change.

        The last half-step solves for the users, so that each user's row is the exact answer to the retained pairs.

        Raises:
            DataError: when a pair has no positive weight.
        """
        retained = task.partition.retained
        model = retained_model(task, task.model)
        users, items = (table.astype(np.float64) for table in rows_of(model))
        of_users, of_items = sides(retained, self.config)
        history: list[dict[str, float]] = []
        for sweep in range(1, self.config.sweeps + 1):
            users = of_users.solve(items)
            moved = of_items.solve(users)
            change = float(np.linalg.norm(moved - items)) / max(float(np.linalg.norm(items)), 1e-12)
            items = moved
            history.append({"step": sweep, "change": change})
            task.progress(sweep, self.config.sweeps, f"items moved by {change:.2g}")
            if change <= self.config.tolerance:
                break
        users = of_users.solve(items)
        stop = f"the last of {len(history)} sweeps moved the items by {history[-1]['change']:.2g} of their length"
        return UnlearnResult(with_rows(model, users, items), stop, history)


def sides(dataset: Dataset, config: ALSConfig) -> tuple[Side, Side]:
    """Return the training pairs as users and as items solve for them.

    Raises:
        DataError: when a pair has no positive weight.
    """
    confidences = [config.alpha * weights for weights in weight_matrices(dataset)]
    if (confidences[0].data <= 0).any():
        raise DataError("ALS needs positive weights; a pair with weight 0 or less is not a preference")
    of_users, of_items = (_side(confidence, config.regularization) for confidence in confidences)
    return of_users, of_items


def _side(confidence: sp.csr_array, ridge: float) -> Side:
    extra = confidence.copy()
    extra.data = extra.data - 1
    ridges: Array = np.full(confidence.shape[0], ridge)
    return Side(extra, confidence, 1.0, ridges)

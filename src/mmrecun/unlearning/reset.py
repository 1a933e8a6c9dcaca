"""Reset: users and items of forgotten pairs get untrained rows."""

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.forget.partition import Partition
from mmrecun.text import counted
from mmrecun.unlearning.base import Task, Unlearner, UnlearnResult, retained_model, with_fresh_rows


class Reset(Unlearner):
    """Gives affected users and items untrained rows in every table. Shared weights stay; there is no training."""

    summary = "gives users and items of forgotten pairs untrained rows, without training"

    def run(self, task: Task) -> UnlearnResult:
        """Draw the affected rows anew."""
        users, items = affected_rows(task.partition)
        fresh = with_fresh_rows(task.model, users, items, task.seed.child("reset"))
        stop = f"nothing was trained; {counted(len(users), 'user')} and {counted(len(items), 'item')} have fresh rows"
        return UnlearnResult(retained_model(task, fresh), stop, [])


def affected_rows(partition: Partition) -> tuple[Ints, Ints]:
    """Return the original rows of users and items of forgotten pairs, and of items that lost a feature; both int64."""
    pairs = partition.forgotten
    lost = [np.flatnonzero(mask) for mask in partition.removed_features.values()]
    return np.unique(pairs.users), np.unique(np.concatenate([pairs.items, *lost]))

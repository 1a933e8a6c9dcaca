"""Reset: whoever had a part in what is forgotten starts again from an untrained row."""

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.forget.partition import Partition
from mmrecun.unlearning.base import Task, Unlearner, UnlearnResult, retained_model, with_fresh_rows


class Reset(Unlearner):
    """No training: the rows of touched users and items become fresh in every table; shared weights stay."""

    summary = "gives users and items of forgotten pairs untrained rows, without training"

    def run(self, task: Task) -> UnlearnResult:
        """Draw the touched rows anew."""
        users, items = affected_rows(task.partition)
        fresh = with_fresh_rows(task.model, users, items, task.seed.child("reset"))
        stop = f"nothing was trained; {len(users)} users and {len(items)} items have fresh rows"
        return UnlearnResult(retained_model(task, fresh), stop, [])


def affected_rows(partition: Partition) -> tuple[Ints, Ints]:
    """Original rows of the users and items of forgotten pairs, and of the items that lost a feature; int64 each."""
    pairs = partition.forgotten
    lost = [np.flatnonzero(mask) for mask in partition.removed_features.values()]
    return np.unique(pairs.users), np.unique(np.concatenate([pairs.items, *lost]))

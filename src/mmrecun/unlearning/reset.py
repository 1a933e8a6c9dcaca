"""Reset: users and items of forgotten pairs get untrained rows."""

from collections.abc import Sequence

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
        users, items = affected_rows(task.partition, task.model.modalities())
        fresh = with_fresh_rows(task.model, users, items, task.seed.child("reset"))
        stop = f"nothing was trained; {counted(len(users), 'user')} and {counted(len(items), 'item')} have fresh rows"
        return UnlearnResult(retained_model(task, fresh), stop, [])


def affected_rows(partition: Partition, modalities: Sequence[str]) -> tuple[Ints, Ints]:
    """Return the original rows of users and items of forgotten pairs, and of items that lost a feature; both int64.

    Args:
        partition: what is forgotten.
        modalities: modalities that the model reads; no row has learned from others.
    """
    pairs = partition.forgotten
    lost = [np.flatnonzero(mask) for name, mask in partition.removed_features.items() if name in modalities]
    return np.unique(pairs.users), np.unique(np.concatenate([pairs.items, *lost]))

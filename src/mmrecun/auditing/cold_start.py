"""Newcomers: how a run scores users and items that it has never seen.

Removed users and items have no row. Each is replaced by a newcomer: an untrained row from one fixed seed, with
the item's own features and no interaction.
"""

import numpy as np

from mmrecun.arrays import Bools
from mmrecun.data.dataset import inverse_index
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Recommender, Sizes, transfer_rows
from mmrecun.rng import Seed


def with_newcomers(model: Recommender, partition: Partition, seed: Seed, fresh: Bools | None = None) -> Recommender:
    """Copy a model of the retained data into original rows, with untrained rows for what was removed.

    Args:
        model: model of the retained data.
        partition: original and retained data.
        seed: random seed of the untrained rows.
        fresh: bool [I], retained items that get an untrained row, too.
    """
    original = partition.original
    users = inverse_index(partition.user_rows, len(original.users))
    items = inverse_index(partition.item_rows, len(original.items))
    if fresh is not None:
        items = np.where(fresh, -1, items)
    sizes = Sizes(users=len(original.users), items=len(original.items), widths=model.sizes.widths)
    present = {name: modality.present for name, modality in original.modalities.items() if name in model.sizes.widths}
    return transfer_rows(model, sizes, users, items, present, seed)

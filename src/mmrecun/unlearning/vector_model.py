"""A model that consists of its vectors alone, the result of methods that edit scores or combine several models."""

from collections.abc import Iterator

import torch
from torch import Tensor

from mmrecun.data.interactions import Interactions
from mmrecun.forget.partition import Partition
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.rng import Seed

BLOCK_BYTES = 64 << 20


@torch.no_grad()
def vector_model(partition: Partition, users: Tensor, items: Tensor) -> BPRMF:
    """Build a matrix factorisation from given vectors of the retained users [U', D] and items [I', D]."""
    config = BPRMFConfig(dim=users.shape[1])
    model = BPRMF(config, Sizes.of_dataset(partition.retained), Seed(0).torch()).to(users.device)
    model.users.weight.copy_(users)
    model.items.weight.copy_(items)
    return model


def retained_vector_model(partition: Partition, users: Tensor, items: Tensor) -> BPRMF:
    """Build a `vector_model` from vectors in original rows, [U, D] and [I, D]."""
    rows = [torch.from_numpy(kept).to(users.device) for kept in (partition.user_rows, partition.item_rows)]
    return vector_model(partition, users[rows[0]], items[rows[1]])


def pair_scores(users: Tensor, items: Tensor, pairs: Interactions) -> Tensor:
    """Score N pairs, gathering one block of rows at a time: float32 [N]."""
    scored = torch.empty(len(pairs), device=users.device)
    for part in blocks(len(pairs), users.shape[1]):
        rows, columns = (torch.tensor(side[part], device=users.device) for side in (pairs.users, pairs.items))
        scored[part] = (users[rows] * items[columns]).sum(dim=1)
    return scored


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Yield slices of at most 64 MiB of float32 rows of `width`."""
    size = max(1, BLOCK_BYTES // (4 * max(1, width)))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))

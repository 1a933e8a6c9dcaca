"""Linear graph convolution."""

import torch
from torch import Tensor

from mmrecun.data.graph import SparseMatrix


def propagate(graph: SparseMatrix, users: Tensor, items: Tensor, layers: int) -> tuple[Tensor, Tensor]:
    """The mean of 0 to `layers` hops over the user-item graph (LightGCN, equations 3 and 8).

    Args:
        graph: [U + I, U + I] normalised adjacency.
        users, items: float32 [U, D] and [I, D].
        layers: number of hops.
    """
    hop = total = torch.cat([users, items])
    for _ in range(layers):
        hop = graph @ hop
        total = total + hop
    mean = total / (layers + 1)
    return mean[: len(users)], mean[len(users) :]

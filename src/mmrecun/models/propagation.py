"""Linear graph convolution."""

import torch
from torch import Tensor

from mmrecun.data.sparse import SparseMatrix


def propagate(graph: SparseMatrix, users: Tensor, items: Tensor, layers: int) -> tuple[Tensor, Tensor]:
    """The mean of 0 to `layers` hops over the user-item graph (LightGCN, equations 3 and 8).

    Args:
        graph: [U + I, U + I] normalised adjacency.
        users, items: float32 [U, D] and [I, D].
        layers: number of hops.
    """
    mean = smooth(graph, torch.cat([users, items]), layers)
    return mean[: len(users)], mean[len(users) :]


def smooth(graph: SparseMatrix, rows: Tensor, layers: int) -> Tensor:
    """As `propagate`, for users and items in one array: float32 [U + I, D] to the same."""
    hop = total = rows
    for _ in range(layers):
        hop = graph @ hop
        total = total + hop
    return total / (layers + 1)

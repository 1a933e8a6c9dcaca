"""Linear graph convolution."""

from typing import Any

import torch
from torch import Tensor

from mmrecun.data.sparse import SparseMatrix, has_kernel, horner, product


def propagate(graph: SparseMatrix, users: Tensor, items: Tensor, layers: int) -> tuple[Tensor, Tensor]:
    """The mean of 0 to `layers` hops over the user-item graph (LightGCN, equations 3 and 8).

    Args:
        graph: [U + I, U + I] normalised adjacency, symmetric.
        users, items: float32 [U, D] and [I, D].
        layers: number of hops.
    """
    mean: Tensor = _Smooth.apply(graph.forward, torch.cat([users, items]), layers)  # type: ignore[no-untyped-call]
    return mean[: len(users)], mean[len(users) :]


class _Smooth(torch.autograd.Function):
    """The mean over hops is a symmetric linear map, so its gradient is the same map of the gradient."""

    @staticmethod
    def forward(ctx: Any, adjacency: Tensor, rows: Tensor, layers: int) -> Tensor:
        ctx.adjacency, ctx.layers = adjacency, layers
        return _mean_of_hops(adjacency, rows, layers)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        return None, _mean_of_hops(ctx.adjacency, gradient, ctx.layers), None


def _mean_of_hops(adjacency: Tensor, rows: Tensor, layers: int) -> Tensor:
    """(x + A (x + A (x + ...))) / (layers + 1), by Horner's rule."""
    if has_kernel(rows.device):
        return horner(adjacency, rows, layers)
    total = rows
    for _ in range(layers):
        total = product(adjacency, total).add_(rows)
    return total / (layers + 1)

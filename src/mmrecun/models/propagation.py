"""Linear graph convolution."""

from typing import Any

import torch
from torch import Tensor

from mmrecun.data.sparse import SparseMatrix, has_kernel, horner
from mmrecun.models.gathering import add_up, gather


def propagate(graph: SparseMatrix, users: Tensor, items: Tensor, layers: int) -> tuple[Tensor, Tensor]:
    """Return the mean of 0 to `layers` hops over the user-item graph (LightGCN, equations 3 and 8).

    Args:
        graph: [U + I, U + I] normalised adjacency, symmetric.
        users, items: float32 [U, D] and [I, D].
        layers: number of hops.
    """
    of_users, of_items = propagate_table(graph, torch.cat([users, items]), layers).split([len(users), len(items)])
    return of_users, of_items


def propagate_table(graph: SparseMatrix, table: Tensor, layers: int) -> Tensor:
    """Return the same for users and items in one `table`, float32 [U + I, D], users first."""
    mean: Tensor = _Smooth.apply(graph, table, layers)  # type: ignore[no-untyped-call]
    return mean


def propagate_at(graph: SparseMatrix, table: Tensor, nodes: Tensor, layers: int) -> Tensor:
    """Return the rows `nodes` (int64 [B], items from U on) of `propagate` applied to `table` [U + I, D]: [B, D].

    On a device with the kernel, the last hop is computed for these nodes alone, and the first hop of the gradient
    starts from them alone. This saves nearly two hops.
    """
    if not has_kernel(table.device):
        return gather(nodes, _Smooth.apply(graph, table, layers))  # type: ignore[no-untyped-call]
    found: Tensor = _SmoothAt.apply(graph.forward, table, nodes, layers)  # type: ignore[no-untyped-call]
    return found


class _SmoothAt(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Tensor, table: Tensor, nodes: Tensor, layers: int) -> Tensor:
        asked = torch.zeros(len(table), dtype=torch.bool, device=table.device).index_fill_(0, nodes, True)
        ctx.save_for_backward(nodes, asked)
        ctx.adjacency, ctx.layers = adjacency, layers
        return horner(adjacency, table, layers, wanted=asked).index_select(0, nodes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None, None]:
        nodes, asked = ctx.saved_tensors
        whole = add_up(nodes, gradient, len(asked))
        return None, horner(ctx.adjacency, whole, ctx.layers, filled=asked), None, None


class _Smooth(torch.autograd.Function):
    """Mean over hops. The map is linear and symmetric, so its gradient is the same map, applied to the gradient."""

    @staticmethod
    def forward(ctx: Any, graph: SparseMatrix, rows: Tensor, layers: int) -> Tensor:
        ctx.graph, ctx.layers = graph, layers
        return _mean_of_hops(graph, rows, layers)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        return None, _mean_of_hops(ctx.graph, gradient, ctx.layers), None


def _mean_of_hops(graph: SparseMatrix, rows: Tensor, layers: int) -> Tensor:
    """Compute (x + A (x + A (x + ...))) / (layers + 1) by Horner's rule."""
    if has_kernel(rows.device):
        return horner(graph.forward, rows, layers)
    total = rows
    for _ in range(layers):
        total = graph.times(total).add_(rows)
    return total / (layers + 1)

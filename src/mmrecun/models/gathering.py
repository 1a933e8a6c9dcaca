"""Gather rows of a table on a CUDA device, without waiting for it and with reproducible gradients."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from mmrecun.data.sparse import has_kernel


def gather(rows: Tensor, table: Tensor) -> Tensor:
    """Return `table[rows]`: float32 [B, D], from rows int64 [B] and table [N, D].

    Gradients of repeated rows are added up in the order of the batch, without atomics.
    """
    found: Tensor = _Gather.apply(rows, table)  # type: ignore[no-untyped-call]
    return found


def add_up(rows: Tensor, values: Tensor, size: int) -> Tensor:
    """Add up the `values` [B, D] of each of `size` rows: [size, D]; `rows` is int64 [B]. The order is fixed."""
    if has_kernel(rows.device):
        from mmrecun.data import sparse_kernel

        return sparse_kernel.add_up(rows, values, size)
    ascending, order = rows.sort(stable=True)
    starts = torch.searchsorted(ascending, torch.arange(size + 1, device=rows.device))
    return embedding_bag(order, values, starts, mode="sum", include_last_offset=True)


class _Gather(torch.autograd.Function):
    """Rows by number; the gradient of a row is the sum over its places in the batch."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.size = len(table)
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (rows,) = ctx.saved_tensors
        return None, add_up(rows, gradient.contiguous(), ctx.size)

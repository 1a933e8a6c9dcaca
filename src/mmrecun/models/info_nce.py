"""InfoNCE: each row of one view is to be found among the rows of the other (van den Oord et al., 2018)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear, normalize


class InfoNCETerm(NamedTuple):
    """InfoNCE between two views of users and of items, as a part of a model's loss.

    Attributes:
        views: names of the two in `Vectors.views`; the first is matched to the second.
        weight: of the term.
        temperature, negatives_per_block: see `info_nce`.
    """

    views: tuple[str, str]
    weight: float
    temperature: float
    negatives_per_block: int


_BLOCK_ROWS, _BLOCK_ROWS_ON_DEVICE = 512, 8192


def info_nce(one: Tensor, other: Tensor, ids: Tensor, temperature: float, negatives_per_block: int = 2048) -> Tensor:
    """Compute the mean cross-entropy of matching row b of `one` to row b of `other` by cosine similarity; a scalar.

    A user or item in several rows counts that often, as query and as negative, but is computed once.

    >>> round(info_nce(torch.eye(2), torch.eye(2), torch.arange(2), 1.0).item(), 2)
    0.31

    Args:
        one, other: float32 [B, D].
        ids: int64 [B], the user or item of each row; the rows of one of them are equal.
        temperature: divides the similarities; at least 0.1, so that rounding a similarity changes no exponential by
            more than a few per cent.
        negatives_per_block: size of the blocks of the batch; a row is compared with its block alone, so that the cost
            grows with this number rather than with B.
    """
    losses = []
    for start in range(0, len(one), negatives_per_block):
        part = slice(start, start + negatives_per_block)
        if ids.device.type == "cpu":
            rows, counts = _distinct(ids[part])
            left, right = (normalize(embedding(rows + start, view), dim=1) for view in (one, other))
            often = counts.to(one.dtype)
        else:  # each row is computed: counting the distinct ones would make the host wait for the device
            left, right = (normalize(view[part], dim=1) for view in (one, other))
            often = None
        losses.append(_InfoNCE.apply(left / temperature, right, often))  # type: ignore[no-untyped-call]
    return torch.stack(losses).sum() / len(one)


def _distinct(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return one row for each distinct id in `ids`, and the number of its rows: both int64 [N]."""
    found, place, counts = ids.unique(return_inverse=True, return_counts=True)
    rows = torch.arange(len(ids), device=ids.device)
    first = torch.full_like(found, len(ids)).scatter_reduce_(0, place, rows, "amin")
    return first, counts


class _InfoNCE(torch.autograd.Function):
    """Cross-entropy of the diagonal of `one @ other.T`, in blocks of rows that fit a processor's cache.

    Row n of N counts `counts[n]` times, or once; the result is the sum over all of them. Both gradients are computed in
    the forward pass, so that no [N, N] array is kept. The products of all pairs are taken in bfloat16 and summed in
    float32; the diagonal is exact.
    """

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor, counts: Tensor | None) -> Tensor:
        weight = one.new_ones(1, 1).expand(len(one), 1) if counts is None else counts.unsqueeze(1)
        toward_one, toward_other = torch.empty_like(one), torch.zeros_like(other)
        loss = -(weight * one * other).sum()
        rows, columns = one.bfloat16(), other.bfloat16()
        often = None if counts is None else counts.log().bfloat16()
        size = _BLOCK_ROWS if one.device.type == "cpu" else _BLOCK_ROWS_ON_DEVICE
        for start in range(0, len(one), size):
            block = slice(start, start + size)
            odds = linear(rows[block], columns, often).exp_()
            total = odds.sum(dim=1, keepdim=True, dtype=one.dtype)
            loss += (weight[block] * total.log()).sum()
            share = weight[block] / total
            toward_one[block] = (odds @ columns) * share
            toward_other += odds.T @ (one[block] * share).bfloat16()
        ctx.save_for_backward(toward_one.sub_(weight * other), toward_other.sub_(weight * one))
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        toward_one, toward_other = ctx.saved_tensors
        return gradient * toward_one, gradient * toward_other, None

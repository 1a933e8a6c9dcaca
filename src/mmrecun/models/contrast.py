"""InfoNCE: each row of one view should find itself among the rows of the other (van den Oord et al., 2018)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

_BLOCK_ROWS = 256


def info_nce(one: Tensor, other: Tensor, temperature: float, rivals: int = 2048) -> Tensor:
    """Mean cross-entropy of finding row b of `one` at row b of `other`, by cosine similarity; a scalar.

    >>> round(info_nce(torch.eye(2), torch.eye(2), 1.0).item(), 4)
    0.3133

    Args:
        one, other: float32 [B, D].
        temperature: divides the similarities; at least 0.02, so that no exponential overflows.
        rivals: rows are sought among so many neighbours in the batch, themselves included; cost grows with it, not
            with B.
    """
    left, right = normalize(one, dim=1) / temperature, normalize(other, dim=1)
    parts = zip(torch.split(left, rivals), torch.split(right, rivals), strict=True)
    losses: list[Tensor] = [_FindSelf.apply(*part) * len(part[0]) for part in parts]  # type: ignore[no-untyped-call]
    return torch.stack(losses).sum() / len(one)


class _FindSelf(torch.autograd.Function):
    """Cross-entropy of the diagonal of `one @ other.T`, by blocks of rows that stay in the processor's cache.

    Both gradients are made along the way, so that no [B, B] array is ever held, in neither direction. The loss is
    exact to float32; the products that make the gradients are taken in bfloat16 and summed in float32.
    """

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        toward_one, toward_other = torch.empty_like(one), torch.zeros_like(other)
        loss, halved = -(one * other).sum(), other.bfloat16()
        for start in range(0, len(one), _BLOCK_ROWS):
            block = one[start : start + _BLOCK_ROWS]
            odds = (block @ other.T).exp_()
            total = odds.sum(dim=1, keepdim=True)
            loss += total.log().sum()
            odds = odds.bfloat16()
            toward_one[start : start + _BLOCK_ROWS] = (odds @ halved) / total
            toward_other += odds.T @ (block / total).bfloat16()
        ctx.save_for_backward(toward_one.sub_(other).div_(len(one)), toward_other.sub_(one).div_(len(one)))
        return loss / len(one)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        toward_one, toward_other = ctx.saved_tensors
        return gradient * toward_one, gradient * toward_other

"""Conjugate gradients over several tensors."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmrecun.cuda_graph import CapturedCall

Tensors = list[Tensor]


def inner(first: Tensors, second: Tensors) -> Tensor:
    """Return the inner product of two lists of tensors of the same shapes, as a float64 scalar on their device."""
    return torch.stack([part.sum() for part in torch._foreach_mul(first, second)]).sum().double()


def solve(
    product: Callable[[Tensors], Tensors],
    target: Tensors,
    diagonal: Tensors,
    products: int,
    tolerance: float,
    captured: bool = False,
) -> tuple[Tensors, int]:
    """Solve `product(x)` = `target` approximately from x = 0; return x and the number of products.

    Conjugate gradients are preconditioned with `diagonal`. At a direction of negative curvature they stop with the
    solution so far (Steihaug, 1983).

    Args:
        product: multiplies by a symmetric matrix.
        target: tensors of any shapes.
        diagonal: positive; each can be broadcast to its tensor of `target`.
        products: number of products at most.
        tolerance: norm of the residual at which to stop, relative to that of `target`.
        captured: whether to take the steps as replays of a CUDA graph. The host then never asks whether the solution is
            close enough: all steps are taken, and those after the last one that is needed change nothing.
    """
    steps = ConjugateSteps(product, target, diagonal, tolerance)
    take = CapturedCall(steps.take, torch.cuda.Stream(target[0].device)) if captured else steps.take
    for _ in range(products):
        if not captured and not steps.going:
            break
        take()
    return steps.found, int(steps.taken)


class ConjugateSteps:
    """The state of `solve`: everything is on the device and changed in place, so that a step can be captured.

    Attributes:
        found: the solution so far.
        taken: int64 scalar, the number of products that counted.
        going: bool scalar, whether another step would change anything.
    """

    def __init__(
        self, product: Callable[[Tensors], Tensors], target: Tensors, diagonal: Tensors, tolerance: float
    ) -> None:
        self._product, self._diagonal = product, diagonal
        self.found = [torch.zeros_like(part) for part in target]
        self._residual = [part.clone() for part in target]
        self._direction = list(torch._foreach_div(self._residual, diagonal))
        self._size = inner(self._residual, self._direction)
        self._enough = tolerance**2 * self._size
        self.taken = torch.zeros((), dtype=torch.int64, device=target[0].device)
        self.going = ~(self._size <= self._enough)  # negated, so that NaN goes on and is found later

    def take(self) -> None:
        """Take a step; it changes nothing when no other is wanted."""
        image = self._product(self._direction)
        bend = inner(self._direction, image)
        level = bend <= 0
        # at once on a direction of negative curvature, the direction itself is the solution
        first, stays = (level & (self.taken == 0)).double(), torch.zeros_like(bend)
        far = torch.where(self.going, torch.where(level, first, self._size / bend), stays)
        back = torch.where(self.going & ~level, self._size / bend, stays)
        self.taken += self.going
        self._add(self.found, far, self._direction)
        self._add(self._residual, -back, image)
        scaled = list(torch._foreach_div(self._residual, self._diagonal))
        smaller = inner(self._residual, scaled)
        self.going &= ~level
        torch._foreach_mul_(self._direction, self._scalar(torch.where(self.going, smaller / self._size, stays)))
        torch._foreach_add_(self._direction, scaled)
        self._size.copy_(smaller)
        self.going &= ~(smaller <= self._enough)

    def _add(self, parts: Tensors, factor: Tensor, others: Tensors) -> None:
        torch._foreach_add_(parts, torch._foreach_mul(others, self._scalar(factor)))

    def _scalar(self, factor: Tensor) -> Tensor:
        return factor.to(self._residual[0].dtype)

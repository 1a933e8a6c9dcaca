"""Conjugate gradients over several tensors."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmrecun.cuda_graph import CapturedCall

Tensors = list[Tensor]


def inner(first: Tensors, second: Tensors) -> Tensor:
    """Return the inner product of two lists of tensors of the same shapes, as a float64 scalar on their device."""
    return torch.stack([part.sum() for part in torch._foreach_mul(first, second)]).sum(dtype=torch.float64)


def solve(
    product: Callable[[Tensors], Tensors],
    target: Tensors,
    diagonal: Tensors,
    products: int,
    tolerance: float,
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
    """
    steps = ConjugateSteps(product, target, diagonal, tolerance)
    for _ in range(products):
        if not steps.going:
            break
        steps.take()
    return steps.found, int(steps.taken)


class CapturedSolver:
    """Solves as `solve` does, for matrices that change in place, with steps that are replays of one CUDA graph.

    The host never asks whether a solution is close enough: all steps are taken, and those after the last one that is
    needed change nothing.

    Args:
        product: multiplies by the matrix; reads the same memory each time, and nothing back.
    """

    def __init__(self, product: Callable[[Tensors], Tensors]) -> None:
        self._product = product
        self._steps: ConjugateSteps | None = None
        self._take: CapturedCall | None = None

    def solve(self, target: Tensors, diagonal: Tensors, products: int, tolerance: float) -> Tensors:
        """Return x after `products` steps, in memory that the next call writes over; arguments as for `solve`."""
        steps = ConjugateSteps(self._product, target, diagonal, tolerance)
        if self._steps is None or self._take is None:
            self._steps, self._take = steps, CapturedCall(steps.take, torch.cuda.Stream(target[0].device))
        else:
            self._steps.continue_as(steps)
        for _ in range(products):
            self._take()
        return self._steps.found


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
        self._product, self._diagonal = product, [part.clone() for part in diagonal]
        self.found = [torch.zeros_like(part) for part in target]
        self._residual = [part.clone() for part in target]
        self._direction = list(torch._foreach_div(self._residual, diagonal))
        self._size = inner(self._residual, self._direction)
        self._enough = tolerance**2 * self._size
        self.taken = torch.zeros((), dtype=torch.int64, device=target[0].device)
        self.going = ~(self._size <= self._enough)  # negated, so that NaN goes on and is found later

    def continue_as(self, other: "ConjugateSteps") -> None:
        """Take over the state of `other`, in place."""
        for mine, theirs in zip(self._state(), other._state(), strict=True):
            mine.copy_(theirs)

    def _state(self) -> Tensors:
        parts = (*self.found, *self._residual, *self._direction, *self._diagonal)
        return [*parts, self._size, self._enough, self.taken, self.going]

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

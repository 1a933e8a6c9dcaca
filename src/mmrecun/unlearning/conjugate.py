"""Conjugate gradients over several tensors."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Tensors = list[Tensor]


def inner(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Return the inner product of two lists of tensors of the same shapes."""
    return float(torch.stack([(one * other).sum() for one, other in zip(first, second, strict=True)]).sum())


def solve(
    product: Callable[[Tensors], Tensors], target: Tensors, diagonal: Tensors, products: int, tolerance: float
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
    found = [torch.zeros_like(part) for part in target]
    residual = [part.clone() for part in target]
    scaled = [part / scale for part, scale in zip(residual, diagonal, strict=True)]
    direction, size = scaled, inner(residual, scaled)
    enough = tolerance**2 * size
    for taken in range(products):
        if size <= enough:
            return found, taken
        image = product(direction)
        bend = inner(direction, image)
        if bend <= 0:
            return (found if taken else direction), taken + 1
        found = [part + size / bend * step for part, step in zip(found, direction, strict=True)]
        residual = [part - size / bend * step for part, step in zip(residual, image, strict=True)]
        scaled = [part / scale for part, scale in zip(residual, diagonal, strict=True)]
        smaller = inner(residual, scaled)
        direction = [part + smaller / size * step for part, step in zip(scaled, direction, strict=True)]
        size = smaller
    return found, products

"""Adam (Kingma and Ba, ICLR 2015) over chosen rows of tables; time and memory follow the rows, not the tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class _Moments:
    rows: Tensor
    first: Tensor
    second: Tensor


class RowAdam:
    """Moves some rows of each parameter and leaves every other bit as it is.

    Args:
        rows: parameter [R, W] -> int64 [T], distinct rows of it.
        pace: parameter -> its share of the learning rate; 1 for those not named.
    """

    def __init__(self, rows: Mapping[nn.Parameter, Tensor], pace: Mapping[nn.Parameter, float] | None = None) -> None:
        self._steps, self._pace = 0, pace or {}
        self._moments = {
            parameter: _Moments(chosen, *parameter.new_zeros(2, len(chosen), parameter.shape[1]))
            for parameter, chosen in rows.items()
        }

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One step by the parameters' gradients, which are used up; those without one are passed over."""
        self._steps += 1
        unbiased = 1 - _FIRST**self._steps, 1 - _SECOND**self._steps
        for parameter, moments in self._moments.items():
            if parameter.grad is None:
                continue
            gradient = parameter.grad[moments.rows]
            parameter.grad = None
            moments.first.lerp_(gradient, 1 - _FIRST)
            moments.second.lerp_(gradient.square_(), 1 - _SECOND)
            scale = (moments.second / unbiased[1]).sqrt_().add_(_EPSILON)
            rate = learning_rate * self._pace.get(parameter, 1.0)
            parameter.index_add_(0, moments.rows, moments.first / scale, alpha=-rate / unbiased[0])

"""The one loop: a pass over batches, used by training, fine-tuning and unlearning alike."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from mmrecun.errors import DivergedError

Batch = TypeVar("Batch")
Progress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, note: str) -> None:
    """Show no progress."""


def adam(model: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Adam over all parameters, in one fused kernel, which a CUDA graph can hold."""
    parameters = list(model.parameters())
    capturable = any(parameter.is_cuda for parameter in parameters)
    return torch.optim.Adam(parameters, lr=learning_rate, fused=True, capturable=capturable)


def train_batches(
    batches: Iterable[Batch], loss_of: Callable[[Batch], Tensor], optimizer: torch.optim.Optimizer
) -> float:
    """One optimiser step per batch; returns the mean loss.

    Raises:
        DivergedError: when the mean is not finite; the parameters are spoilt then.
    """
    total, steps = torch.zeros(()), 0
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total = total.to(loss.device) + loss.detach()
        steps += 1
    mean = total.item() / max(steps, 1)
    if not torch.isfinite(torch.tensor(mean)):
        raise DivergedError(diverged(mean))
    return mean


def diverged(mean: float) -> str:
    """Return what to say when the mean loss is not finite."""
    return f"the loss became {mean}; lower learning_rate or the weight of the forget term"

"""The training loop: one pass over batches, for training, fine-tuning and unlearning alike."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from mmrecun.errors import DivergedError

Batch = TypeVar("Batch")


def adam(model: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Build Adam over all parameters, as one fused kernel, which a CUDA graph can capture."""
    parameters = list(model.parameters())
    capturable = any(parameter.is_cuda for parameter in parameters)
    return torch.optim.Adam(parameters, lr=learning_rate, fused=True, capturable=capturable)


def train_batches(
    batches: Iterable[Batch], loss_of: Callable[[Batch], Tensor], optimizer: torch.optim.Optimizer
) -> float:
    """Take one optimiser step per batch, and return the mean loss.

    Raises:
        DivergedError: when the mean loss is not finite; the parameters are unusable then.
    """
    total, steps = torch.zeros(()), 0
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(batch)
        loss.backward()
        optimizer.step()
        total = total.to(loss.device) + loss.detach()
        steps += 1
    mean = total.item() / max(steps, 1)
    if not torch.isfinite(torch.tensor(mean)):
        raise DivergedError(diverged(mean))
    return mean


def refuse_not_finite(model: nn.Module, message: str) -> None:
    """Raise DivergedError with `message` unless every value of the model is finite; the device is asked once."""
    if not torch.stack([value.isfinite().all() for value in model.state_dict().values()]).all():
        raise DivergedError(message)


def diverged(mean: float) -> str:
    """Return the message for a mean loss that is not finite."""
    return f"the loss became {mean}; lower learning_rate or the weight of the forget term"

"""Pairs among candidate items: scores, ranks, and the divergence of the distributions that they define."""

import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.models.base import UserItemVectors


def list_scores(vectors: UserItemVectors, users: Tensor, items: Tensor, others: Tensor) -> Tensor:
    """Score B pairs, each followed by its user's scores of C shared items.

    Args:
        vectors: float32 [U, D] and [I, D].
        users, items: int64 [B].
        others: int64 [C] item rows.

    Returns:
        float32 [B, 1 + C].
    """
    rows = torch.nn.functional.embedding(users, vectors[0])
    own = (rows * torch.nn.functional.embedding(items, vectors[1])).sum(dim=1, keepdim=True)
    return torch.cat([own, rows @ torch.nn.functional.embedding(others, vectors[1]).T], dim=1)


def divergence(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Compute T^2 mean KL(softmax(teacher / T) || softmax(student / T)) over rows (Hinton et al., 2015); a scalar.

    >>> scores = torch.tensor([[1.0, 2.0, 3.0]])
    >>> divergence(scores, scores + 5, temperature=2.0).item()
    0.0

    Args:
        teacher, student: float32 [B, C].
        temperature: T.
    """
    known, guessed = (scores.div(temperature).log_softmax(dim=1) for scores in (teacher, student))
    return temperature**2 * (known.exp() * (known - guessed)).sum(dim=1).mean()


def share_above(scores: Tensor) -> Tensor:
    """Compute the share of the C other items that score higher than the pair: float32 [B] from [B, 1 + C]."""
    return (scores[:, 1:] > scores[:, :1]).float().mean(dim=1)


class CandidateSampler:
    """Draws candidate items. Every draw differs; the same seed gives the same draws."""

    def __init__(self, items: Ints, size: int, rng: torch.Generator, device: torch.device) -> None:
        self._items, self._size, self._rng, self._device = torch.from_numpy(items), size, rng, device

    def __call__(self) -> Tensor:
        """Draw C candidate items: int64 [C]. C is the size asked for, or their number if that is less."""
        order = torch.randperm(len(self._items), generator=self._rng)[: self._size]
        return self._items[order].to(self._device)

"""Attention over the modalities that a user or an item has."""

from collections.abc import Sequence

import torch
from torch import Tensor


def attend(vectors: Sequence[Tensor], logits: Sequence[Tensor], present: Tensor) -> Tensor:
    """Compute the attention-weighted sum over the modalities of each row; zero if it has none.

    Args:
        vectors: M of float32 [N, D].
        logits: M of float32 [N, 1].
        present: bool [N, M].

    Returns:
        float32 [N, D].
    """
    weights = torch.cat(list(logits), dim=1).masked_fill(~present, -1e9).softmax(dim=1) * present
    return sum((weights[:, m : m + 1] * vector for m, vector in enumerate(vectors)), start=torch.zeros_like(vectors[0]))


def mean_with(shared: Tensor, own: Sequence[Tensor], present: Tensor) -> Tensor:
    """Compute the mean of a shared vector and one own vector for each modality of the row.

    Args:
        shared: float32 [N, D].
        own: M of float32 [N, D].
        present: bool [N, M].

    Returns:
        float32 [N, D].
    """
    total = sum((vector * present[:, m : m + 1] for m, vector in enumerate(own)), start=shared)
    return total / (1 + present.sum(dim=1, keepdim=True))

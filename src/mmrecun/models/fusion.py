"""Attention over whichever modalities a user or an item has."""

from collections.abc import Mapping

import torch
from torch import Tensor


def attend(vectors: Mapping[str, Tensor], logits: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
    """The attention-weighted sum over the modalities each row has; zero where it has none.

    Args:
        vectors: modality -> float32 [N, D].
        logits: modality -> float32 [N, 1].
        present: modality -> bool [N].

    Returns:
        float32 [N, D].
    """
    mask = torch.stack([present[name] for name in vectors], dim=1)
    scores = torch.cat([logits[name] for name in vectors], dim=1).masked_fill(~mask, -1e9)
    weights = scores.softmax(dim=1) * mask
    return sum(
        (weights[:, m : m + 1] * vector for m, vector in enumerate(vectors.values())),
        start=torch.zeros_like(next(iter(vectors.values()))),
    )


def mean_with(shared: Tensor, own: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
    """The mean of a shared vector and of one own vector for each modality the row has.

    Args:
        shared: float32 [N, D].
        own: modality -> float32 [N, D].
        present: modality -> bool [N].

    Returns:
        float32 [N, D].
    """
    total = sum((vector * present[name].unsqueeze(1) for name, vector in own.items()), start=shared)
    count = torch.stack([present[name] for name in own], dim=1).sum(dim=1, keepdim=True)
    return total / (1 + count)

"""Attention over the modalities that a user or an item has."""

from torch import Tensor


def attend(vectors: Tensor, logits: Tensor, present: Tensor) -> Tensor:
    """Compute the attention-weighted sum over the modalities of each row; zero if it has none.

    Args:
        vectors: float32 [N, M, D].
        logits: float32 [N, M].
        present: bool [N, M].

    Returns:
        float32 [N, D].
    """
    weights = logits.masked_fill(~present, -1e9).softmax(dim=1) * present
    return (weights.unsqueeze(2) * vectors).sum(dim=1)


def mean_with(shared: Tensor, own: Tensor, present: Tensor) -> Tensor:
    """Compute the mean of a shared vector and one own vector for each modality of the row.

    Args:
        shared: float32 [N, D].
        own: float32 [N, M, D].
        present: bool [N, M].

    Returns:
        float32 [N, D].
    """
    total = shared + (own * present.unsqueeze(2)).sum(dim=1)
    return total / (1 + present.sum(dim=1, keepdim=True))

"""InfoNCE: each row of one view should find itself among the rows of the other (van den Oord et al., 2018)."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize


def info_nce(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of finding row b of `one` at row b of `other`, by cosine similarity; a scalar.

    >>> round(info_nce(torch.eye(2), torch.eye(2), 1.0).item(), 4)
    0.3133

    Args:
        one, other: float32 [B, D].
        temperature: divides the similarities.
    """
    similarity = (normalize(one, dim=1) / temperature) @ normalize(other, dim=1).T
    return cross_entropy(similarity, torch.arange(len(one), device=one.device))

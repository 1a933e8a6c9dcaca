"""Bayesian personalised ranking, forwards and in reverse; functions of margins x = s(u, p) - s(u, n)."""

from enum import StrEnum

from torch import Tensor
from torch.nn.functional import logsigmoid

from mmrecun.models.base import Recommender, TripleVectors


class Reverse(StrEnum):
    """The two readings of "reverse BPR"; the published text does not settle which is meant.

    SWAPPED lets positive and negative change places: strong at the start, and it ends by itself.
    NEGATED turns the sign of the loss: weak where pairs are well fitted, and without a bound.
    """

    SWAPPED = "swapped"
    NEGATED = "negated"


def bpr(margins: Tensor) -> Tensor:
    """Mean of -ln sigmoid(x) (Rendle et al., UAI 2009); a scalar from float32 [B].

    >>> import torch
    >>> round(bpr(torch.zeros(3)).item(), 4)
    0.6931
    """
    return -logsigmoid(margins).mean()


def reverse_bpr(margins: Tensor, form: Reverse = Reverse.SWAPPED) -> Tensor:
    """Return the loss whose descent lowers the margins of forgotten pairs; a scalar from float32 [B].

    >>> import torch
    >>> round(reverse_bpr(torch.full((1,), 100.0)).item())
    100
    """
    return bpr(-margins) if form is Reverse.SWAPPED else -bpr(margins)


def training_loss(model: Recommender, batch: TripleVectors) -> Tensor:
    """Return what `model` is trained by: BPR, unless it does not rank, and its own losses; a scalar."""
    own = model.auxiliary_loss(batch)
    return bpr(batch.margins()) + own if model.uses_bpr else own

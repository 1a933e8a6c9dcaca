"""Bayesian personalised ranking (BPR) and its reverse, as functions of margins x = s(u, p) - s(u, n)."""

from enum import StrEnum

from torch import Tensor
from torch.nn.functional import logsigmoid

from mmrecun.models.base import Recommender, TripleVectors


class Reverse(StrEnum):
    """The two readings of "reverse BPR"; the published text leaves open which is meant.

    SWAPPED exchanges positive and negative: strong at the start, and it ends by itself.
    NEGATED turns the sign of the loss: weak for well fitted pairs, and without a bound.
    """

    SWAPPED = "swapped"
    NEGATED = "negated"


def bpr(margins: Tensor) -> Tensor:
    """Compute the mean of -ln sigmoid(x) (Rendle et al., UAI 2009); a scalar from float32 [B].

    >>> import torch
    >>> round(bpr(torch.zeros(3)).item(), 4)
    0.6931
    """
    return -logsigmoid(margins).mean()


def reverse_bpr(margins: Tensor, form: Reverse = Reverse.SWAPPED) -> Tensor:
    """Compute a loss whose descent lowers the margins of forgotten pairs; a scalar from float32 [B].

    >>> import torch
    >>> round(reverse_bpr(torch.full((1,), 100.0)).item())
    100
    """
    return bpr(-margins) if form is Reverse.SWAPPED else -bpr(margins)


def training_loss(model: Recommender, batch: TripleVectors) -> Tensor:
    """Compute the training loss of `model`: BPR, if it uses it, plus its own losses; a scalar."""
    own = model.auxiliary_loss(batch)
    return bpr(batch.margins()) + own if model.uses_bpr else own

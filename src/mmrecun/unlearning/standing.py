"""Where pairs stand among items drawn for comparison, and where they would stand if nobody had learned them.

Forgotten pairs are exchangeable with held-out positives of equal popularity, but for what the model remembers of them.
So the standing of held-out pairs says, without any Gold, how high a forgotten pair may still rank: the k-th best of the
forgotten ones as high as the same quantile of the held-out ones, within each stratum of popularity.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.matching import matched
from mmrecun.models.base import Pair
from mmrecun.shapes import Floats, Ints

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """Pairs, and the candidates each is compared with; items that a user ever had do not count for that user.

    Attributes:
        pairs: B of them.
        items: int64 [C], rows of the candidates.
        masked: bool [B, C], which do not count.
    """

    pairs: Interactions
    items: Ints
    masked: Tensor

    @classmethod
    def of(cls, pairs: Interactions, items: Ints, known: Interactions, of_items: int, device: torch.device) -> Self:
        """Compare `pairs` with `items` but for what their users had, `known`; `of_items` is I."""
        owners, offered = np.repeat(pairs.users, len(items)), np.tile(items, len(pairs))
        masked = known.contains(owners, offered, of_items).reshape(len(pairs), len(items)) | (
            pairs.items[:, None] == items
        )
        return cls(pairs, items, torch.from_numpy(masked).to(device))

    def scores(self, vectors: Pair) -> tuple[Tensor, Tensor]:
        """The pairs' own scores float32 [B], and their users' scores of the candidates float32 [B, C].

        What does not count is -inf there.
        """
        users, items = vectors
        rows = users[torch.from_numpy(self.pairs.users.copy()).to(users.device)]
        own = (rows * items[torch.from_numpy(self.pairs.items.copy()).to(items.device)]).sum(dim=1)
        others = rows @ items[torch.from_numpy(self.items).to(items.device)].T
        return own, others.masked_fill_(self.masked, -torch.inf)


def standing(own: Tensor, others: Tensor) -> Floats:
    """Share of the candidates that count which each pair outranks, ties half; float32 [B], 0.5 where none counts.

    >>> standing(torch.tensor([2.0]), torch.tensor([[1.0, 3.0, 2.0, -torch.inf]])).tolist()
    [0.5]
    """
    counts = others > -torch.inf
    number = counts.sum(dim=1)
    lower = ((others < own.unsqueeze(1)) & counts).sum(dim=1)
    equal = (others == own.unsqueeze(1)).sum(dim=1)
    share = (lower + equal / 2) / number
    found: Floats = torch.where(number > 0, share, 0.5).cpu().numpy()
    return found


def unlearned_standing(forgotten: Floats, strata: Ints, controls: Floats, control_strata: Ints) -> Shares:
    """Where each forgotten pair would stand had nobody learned it: the controls' quantile at its rank, by stratum.

    >>> unlearned_standing(np.array([0.9, 0.8]), np.zeros(2), np.array([0.25, 0.5, 0.75]), np.zeros(3)).tolist()
    [0.625, 0.375]

    Args:
        forgotten, controls: float32 [B] and [M], M at least 1.
        strata, control_strata: int64 [B] and [M], of `evaluation.matching.strata`.

    Returns:
        float64 [B].
    """
    targets = np.empty(len(forgotten))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        rivals = controls[matched(stratum, control_strata)]
        order = inside[np.argsort(forgotten[inside], kind="stable")]
        targets[order] = np.quantile(rivals, (np.arange(len(inside)) + 0.5) / len(inside))
    return targets


def at_standing(others: Tensor, wanted: Shares) -> Ints:
    """The candidate of each row that stands where a pair should: int64 [B], columns of `others` float32 [B, C].

    The lowest-scored of the candidates that count which outranks the share `wanted` [B] of them, or the best one.
    """
    order = others.sort(dim=1).indices
    number = (others > -torch.inf).sum(dim=1).cpu().numpy()
    rank = np.minimum((wanted * number).astype(np.int64), np.maximum(number - 1, 0))
    place = torch.from_numpy(others.shape[1] - number + rank).clamp(max=others.shape[1] - 1).to(order.device)
    columns: Ints = order.gather(1, place.unsqueeze(1)).squeeze(1).cpu().numpy()
    return columns

"""Two tables with a tower each: the towers are frozen, and the rows behind them are unlearned through them.

Towers stretch rows: those of a trained model can differ four times less than their vectors. Steps that suit vectors
would be too long for such rows, so the model holds them in units in which they differ as much as their vectors.
"""

import copy
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from mmrecun.adapters.row_map import Array
from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Vectors
from mmrecun.models.bprmf import BPRMF


class TowerMF(BPRMF):
    """Scores are dot products of the outputs of two frozen towers.

    Attributes:
        towers: [U, D] -> [U, E] and [I, D] -> [I, E]; no parameters of the model.
        stretches: of users and of items; the rows of the model are those of its tables times these.
    """

    towers: ClassVar[tuple[nn.Module, nn.Module]]
    stretches: ClassVar[tuple[float, float]]

    def vectors(self, inputs: GraphInputs) -> Vectors:  # noqa: ARG002
        """Return the outputs of the towers for the tables."""
        tables = self.users.weight, self.items.weight
        user, item = (
            tower(rows / stretch) for tower, rows, stretch in zip(self.towers, tables, self.stretches, strict=True)
        )
        return Vectors(user, item)


def through(user: nn.Module, item: nn.Module, stretches: tuple[float, float]) -> type[TowerMF]:
    """Return the class of models behind these towers, of which it keeps frozen copies."""
    towers = _frozen(user), _frozen(item)
    return type("TowerMF", (TowerMF,), {"towers": towers, "stretches": stretches})


@torch.no_grad()
def stretch_of(tower: nn.Module, rows: Array) -> float:
    """Return how much more the vectors of `rows`, float32 [R, D], differ than the rows: the nearest power of two.

    A power of two rounds nothing, so that rows that do not change return as they were.
    """
    given = torch.from_numpy(np.ascontiguousarray(rows))
    spreads = [float(part.var(dim=0, correction=0).sum()) for part in (_frozen(tower)(given), given)]
    return float(2.0 ** np.round(np.log2(spreads[0] / spreads[1]) / 2)) if min(spreads) > 0 else 1.0


def _frozen(tower: nn.Module) -> nn.Module:
    return copy.deepcopy(tower).cpu().eval().requires_grad_(False)

"""Two tables with a tower each: the towers are frozen, and the rows behind them are unlearned through them."""

import copy
from typing import ClassVar

from torch import nn

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Vectors
from mmrecun.models.bprmf import BPRMF


class TowerMF(BPRMF):
    """Scores are dot products of the outputs of two frozen towers.

    Attributes:
        towers: [U, D] -> [U, E] and [I, D] -> [I, E]; no parameters of the model.
    """

    towers: ClassVar[tuple[nn.Module, nn.Module]]

    def vectors(self, inputs: GraphInputs) -> Vectors:  # noqa: ARG002
        """Return the outputs of the towers for the tables."""
        user, item = self.towers
        return Vectors(user(self.users.weight), item(self.items.weight))


def through(user: nn.Module, item: nn.Module) -> type[TowerMF]:
    """Return the class of models behind these towers, of which it keeps frozen copies."""
    frozen = tuple(copy.deepcopy(tower).cpu().eval().requires_grad_(False) for tower in (user, item))
    return type("TowerMF", (TowerMF,), {"towers": frozen})

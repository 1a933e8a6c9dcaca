"""BPR-MF with item vectors of length one, so that popularity cannot hide in their length."""

from dataclasses import replace

from torch.nn.functional import normalize

from mmrecun.data.graph import GraphInputs
from mmrecun.models.base import Vectors
from mmrecun.models.bprmf import BPRMF


class UnitMF(BPRMF):
    """BPR-MF whose item vectors have length one."""

    def vectors(self, inputs: GraphInputs) -> Vectors:
        """Return the tables, items normalised."""
        plain = super().vectors(inputs)
        return replace(plain, items=normalize(plain.items))

"""Rows that solve weighted least squares, the other side fixed: the half-step of alternating least squares."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from mmrecun.adapters.row_map import Array

_BLOCK = 256


class Side(NamedTuple):
    """The pairs of R rows with S others.

    Attributes:
        weights: float64 [R, S] sparse, by how much a pair counts more than one that is not there.
        targets: float64 [R, S] sparse of the same pattern, weight times what the pair's score should be.
        background: weight of every pair that is not there, and should score 0.
        ridge: ridge of each row, float64 [R].
    """

    weights: sp.csr_array
    targets: sp.csr_array
    background: float
    ridge: Array

    def at(self, rows: Array) -> "Side":
        """Return the partners of some rows, int64."""
        return Side(self.weights[rows], self.targets[rows], self.background, self.ridge[rows])

    def solve(self, other: Array) -> Array:
        """Return the rows that minimise their squared errors, the `other` side [S, D] fixed: float64 [R, D].

        Row by row (G + sum w y y' + ridge I) x = sum t y, with G = background * other' other.
        """
        dim = other.shape[1]
        gram = self.background * other.T @ other
        right = self.targets @ other
        if not self.weights.data.any() and (self.ridge == self.ridge[0]).all():  # equal weights: one matrix for all
            alike: Array = np.linalg.solve(gram + self.ridge[0] * np.eye(dim), right.T).T
            return alike
        found: Array = np.empty_like(right)
        for start in range(0, len(right), _BLOCK):
            block = slice(start, min(start + _BLOCK, len(right)))
            left = np.repeat(gram[None], block.stop - start, axis=0)
            for place, row in enumerate(range(block.start, block.stop)):
                span = slice(self.weights.indptr[row], self.weights.indptr[row + 1])
                met = other[self.weights.indices[span]]
                left[place] += (met.T * self.weights.data[span]) @ met
            left[:, np.arange(dim), np.arange(dim)] += self.ridge[block, None]
            found[block] = np.linalg.solve(left, right[block][:, :, None])[:, :, 0]
        return found

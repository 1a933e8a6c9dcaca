"""Vectors computed from the retained pairs alone at little cost: a randomised SVD of the user-item graph.

They rank pairs well enough to estimate the AUC of forgotten against validation pairs for a model that never saw them.
"""

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import normalised_block
from mmrecun.data.sparse import SparseMatrix, product

_DIM = 64
_ROWS_PER_DIM = 4  # at least: as many dimensions as rows would give all pairs that are not retained a score of 0
_TINY = 1e-8  # of the largest square, so that the rank may be less than D


def normalised_pairs(data: Dataset, device: torch.device) -> SparseMatrix:
    """Build the normalised training pairs [U, I]."""
    return SparseMatrix.of(normalised_block(data.train, len(data.users), len(data.items)), device)


@torch.no_grad()
def spectral_vectors(pairs: SparseMatrix, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Factorise the normalised training pairs by random projection (Halko, Martinsson and Tropp 2011, algorithm 4.3).

    One power iteration is made. More come nearer to the SVD but rank worse, since the SVD fits the pairs more closely
    than a trained model does.

    Args:
        pairs: [U, I]; see `normalised_pairs`.
        rng: draws the projection.

    Returns:
        float32 [U, D] and [I, D], each with the square roots of the singular values.
    """
    users, items = pairs.forward.shape
    dim = max(1, min(_DIM, users // _ROWS_PER_DIM, items // _ROWS_PER_DIM))
    drawn = rng.standard_normal((items, dim), dtype=np.float32)
    span = _orthogonal(product(pairs.forward, torch.from_numpy(drawn).to(pairs.forward.device)))
    span = _orthogonal(product(pairs.forward, _orthogonal(product(pairs.transposed, span))))
    across = product(pairs.transposed, span)
    squares, left = torch.linalg.eigh((across.T @ across).double())  # of D x D, instead of an SVD of I x D
    sizes = squares.flip(0).clamp(min=_TINY * float(squares[-1])).sqrt().to(span)  # the largest first, as in an SVD
    left = left.flip(1).to(span)
    return span @ (left * sizes.sqrt()), across @ (left / sizes.sqrt())


def _orthogonal(columns: Tensor) -> Tensor:
    """Return an orthogonal basis of columns [N, D], by a Cholesky factorisation, which takes half as long as a QR."""
    wide = columns.double()  # squares in float32 may not be positive definite where the rank is less than D
    square = wide.T @ wide
    square.diagonal().add_(_TINY * square.diagonal().mean())
    factor = torch.linalg.cholesky(square).to(columns)
    basis: Tensor = torch.linalg.solve_triangular(factor.T, columns, upper=True, left=False)
    return basis

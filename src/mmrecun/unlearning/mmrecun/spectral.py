"""Vectors that know the retained pairs alone and cost next to nothing: a randomised SVD of the user-item graph.

They rank pairs well enough to say how a model that never saw the forgotten pairs tells them from validation pairs.
"""

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import normalised_block
from mmrecun.data.sparse import SparseMatrix
from mmrecun.models.base import UserItemVectors

_DIM = 64


@torch.no_grad()
def spectral_vectors(data: Dataset, rng: np.random.Generator, device: torch.device) -> UserItemVectors:
    """Factorise the normalised training pairs by random projection (Halko, Martinsson and Tropp 2011, algorithm 4.3).

    One power iteration is made. More come nearer to the SVD, and rank worse: it fits the pairs more closely than a
    trained model does.

    Returns:
        float32 [U, D] and [I, D], each with the square roots of the singular values.
    """
    users, items = len(data.users), len(data.items)
    block = normalised_block(data.train, users, items)
    pairs, swapped = SparseMatrix.of(block, device), SparseMatrix.of(block.T, device)
    drawn = rng.standard_normal((items, min(_DIM, users, items)), dtype=np.float32)
    span = _orthogonal(pairs @ torch.from_numpy(drawn).to(device))
    span = _orthogonal(pairs @ _orthogonal(swapped @ span))
    left, sizes, right = torch.linalg.svd((swapped @ span).T, full_matrices=False)
    return span @ (left * sizes.sqrt()), right.T * sizes.sqrt()


def _orthogonal(columns: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.qr(columns).Q
    return basis

"""Losses over all training pairs at once, for models that draw no negatives."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions
from mmrecun.data.sparse import SparseMatrix, product
from mmrecun.models.base import Recommender


class AllPairs:
    """N pairs of U users and I items, each of weight 1/N, for means over all of them.

    Args:
        pairs: the pairs.
        sizes: U and I.
        device: the device of the model.

    Attributes:
        user_shares, item_shares: share of the pairs that each row has, float32 [U] and [I].
    """

    def __init__(self, pairs: Interactions, sizes: tuple[int, int], device: torch.device) -> None:
        weights = np.full(len(pairs), 1 / len(pairs), dtype=np.float32)
        matrix = sp.csr_array((weights, (pairs.users, pairs.items)), shape=sizes)
        self._matrix = SparseMatrix.of(matrix, device)
        self._items = torch.from_numpy(pairs.items.astype(np.int64)).to(device)
        self.user_shares, self.item_shares = (torch.from_numpy(matrix.sum(axis=axis)).to(device) for axis in (1, 0))

    def sum_to_users(self, rows: Tensor) -> Tensor:
        """Sum the weighted rows [I, D] of the items over each user's pairs, outside autograd; [U, D]."""
        return product(self._matrix.forward, rows)

    def sum_to_items(self, rows: Tensor) -> Tensor:
        """Sum the weighted rows [U, D] of the users over each item's pairs, outside autograd; [I, D]."""
        return product(self._matrix.transposed, rows)

    def draw_items(self, count: int, rng: torch.Generator | None) -> Tensor:
        """Return the items of `count` pairs drawn with replacement, int64; of every pair if there is no generator."""
        if rng is None:
            return self._items
        return self._items[torch.randint(len(self._items), (count,), generator=rng, device=self._items.device)]


class FullBatchRecommender(Recommender):
    """A recommender whose training loss over all pairs can be computed at once."""

    def full_batch_loss(self, inputs: GraphInputs, pairs: AllPairs) -> Tensor:
        """Compute the training loss over `pairs`, with one dropout mask for each row; a scalar."""
        raise NotImplementedError

"""The curvature of BPR over all pairs, as Gauss and Newton have it."""

import torch
from torch import Tensor

from mmrecun.models.base import Pair
from mmrecun.unlearning.mmrecun.links import Links


class Curvature:
    """The Gauss-Newton matrix of BPR by the vectors, the negatives of a pair taken as one and as all alike.

    Args:
        links: of the pairs.
        stiff: float32 [N], their stiffness.
        vectors: float32 [U, D] and [I, D].
    """

    def __init__(self, links: Links, stiff: Tensor, vectors: Pair) -> None:
        self._links, self._stiff = links, stiff
        self._users, items = vectors
        self._items = items - items.mean(dim=0)
        self._count = len(items)
        self._weight = torch.zeros(len(self._users), device=stiff.device).index_add_(0, links.users, stiff)
        self._spread = self._items.T @ self._items / len(items)
        self._drawn = (self._users * self._weight[:, None]).T @ self._users / len(items)

    def product(self, users: Tensor, items: Tensor) -> Pair:
        """Multiply a change of the vectors [U, D] and [I, D] by the matrix."""
        links = self._links
        bend = links.scores((users, self._items), (self._users, items - items.mean(dim=0))) * self._stiff
        by_user = links.to_users(bend, self._items) + self._weight[:, None] * (users @ self._spread)
        drawn = torch.zeros(len(users), device=bend.device).index_add_(0, links.users, bend) @ self._users
        by_item = links.to_items(bend, self._users) + items @ self._drawn - drawn / self._count
        return by_user, by_item

    def diagonal(self) -> tuple[Tensor, Tensor]:
        """The mean of each row's block diagonal: float32 [U] and [I]."""
        width = self._users.shape[1]
        own, other = self._items.square().sum(dim=1, keepdim=True), self._users.square().sum(dim=1, keepdim=True)
        by_user = self._links.to_users(self._stiff, own)[:, 0] + self._weight * self._spread.diagonal().sum()
        by_item = self._links.to_items(self._stiff, other)[:, 0] + self._drawn.diagonal().sum()
        return by_user / width, by_item / width

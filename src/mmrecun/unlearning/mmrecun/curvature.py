"""The Gauss-Newton approximation of the Hessian of the loss over all pairs."""

from typing import NamedTuple

from torch import Tensor

from mmrecun.models.base import UserItemVectors
from mmrecun.unlearning.conjugate import Tensors
from mmrecun.unlearning.mmrecun.expected_info_nce import InfoNCEAt
from mmrecun.unlearning.mmrecun.links import Links


class GaussNewtonMatrix:
    """The Gauss-Newton matrix of BPR with respect to the vectors, with one mean negative for all pairs.

    Args:
        links: the pairs.
        hessian_weights: float32 [N], their second derivatives.
        vectors: float32 [U, D] and [I, D].
    """

    def __init__(self, links: Links, hessian_weights: Tensor, vectors: UserItemVectors) -> None:
        self._links, self._hessian_weights = links, hessian_weights
        self._users, items = vectors
        self._items = items - items.mean(dim=0)
        self._count = len(items)
        self._weight = links.total_of_users(hessian_weights)
        self._item_covariance = self._items.T @ self._items / len(items)
        self._user_moment = (self._users * self._weight[:, None]).T @ self._users / len(items)

    def become(self, other: "GaussNewtonMatrix") -> None:
        """Take over the values of another matrix of the same pairs, in place."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                value.copy_(getattr(other, name))

    def product(self, users: Tensor, items: Tensor) -> UserItemVectors:
        """Multiply a change of the vectors [U, D] and [I, D] by the matrix."""
        links = self._links
        weighted_change = (
            links.scores((users, self._items), (self._users, items - items.mean(dim=0))) * self._hessian_weights
        )
        by_user = links.sum_to_users(weighted_change, self._items) + self._weight[:, None] * (
            users @ self._item_covariance
        )
        sampled = links.total_of_users(weighted_change) @ self._users
        by_item = links.sum_to_items(weighted_change, self._users) + items @ self._user_moment - sampled / self._count
        return by_user, by_item

    def diagonal(self) -> tuple[Tensor, Tensor]:
        """Return the mean of each row's block diagonal: float32 [U] and [I]."""
        width = self._users.shape[1]
        own, other = self._items.square().sum(dim=1, keepdim=True), self._users.square().sum(dim=1, keepdim=True)
        by_user = (
            self._links.sum_to_users(self._hessian_weights, own)[:, 0]
            + self._weight * self._item_covariance.diagonal().sum()
        )
        by_item = self._links.sum_to_items(self._hessian_weights, other)[:, 0] + self._user_moment.diagonal().sum()
        return by_user / width, by_item / width


class LossCurvature(NamedTuple):
    """The Gauss-Newton matrix of BPR with respect to the vectors, and that of InfoNCE with respect to two views."""

    bpr: GaussNewtonMatrix
    info_nce: InfoNCEAt | None

    def product(self, changes: Tensors) -> Tensors:
        """Multiply a change of the vectors [U, D] and [I, D], and of the views, by the matrix."""
        users, items, *views = changes
        of_views = self.info_nce.product((views[0], views[1], views[2], views[3])) if self.info_nce else ()
        return [*self.bpr.product(users, items), *of_views]

    def diagonal(self) -> UserItemVectors:
        """Return the mean of each row's block diagonal, float32 [U] and [I], of BPR alone.

        That of InfoNCE lies in a few directions, and to precondition with its mean took twice as many steps.
        """
        return self.bpr.diagonal()

    def become(self, other: "LossCurvature") -> None:
        """Take over the values of another of the same pairs, in place."""
        self.bpr.become(other.bpr)
        if self.info_nce is not None and other.info_nce is not None:
            self.info_nce.become(other.info_nce)

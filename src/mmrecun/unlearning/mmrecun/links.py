"""Pairs of users and items, for sums over those of each row."""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from mmrecun.models.base import UserItemVectors

BLOCK = 1024  # pairs scored at a time: the block stays in a CPU's cache


class Links:
    """N pairs of U users and I items, for weighted sums over those of each row.

    Args:
        users, items: int64 [N].
        sizes: U and I.
    """

    def __init__(self, users: Tensor, items: Tensor, sizes: tuple[int, int]) -> None:
        self.users, self.items = users, items
        self._by_user, self._by_item = (_bags(rows, size) for rows, size in zip((users, items), sizes, strict=True))

    def sum_to_users(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Sum weight * row of the item over each user's pairs; [U, D] from [N] and [I, D]."""
        order, starts = self._by_user
        return _summed(self.items[order], starts, weights[order], rows)

    def sum_to_items(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Sum weight * row of the user over each item's pairs; [I, D] from [N] and [U, D]."""
        order, starts = self._by_item
        return _summed(self.users[order], starts, weights[order], rows)

    def scores(self, *sides: UserItemVectors) -> Tensor:
        """Score every pair by rows [U, D] and [I, D], summed over what is given; float32 [N]."""
        found = torch.zeros(len(self.users), device=self.users.device)
        for start in range(0, len(found), BLOCK):
            at = slice(start, start + BLOCK)
            for users, items in sides:
                found[at] += (users[self.users[at]] * items[self.items[at]]).sum(dim=1)
        return found


def _bags(rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
    starts = rows.new_zeros(size + 1)
    starts[1:] = torch.bincount(rows, minlength=size).cumsum(0)
    return rows.argsort(stable=True), starts


def _summed(columns: Tensor, starts: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
    return embedding_bag(
        columns, rows.contiguous(), starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )

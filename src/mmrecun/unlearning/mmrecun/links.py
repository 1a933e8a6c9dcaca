"""Pairs of users and items, for sums over those of each row."""

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from mmrecun.data.sparse import csr_tensor
from mmrecun.models.base import UserItemVectors
from mmrecun.models.gathering import add_up

_BLOCK, _BLOCK_ON_DEVICE = 1024, 1 << 18


def block(device: torch.device) -> int:
    """Return how many pairs to score at a time: few stay in a CPU's cache, many take few launches elsewhere."""
    return _BLOCK if device.type == "cpu" else _BLOCK_ON_DEVICE


class Links:
    """N pairs of U users and I items, for weighted sums over those of each row.

    Args:
        users, items: int64 [N].
        sizes: U and I.
    """

    def __init__(self, users: Tensor, items: Tensor, sizes: tuple[int, int]) -> None:
        self.users, self.items, self.sizes = users, items, sizes
        self._by_user, self._by_item = _bags(users, items, sizes[0]), _bags(items, users, sizes[1])

    def sum_to_users(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Sum weight * row of the item over each user's pairs; [U, D] from [N] and [I, D]."""
        order, starts, partners = self._by_user
        return _summed(partners, starts, weights[order], rows)

    def sum_to_items(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Sum weight * row of the user over each item's pairs; [I, D] from [N] and [U, D]."""
        order, starts, partners = self._by_item
        return _summed(partners, starts, weights[order], rows)

    def total_of_users(self, weights: Tensor) -> Tensor:
        """Sum the weights [N] of each user's pairs: [U]."""
        if weights.device.type == "cpu":
            return torch.zeros(self.sizes[0]).index_add_(0, self.users, weights)
        return self.sum_to_users(weights, weights.new_ones(self.sizes[1], 1))[:, 0]

    def scores(self, *sides: UserItemVectors) -> Tensor:
        """Score every pair by rows [U, D] and [I, D], summed over what is given; float32 [N]."""
        if self.users.device.type == "cpu":  # torch's sampled product copies no row, which is some ten times faster
            order, starts, partners = self._by_user
            found = torch.zeros(len(self.users))
            for users, items in sides:
                pairs = csr_tensor(starts, partners, found, (len(users), len(items)))
                found = torch.sparse.sampled_addmm(pairs, users, items.T).values()
            return torch.empty_like(found).index_copy_(0, order, found)
        of_users, of_items = (
            sides[0] if len(sides) == 1 else [torch.cat(rows, dim=1) for rows in zip(*sides, strict=True)]
        )
        found = torch.empty(len(self.users), device=self.users.device)
        size = block(found.device)
        for start in range(0, len(found), size):
            at = slice(start, start + size)
            torch.sum(of_users[self.users[at]] * of_items[self.items[at]], dim=1, out=found[at])
        return found


def add_rows(table: Tensor, rows: Tensor, values: Tensor) -> None:
    """Add `values` [B, D] to the `rows`, int64 [B], of `table` [R, D], in place; in a fixed order on any device."""
    if table.device.type == "cpu":
        table.index_add_(0, rows, values)
    else:  # `index_add_` adds in any order there
        table.add_(add_up(rows, values, len(table)))


def _bags(rows: Tensor, partners: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the order of the pairs by row, where each of `size` rows starts in it, and the partners in that order."""
    starts = rows.new_zeros(size + 1)
    starts[1:] = torch.bincount(rows, minlength=size).cumsum(0)
    order = rows.argsort(stable=True)
    return order, starts, partners[order]


def _summed(columns: Tensor, starts: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
    return embedding_bag(
        columns, rows.contiguous(), starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )

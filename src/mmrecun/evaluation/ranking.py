"""Full ranking of all items for many users, in blocks, so that no [U, I] array of scores is ever held."""

from collections.abc import Callable
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Floats, Ints, check_shape
from mmrecun.data.dataset import inverse_index
from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError, DivergedError
from mmrecun.progress import Progress
from mmrecun.topk import top_k_per_row

_BLOCK_BYTES, _FEWEST, _HEAD = 4 << 20, 128, 1024
_BLOCK_BYTES_ON_DEVICE = 512 << 20  # on a device: few launches and copies matter more than a block that fits a cache


def checked_length(k: object) -> int:
    """Return the length of a list.

    Raises:
        ConfigError: for anything but a whole number from 1.
    """
    if not isinstance(k, Integral) or k < 1:
        raise ConfigError(f"a list of the {k} best items is not a list; choose a whole number of 1 or more")
    return int(k)


def top_k(
    users: Tensor, items: Tensor, seen: Interactions, rows: Ints, k: int, progress: Progress | None = None
) -> Ints:
    """Return the k best-scored items of each user in `rows`, best first, without the items the user has seen.

    Args:
        users: float32 [U, D] user vectors.
        items: float32 [I, D] item vectors; a score is the dot product.
        seen: pairs that are never recommended.
        rows: int64 [M] user rows, in any order.
        k: length of each list; may exceed I.
        progress: called after each block with the number of ranked users.

    Returns:
        int64 [M, k] item rows, -1 where a user has no further unseen item.

    Raises:
        ConfigError: when k is not a positive whole number.
        ShapeError: when users and items differ in D.
        DivergedError: when a vector holds NaN or infinity.
    """
    k = checked_length(k)
    lists = torch.full((len(rows), k), -1, device=users.device)
    width = min(k, len(items))
    table = _Table(*_checked(users, items), seen, len(rows))
    for start, stop in table.blocks(len(rows)):
        scores = table.scores(rows[start:stop])
        table.mask(scores, rows[start:stop])
        values, found = top_k_per_row(scores, width)
        lists[start:stop, :width] = torch.where(values == -torch.inf, -1, found)
        if progress is not None:
            progress(stop, len(rows), "users ranked")
    return lists.cpu().numpy()


def ranks(users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions, within: int) -> Ints:
    """Count the items, unseen by its user, that rank before each pair's item, up to `within`.

    An item of equal score counts as before. The items that the average user scores highest are compared first. Most
    pairs have `within` of those before their own and need no further comparison, so this is much cheaper than `top_k`.

    Args:
        users: float32 [U, D] user vectors.
        items: float32 [I, D] item vectors.
        seen: pairs whose items are not compared.
        pairs: N pairs to place; one that is itself in `seen` is placed among the unseen items all the same.
        within: rank at which counting stops.

    Returns:
        int64 [N], in the order of `pairs`; 0 is the best, `within` means `within` or worse.

    Raises:
        ShapeError: when users and items differ in D.
        DivergedError: when a vector holds NaN or infinity.
    """
    users, items = _checked(users, items)
    typical = users[torch.from_numpy(np.unique(pairs.users)).to(users.device)].mean(dim=0)
    order = (items @ typical).argsort(descending=True)
    head = max(_HEAD, len(items) // 16)
    reached = np.zeros(len(pairs), dtype=np.int64)
    for columns in order[:head], order[head:]:
        left = np.flatnonzero(reached < within)
        if len(left) and len(columns):
            reached[left] += _counts_among(users, items, columns, seen, pairs.take(left), torch.ge)[0]
    return np.minimum(reached, within)


def percentiles(users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions) -> Floats:
    """Compute the rank percentile of each pair's item among the items its user has not seen: 1 on top, 0 at the bottom.

    It is the share of items outside the user's `seen`, other than the item itself, that score lower; ties count half.

    Args:
        users: float32 [U, D] user vectors.
        items: float32 [I, D] item vectors.
        seen: pairs whose items are not compared.
        pairs: N pairs to place; one that is itself in `seen` is placed among the unseen items all the same.

    Returns:
        float32 [N], in the order of `pairs`; 0.5 where there is no other item to compare with.

    Raises:
        ShapeError: when users and items differ in D.
        DivergedError: when a vector holds NaN or infinity.
    """
    return _shares(*_counts_over_all(users, items, seen, pairs, torch.ge, torch.gt))


def estimated_percentiles(users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions, among: Ints) -> Floats:
    """Estimate `percentiles` [N] from the items `among` (int64 [C]) alone, drawn to stand for all."""
    columns = torch.from_numpy(among).to(users.device)
    return _shares(*_counts_among(*_checked(users, items), columns, seen, pairs, _not_hidden, torch.ge, torch.gt))


def _not_hidden(scores: Tensor, _: Tensor, out: Tensor) -> Tensor:
    return torch.gt(scores, -torch.inf, out=out)


def _shares(others: Ints, reached: Ints, exceeded: Ints) -> Floats:
    shares: Floats = 1 - (reached + exceeded) / (2 * np.maximum(others, 1))
    return np.where(others > 0, shares, 0.5).astype(np.float32)


def score_pairs(users: Tensor, items: Tensor, u_rows: Ints, i_rows: Ints) -> Tensor:
    """Score the pairs (`u_rows[b]`, `i_rows[b]`), both int64 [B]: float32 [B] on the vectors' device.

    Raises:
        ShapeError: when users and items differ in D, or the rows in length.
        DivergedError: when a vector holds NaN or infinity.
    """
    check_shape("item rows", i_rows, u_rows.shape)
    return _dots(*_checked(users, items), u_rows, i_rows)


def _dots(users: Tensor, items: Tensor, u_rows: Ints, i_rows: Ints) -> Tensor:
    left = users[torch.tensor(u_rows, device=users.device)]
    return (left * items[torch.tensor(i_rows, device=items.device)]).sum(dim=1)


class _Table:
    """The table of scores, computed one block at a time, always in the same memory.

    Args:
        users, items: vectors from `_checked`.
        seen: pairs that do not count.
        most: largest number of rows that will be asked for in all.
        columns: int64 [C], items to score; all by default.
    """

    def __init__(
        self, users: Tensor, items: Tensor, seen: Interactions, most: int, columns: Tensor | None = None
    ) -> None:
        scored = items if columns is None else items[columns]
        self.users, self.across, self.seen = users, scored.T.contiguous(), seen
        if users.device.type == "cpu":
            self.size = max(_FEWEST, _BLOCK_BYTES // (4 * max(1, len(scored))))
        else:
            self.size = max(_FEWEST, min(most, _BLOCK_BYTES_ON_DEVICE // (4 * max(1, len(scored)))))
        self.memory = items.new_empty(self.size, len(scored))
        self.place = np.arange(len(items))
        if columns is not None:
            self.place = inverse_index(columns.cpu().numpy(), len(items))

    def blocks(self, rows: int) -> list[tuple[int, int]]:
        """Yield blocks of rows that fit a processor's cache but are large enough for a fast product with the items."""
        return [(start, min(start + self.size, rows)) for start in range(0, rows, self.size)]

    def scores(self, rows: Ints) -> Tensor:
        """Score the users `rows`: float32 [B, I], overwritten by the next call."""
        of = self.users[torch.tensor(rows, device=self.users.device)]
        return torch.mm(of, self.across, out=self.memory[: len(rows)])

    def mask(self, scores: Tensor, rows: Ints) -> Ints:
        """Set the scores of items that the users `rows` have seen to minus infinity; return their number, int64 [B]."""
        places, counts = self.seen.rows_of_users(rows)
        self.hide(scores, np.repeat(np.arange(len(rows)), counts), self.seen.items[places])
        return counts

    def hide(self, scores: Tensor, rows: Ints, items: Ints) -> None:
        """Set single scores to minus infinity: those of the block's `rows` and of `items`, both int64 [N]."""
        columns = self.place[items]
        cells = (rows * scores.shape[1] + columns)[columns >= 0]
        scores.view(-1)[torch.from_numpy(cells).to(scores.device)] = -torch.inf


def _counts_among(
    users: Tensor,
    items: Tensor,
    columns: Tensor,
    seen: Interactions,
    pairs: Interactions,
    *comparisons: Callable[..., Tensor],
) -> Ints:
    """Count the unseen items among `columns` (int64 [C]) that hold for each of M comparisons with a pair's item.

    The result is int64 [M, N]; the item itself is not counted.

    Flags are float32, as in `_counts_over_all`.
    """
    table = _Table(users, items, seen, len(pairs), columns)
    found = torch.empty((len(comparisons), len(pairs)), dtype=torch.int64, device=users.device)
    flags = torch.empty_like(table.memory)
    for start, stop in table.blocks(len(pairs)):
        rows, own = pairs.users[start:stop], pairs.items[start:stop]
        scores = table.scores(rows)
        table.mask(scores, rows)
        table.hide(scores, np.arange(len(rows)), own)
        bar = _dots(users, items, rows, own)[:, None]
        for row, compare in enumerate(comparisons):
            found[row, start:stop] = compare(scores, bar, out=flags[: len(rows)]).sum(dim=1)
    return found.cpu().numpy()


def _counts_over_all(
    users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions, *comparisons: Callable[..., Tensor]
) -> Ints:
    """Count the unseen items other than each pair's, and those that hold for each of C comparisons: int64 [1 + C, N].

    Flags are float32, which torch compares and adds several times faster than booleans. They are exact below 2^24
    items.
    """
    found = torch.empty((1 + len(comparisons), len(pairs)), dtype=torch.int64, device=users.device)
    table = _Table(*_checked(users, items), seen, len(pairs))
    copies, flags = torch.empty_like(table.memory), torch.empty_like(table.memory)
    for start, stop in table.blocks(len(pairs)):
        owners, inverse = np.unique(pairs.users[start:stop], return_inverse=True)
        which, own = (torch.tensor(rows, device=flags.device) for rows in (inverse, pairs.items[start:stop]))
        scores = table.scores(owners)
        bar = scores[which, own][:, None]
        hidden = torch.from_numpy(table.mask(scores, owners)[inverse]).to(flags.device)
        itself = (scores[which, own] > -torch.inf).long()
        found[0, start:stop] = len(items) - hidden - itself
        if len(owners) < len(inverse):
            scores = torch.index_select(scores, 0, which, out=copies[: len(inverse)])
        for row, compare in enumerate(comparisons, start=1):
            counts = compare(scores, bar, out=flags[: len(inverse)]).sum(dim=1).long()
            found[row, start:stop] = counts - itself * (compare is torch.ge)  # the item itself is counted, too
    return found.cpu().numpy()


def _checked(users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    check_shape("user vectors", users, (None, None))
    check_shape("item vectors", items, (None, users.shape[1]))
    for kind, vectors in (("user", users), ("item", items)):
        if not vectors.sum().isfinite():
            _refuse_infinite(kind, vectors)
    return users.detach(), items.detach()


def _refuse_infinite(kind: str, vectors: Tensor) -> None:
    bad = ~vectors.isfinite().all(dim=1)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise DivergedError(f"the vector of {kind} row {row} holds NaN or infinity; nothing can be ranked by it")

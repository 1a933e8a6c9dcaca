"""Full ranking of all items for many users, in blocks, so that no [U, I] array of scores is ever held."""

import math
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import NamedTuple

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
    table = ScoreTable(users, items, seen, len(rows))
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
    if users.device.type == "cpu":
        typical = users[torch.from_numpy(np.unique(pairs.users))].mean(dim=0)
        order = (items @ typical).argsort(descending=True).numpy()
        head = max(_HEAD, len(items) // 16)
        parts = [np.sort(order[:head]), np.sort(order[head:])]  # in their order, rows are copied faster
    else:  # all at once: a product costs less there than another wait of the host
        parts = [np.arange(len(items))]
    reached = np.zeros(len(pairs), dtype=np.int64)
    for among in parts:
        left = np.flatnonzero(reached < within)
        if len(left) and len(among):
            blocks = _pair_blocks(seen, pairs.take(left), among, len(items), users.device)
            reached[left] += _counts(users, items, torch.from_numpy(among).to(users.device), blocks)
    return np.minimum(reached, within)


def percentiles(users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions) -> Floats:
    """Compute the rank percentile of each pair's item among the items its user has not seen: 1 on top, 0 at the bottom.

    It is the share of items outside the user's `seen`, other than the item itself, that score lower; ties count half.
    Arguments and errors are those of `ranks`.

    Returns:
        float32 [N], in the order of `pairs`; 0.5 where there is no other item to compare with.
    """
    return _shares(*_counts_over_all(users, items, seen, pairs))


def _shares(others: Ints, above: Ints) -> Floats:
    """Return percentiles, `above` being twice the number of items that score higher, and once that of equal ones."""
    shares: Floats = 1 - above / (2 * np.maximum(others, 1))
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


def _block_rows(device: torch.device, width: int, most: int) -> int:
    """Return how many rows of `width` scores to compute at a time, `most` being how many there are in all."""
    if device.type == "cpu":
        return max(_FEWEST, _BLOCK_BYTES // (4 * max(1, width)))
    return max(_FEWEST, min(most, _BLOCK_BYTES_ON_DEVICE // (4 * max(1, width))))


class ScoreTable:
    """The table of scores, computed one block at a time, always in the same memory.

    Args:
        users, items: float32 [U, D] and [I, D].
        seen: pairs that do not count.
        most: largest number of rows that will be asked for in all.
    """

    def __init__(self, users: Tensor, items: Tensor, seen: Interactions, most: int) -> None:
        # a copy of all items makes each product a little faster, which pays from the second block on
        self.users, items = _checked(users, items)
        self.across, self.seen = items.T if most <= _FEWEST else items.T.contiguous(), seen
        self.size = _block_rows(users.device, len(items), most)
        self.memory = items.new_empty(self.size, len(items))

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
        cells = np.repeat(np.arange(len(rows)), counts) * scores.shape[1] + self.seen.items[places]
        scores.view(-1).index_fill_(0, torch.from_numpy(cells).to(scores.device), -torch.inf)
        return counts


class PairsAmong:
    """N pairs that are placed among the same items again and again, for vectors that change.

    What does not depend on vectors is computed once and stays on the device.

    Args:
        seen: pairs whose items are not compared.
        pairs: the pairs to place; their own items are not compared either.
        among: int64 [C], the items to compare with.
        items: I.
        device: device of the vectors.
    """

    def __init__(self, seen: Interactions, pairs: Interactions, among: Ints, items: int, device: torch.device) -> None:
        self._columns = torch.from_numpy(among).to(device)
        self._blocks = list(_pair_blocks(seen, pairs, among, items, device))
        compared = inverse_index(among, items) >= 0
        before = np.concatenate([[0], compared[seen.items].cumsum()])
        first, last = (np.searchsorted(seen.users, pairs.users, side) for side in ("left", "right"))
        own = compared[pairs.items] & ~seen.contains(pairs.users, pairs.items, items)
        self._others = len(among) - (before[last] - before[first]) - own

    def percentiles(self, users: Tensor, items: Tensor) -> Floats:
        """Estimate the function `percentiles` [N] from these items alone; vectors and errors are the same."""
        signs = _counts(*_checked(users, items), self._columns, self._blocks, signs=True)
        return _shares(self._others, len(self._columns) + signs)


class _PairBlock(NamedTuple):
    """B pairs: their users and items, int64 [B], and the cells of a table [B, C] that are not compared, int64."""

    users: Tensor
    items: Tensor
    hidden: Tensor


def _pair_blocks(
    seen: Interactions, pairs: Interactions, among: Ints, items: int, device: torch.device
) -> Iterator[_PairBlock]:
    place, width = inverse_index(among, items), len(among)
    size = _block_rows(device, width, len(pairs))
    for start in range(0, len(pairs), size):
        users, own = pairs.users[start : start + size], pairs.items[start : start + size]
        known, counts = seen.rows_of_users(users)
        rows = np.arange(len(users))
        columns = place[np.concatenate([seen.items[known], own])]
        cells = (np.concatenate([np.repeat(rows, counts), rows]) * width + columns)[columns >= 0]
        together = torch.from_numpy(np.concatenate([users, own, cells])).to(device)  # one copy instead of three
        yield _PairBlock(*together.split([len(users), len(users), len(cells)]))


def _counts(users: Tensor, items: Tensor, columns: Tensor, blocks: Iterable[_PairBlock], signs: bool = False) -> Ints:
    """Count those items of `columns` (int64 [C]) that are at or above each pair's: int64 [N].

    With `signs` those above less those below and those not compared. Added up in float32, as in `_counts_over_all`.
    """
    across, found = items[columns].T.contiguous(), []
    memory = items.new_empty(0, len(columns))
    for block in blocks:
        size = len(block.users)
        if len(memory) < size:
            memory = items.new_empty(size, len(columns))
        own = users[block.users]
        scores = torch.mm(own, across, out=memory[:size])
        scores.view(-1).index_fill_(0, block.hidden, -torch.inf)
        bar = (own * items[block.items]).sum(dim=1)[:, None]
        found.append((scores.sub_(bar).sign_() if signs else scores.ge_(bar)).sum(dim=1))
    if not found:
        return np.zeros(0, dtype=np.int64)
    counted: Ints = torch.cat(found).long().cpu().numpy()
    return counted


def _counts_over_all(users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions) -> tuple[Ints, Ints]:
    """Count the unseen items other than each pair's, and those above it as `_shares` wants them; int64 [N] each.

    An item at or above a pair's counts 1, and one above it 1 more: together 1 + sign(difference). Seen items have the
    sign -1 and count 0. Signs are added in float32, which is exact below 2^24 items.
    """
    found = torch.empty((2, len(pairs)), dtype=torch.int64, device=users.device)
    table = ScoreTable(users, items, seen, len(pairs))
    for start, stop in table.blocks(len(pairs)):
        owners, inverse = np.unique(pairs.users[start:stop], return_inverse=True)
        which, own = (torch.tensor(rows, device=users.device) for rows in (inverse, pairs.items[start:stop]))
        scores = table.scores(owners)
        bar = scores[which, own][:, None]
        hidden = torch.from_numpy(table.mask(scores, owners)[inverse]).to(users.device)
        itself = (scores[which, own] > -torch.inf).long()
        found[0, start:stop] = len(items) - hidden - itself
        found[1, start:stop] = len(items) + _signs(scores, which, bar) - itself  # the item itself is counted, too
    return tuple(found.cpu().numpy())


def _signs(scores: Tensor, which: Tensor, bar: Tensor) -> Tensor:
    """Add up the signs of rows `which` (int64 [B]) of `scores` less `bar` [B, 1], a few columns at a time; int64 [B].

    On a CPU so many columns are compared at once that their differences stay in its cache.
    """
    width = scores.shape[1] if scores.is_cuda else max(1, _BLOCK_BYTES // (8 * max(1, len(which))))
    total = torch.zeros(len(which), dtype=torch.int64, device=scores.device)
    for columns in scores.split(width, dim=1):
        total += columns.index_select(0, which).sub_(bar).sign_().sum(dim=1).long()
    return total


def _checked(users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    check_shape("user vectors", users, (None, None))
    check_shape("item vectors", items, (None, users.shape[1]))
    users, items = users.detach(), items.detach()
    if not math.isfinite(users.sum() + items.sum()):  # read back once
        for kind, vectors in (("user", users), ("item", items)):
            _refuse_infinite(kind, vectors)
    return users, items


def _refuse_infinite(kind: str, vectors: Tensor) -> None:
    bad = ~vectors.isfinite().all(dim=1)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise DivergedError(f"the vector of {kind} row {row} holds NaN or infinity; nothing can be ranked by it")

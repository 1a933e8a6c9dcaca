"""Full ranking of every item for many users, in blocks, so that no [U, I] array of scores is ever held."""

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError, DivergedError
from mmrecun.shapes import Floats, Ints, check_shape

_BLOCK_BYTES, _FEWEST = 8 << 20, 128


def top_k(users: Tensor, items: Tensor, seen: Interactions, rows: Ints, k: int) -> Ints:
    """The k best-scored items of each user in `rows`, best first, without the items the user has seen.

    Args:
        users: float32 [U, D] user vectors.
        items: float32 [I, D] item vectors; a score is the dot product.
        seen: pairs never to be recommended.
        rows: int64 [M] user rows, in any order.
        k: length of each list; may exceed I.

    Returns:
        int64 [M, k] item rows, -1 where a user has no further unseen item.

    Raises:
        ConfigError: when k is not positive.
        ShapeError: when users and items differ in D.
        DivergedError: when a vector holds NaN or infinity.
    """
    if k < 1:
        raise ConfigError(f"a list of the {k} best items is no list; choose a k of 1 or more")
    users, items = _checked(users, items)
    lists = np.full((len(rows), k), -1, dtype=np.int64)
    width = min(k, len(items))
    for start, stop in _blocks(len(rows), len(items)):
        block = rows[start:stop]
        scores = users[torch.tensor(block, device=users.device)] @ items.T
        scores[tuple(torch.from_numpy(cells).to(scores.device) for cells in _seen_cells(seen, block))] = -torch.inf
        best = scores.topk(width, dim=1)
        lists[start:stop, :width] = torch.where(best.values == -torch.inf, -1, best.indices).cpu().numpy()
    return lists


def percentiles(users: Tensor, items: Tensor, seen: Interactions, pairs: Interactions) -> Floats:
    """Where each pair's item stands among the items its user has not seen: 1 on top, 0 at the bottom.

    The share of items outside the user's `seen`, other than the item itself, that score lower; ties count half.
    A pair that is itself in `seen` is placed among the unseen items all the same.

    Args:
        users: float32 [U, D] user vectors.
        items: float32 [I, D] item vectors.
        seen: pairs that nobody is compared with.
        pairs: N pairs to place.

    Returns:
        float32 [N], in the order of `pairs`; 0.5 where there is no other item to compare with.

    Raises:
        ShapeError: when users and items differ in D.
        DivergedError: when a vector holds NaN or infinity.
    """
    users, items = _checked(users, items)
    shares = np.empty(len(pairs), dtype=np.float32)
    for start, stop in _blocks(len(pairs), len(items)):
        block, own = pairs.users[start:stop], pairs.items[start:stop, None]
        scores = (users[torch.tensor(block, device=users.device)] @ items.T).cpu().numpy()
        score = np.take_along_axis(scores, own, axis=1)
        scores[_seen_cells(seen, block)] = np.nan
        np.put_along_axis(scores, own, np.nan, axis=1)
        lower, not_higher = (compare(scores, score).sum(axis=1) for compare in (np.less, np.less_equal))
        others = len(items) - np.isnan(scores).sum(axis=1)
        shares[start:stop] = np.where(others > 0, (lower + not_higher) / (2 * np.maximum(others, 1)), 0.5)
    return shares


def score_pairs(users: Tensor, items: Tensor, u_rows: Ints, i_rows: Ints) -> Tensor:
    """float32 [B], the score of each pair (`u_rows[b]`, `i_rows[b]`), both int64 [B], on the vectors' device.

    Raises:
        ShapeError: when users and items differ in D, or the rows in length.
        DivergedError: when a vector holds NaN or infinity.
    """
    check_shape("item rows", i_rows, u_rows.shape)
    users, items = _checked(users, items)
    left = users[torch.tensor(u_rows, device=users.device)]
    return (left * items[torch.tensor(i_rows, device=items.device)]).sum(dim=1)


def _checked(users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    check_shape("user vectors", users, (None, None))
    check_shape("item vectors", items, (None, users.shape[1]))
    for kind, vectors in (("user", users), ("item", items)):
        bad = ~vectors.isfinite().all(dim=1)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise DivergedError(f"the vector of {kind} row {row} holds NaN or infinity; nothing can be ranked by it")
    return users.detach(), items.detach()


def _blocks(rows: int, items: int) -> list[tuple[int, int]]:
    """Rows of scores that stay in the processor's cache, but enough of them for a fast product with the items."""
    size = max(_FEWEST, _BLOCK_BYTES // (4 * max(1, items)))
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


def _seen_cells(seen: Interactions, rows: Ints) -> tuple[Ints, Ints]:
    """Row and column of every seen pair in a block of scores whose b-th row belongs to user `rows[b]`."""
    places, counts = seen.of_users(rows)
    return np.repeat(np.arange(len(rows)), counts), seen.items[places]

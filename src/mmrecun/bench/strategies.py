"""Seeded draws of the rows to forget, as pure functions of counts and masks."""

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.rng import Seed


def random_rows(candidates: Ints, ratio: float, seed: Seed) -> Ints:
    """Return a share of `candidates` (int64 [N], distinct), drawn uniformly; ascending, at least one.

    >>> random_rows(np.arange(10), 0.3, Seed(0)).shape
    (3,)
    """
    return np.sort(seed.numpy().permutation(candidates)[: share(len(candidates), ratio)])


def largest_rows(candidates: Ints, counts: Ints, ratio: float, seed: Seed) -> Ints:
    """Return the share of `candidates` with the largest `counts` (int64 [rows]).

    Ties are drawn. Ascending, at least one.

    >>> largest_rows(np.arange(4), np.array([5, 1, 9, 7]), 0.5, Seed(0)).tolist()
    [2, 3]
    """
    return _by_rank(candidates, -counts, ratio, seed)


def smallest_rows(candidates: Ints, counts: Ints, ratio: float, seed: Seed) -> Ints:
    """Return the share of `candidates` with the smallest `counts` (int64 [rows]).

    Ties are drawn. Ascending, at least one.
    """
    return _by_rank(candidates, counts, ratio, seed)


def _by_rank(candidates: Ints, keys: Ints, ratio: float, seed: Seed) -> Ints:
    shuffled = seed.numpy().permutation(candidates)
    order = np.argsort(keys[shuffled], kind="stable")
    return np.sort(shuffled[order[: share(len(candidates), ratio)]])


def share(count: int, ratio: float) -> int:
    """Return how many of `count` a ratio is: rounded, at least one, never more than there are.

    >>> share(40, 0.05), share(3, 0.05), share(0, 0.5)
    (2, 1, 0)
    """
    return min(count, max(1, round(count * ratio)))


def sensitive_pairs(users: Ints, items: Ints, listed: Bools, ratio: float, seed: Seed) -> Bools:
    """Draw the pairs that a share of the users withdraws: all of theirs with listed items.

    Args:
        users, items: int64 [N], the pairs.
        listed: bool [I], the sensitive items.
        ratio: share of the users that have a listed item.
        seed: decides who withdraws.

    Returns:
        bool [N]; none when nobody has a listed item.
    """
    concerned = listed[items]
    withdrawing = random_rows(np.unique(users[concerned]), ratio, seed)
    return concerned & np.isin(users, withdrawing)


def quarters(requests: int) -> tuple[int, ...]:
    """Return after how many of `requests` requests a sequence is evaluated: each quarter, distinct.

    >>> quarters(20), quarters(2)
    ((5, 10, 15, 20), (1, 2))
    """
    return tuple(sorted({-(-requests * part // 4) for part in range(1, 5)}))

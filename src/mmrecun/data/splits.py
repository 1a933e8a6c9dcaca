"""Splits into train, valid and test, and k-core filtering, as functions of arrays."""

from collections.abc import Callable

import numpy as np

from mmrecun.arrays import Bools, Ints, Labels, concatenated_ranges
from mmrecun.data.interactions import Split
from mmrecun.data.packed_rows import bits_of, place_bits, places_of, sorted_rows
from mmrecun.errors import DataError
from mmrecun.rng import Seed

_HELD_OUT = 0.1  # share of each held-out part, which gives the usual 8:1:1
_SAMPLED, _MORE = 10_000, 1.75  # rows that say what late is; as many times the rows that are wanted count as late
_FEWEST_BITS = 16  # of a draw, to sort by: with fewer, ties would be many


def random_split(users: Ints, seed: Seed) -> Labels:
    """Draw for each user a tenth of the pairs for valid and a tenth for test, at least one each from three pairs on.

    Args:
        users: integers [N], user rows.
        seed: random seed.

    Returns:
        int8 [N] labels.
    """
    return _per_user(users, seed.numpy().random(len(users)), lambda counts: _tenths(counts, fewest=3))


def leave_k_out(users: Ints, order: np.ndarray, k: int = 1) -> Labels:
    """Label each user's last k pairs by `order` (such as time) as test, the k before as valid, the rest as train.

    All pairs of users with fewer than 2k + 1 stay in train.
    """
    return _per_user(users, order, lambda counts: np.where(counts > 2 * k, k, 0))


def temporal_split(timestamps: np.ndarray) -> Labels:
    """Split by time over all users: the last tenth is test, the one before it valid, the rest train.

    Pairs with equal timestamps stay together.

    Raises:
        DataError: when there are too few distinct timestamps.
    """
    valid_from, test_from = np.quantile(timestamps, [1 - 2 * _HELD_OUT, 1 - _HELD_OUT], method="higher")
    labels = np.full(len(timestamps), Split.TRAIN, dtype=np.int8)
    labels[timestamps >= valid_from] = Split.VALID
    labels[timestamps >= test_from] = Split.TEST
    if test_from == valid_from or not (labels == Split.TRAIN).any():
        raise DataError("too few distinct timestamps for a temporal split; use a random or leave-k-out split")
    return labels


def cut_validation(users: Ints, labels: Labels, seed: Seed) -> Labels:
    """Draw a tenth of each user's training pairs for valid, at least one from two pairs on.

    Args:
        users: int64 [N] user rows.
        labels: int8 [N], train and test.
        seed: seed of the draw.

    Returns:
        int8 [N] labels; those of test are unchanged.
    """
    trained = np.flatnonzero(labels == Split.TRAIN)
    draws = seed.numpy().random(len(trained))
    drawn = _per_user(users[trained], draws, lambda counts: _tenths(counts, fewest=2))
    cut = labels.copy()
    cut[trained[drawn == Split.TEST]] = Split.VALID  # the part next to the end of each user's pairs
    return cut


def _by_user(users: Ints, order: np.ndarray) -> Ints:
    """Return what `np.lexsort((order, users))` does; several times as fast where `order` is draws from [0, 1)."""
    low = place_bits(len(users))
    bits = 64 - low - bits_of(users)
    if order.dtype != np.float64 or bits < _FEWEST_BITS or not ((order >= 0) & (order < 1)).all():
        return np.lexsort((order, users))
    packed = sorted_rows(users, lambda part: order[part] * 2.0**bits, bits)  # by the leading digits of the draw
    sequence = places_of(packed)
    packed = packed >> np.uint64(low)
    same = packed[1:] == packed[:-1]
    if same.any():  # draws of one user that differ in later digits alone
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        rows = sequence[tied]
        sequence[tied] = rows[np.lexsort((rows, order[rows], packed[tied]))]
    return sequence


def _tenths(counts: Ints, fewest: int) -> Ints:
    """Return how many pairs are in a held-out part of users with `counts` [U], none where these are below `fewest`."""
    return np.where(counts >= fewest, np.maximum(1, np.rint(counts * _HELD_OUT)), 0).astype(np.int64)


def _per_user(users: Ints, order: np.ndarray, held_out_counts: Callable[[Ints], Ints]) -> Labels:
    """Label each user's last pairs by `order`; `held_out_counts` says how many of so many are in either part."""
    labels = np.full(len(users), Split.TRAIN, dtype=np.int8)
    held = held_out_counts(np.bincount(users))
    rows = _late_rows(users, order, 2 * held)
    sequence, counts = rows[_by_user(users[rows], order[rows])], np.bincount(users[rows], minlength=len(held))
    for part, many in ((Split.VALID, 2 * held), (Split.TEST, held)):
        labels[sequence[concatenated_ranges(np.cumsum(counts) - many, many)]] = part  # each user's last ones
    return labels


def _late_rows(users: Ints, order: np.ndarray, wanted: Ints) -> Ints:
    """Return rows among which are each user's last `wanted[user]` ones by `order`, ascending: few need to be sorted.

    They are the latest of all users, and all rows of whoever has too few among these.
    """
    if not wanted.any():
        return np.zeros(0, dtype=np.int64)
    sample = np.sort(order[:: max(len(order) // _SAMPLED, 1)])
    share = min(_MORE * wanted.sum() / len(users), 1.0)
    late = ~(order < sample[int((1 - share) * (len(sample) - 1))])  # NaN counts as late, as in a sort
    lacking = np.bincount(users[late], minlength=len(wanted)) < wanted
    return np.flatnonzero(late | lacking[users])


def k_core(users: Ints, items: Ints, k: int) -> Bools:
    """Select the largest part in which every user and every item has at least k pairs: bool [N].

    Raises:
        DataError: when nothing is left.
    """
    kept = np.ones(len(users), dtype=bool)
    while True:
        user_counts = np.bincount(users[kept], minlength=users.max(initial=0) + 1)
        item_counts = np.bincount(items[kept], minlength=items.max(initial=0) + 1)
        now = kept & (user_counts[users] >= k) & (item_counts[items] >= k)
        if not now.any():
            raise DataError(f"no interaction is left in the {k}-core; choose a smaller k")
        if (now == kept).all():
            return kept
        kept = now

"""Rows of two columns, sorted: both and the row's place are packed into one number, since numbers sort far faster.

A sort of places by their keys follows a place at every comparison, and so misses the cache at most of them.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from mmrecun.arrays import Ints

Packed = npt.NDArray[np.uint64]

_BLOCK = 1 << 16  # rows packed at once, which fit the cache


def place_bits(rows: int) -> int:
    """Return the number of bits of an index into `rows` rows."""
    return max(rows - 1, 1).bit_length()


def bits_of(values: Ints) -> int:
    """Return how many bits the largest of some non-negative integers takes."""
    return int(values.max(initial=0)).bit_length()


def sorted_rows(first: Ints, second: Callable[[slice], npt.NDArray[np.generic]], bits: int) -> Packed:
    """Return N rows sorted by `first`, then `second`, then place, each as one number with its parts in this order.

    Args:
        first: non-negative integers [N].
        second: gives the non-negative integers of a slice of the rows, each below 2 ** bits.
        bits: how many bits these take; those of all three must be 64 at most.

    Returns:
        uint64 [N], read-only.
    """
    rows, low = len(first), np.uint64(place_bits(len(first)))
    packed = np.empty(rows, dtype=np.uint64)
    places = np.arange(min(rows, _BLOCK), dtype=np.uint64)
    for start in range(0, rows, _BLOCK):
        part = slice(start, min(start + _BLOCK, rows))
        keys = first[part].astype(np.uint64)
        keys <<= np.uint64(bits)
        keys |= second(part).astype(np.uint64)
        keys <<= low
        keys |= places[: len(keys)] + np.uint64(start)
        packed[part] = keys
    return pl.Series(packed).sort().to_numpy()  # half of NumPy's time


def places_of(packed: Packed) -> Ints:
    """Return the place that each of all N sorted rows had before: int64 [N]."""
    return (packed & np.uint64((1 << place_bits(len(packed))) - 1)).view(np.int64)

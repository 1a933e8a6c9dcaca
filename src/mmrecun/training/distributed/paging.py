"""How the system reads mapped files: a page here and there, or ahead of where it is read."""

import mmap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def read_at_random(arrays: Iterable[np.ndarray]) -> Iterator[None]:
    """Have no more than the pages that are touched read while the block runs, where the system can be told so.

    It reads 128 KiB around each otherwise, which is nearly all for nothing where a batch touches rows all over a table,
    and drives out of the memory what is needed. An array in memory is left alone.
    """
    maps = [found for found in map(_mapping, arrays) if found is not None and hasattr(mmap, "MADV_RANDOM")]
    for each in maps:
        each.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        for each in maps:
            each.madvise(mmap.MADV_NORMAL)


def _mapping(array: np.ndarray) -> mmap.mmap | None:
    """Return the mapping that an array is a view of."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None

"""Read-ahead of mapped files, which slows reads of scattered rows."""

import mmap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def read_at_random(arrays: Iterable[np.ndarray]) -> Iterator[None]:
    """Turn read-ahead off during the block, where the system allows it.

    Otherwise the system reads 128 KiB around each page, which displaces needed pages from memory when a batch reads
    rows all over a table. Arrays in memory are ignored.
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

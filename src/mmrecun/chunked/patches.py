"""Rows that changed but are not in their chunks yet: a small patch is read over the chunks, and folded into them later.

A row costs a whole chunk to write. A request that touches rows in many chunks, such as an item with its users, would
cost one for each, and more of them the larger the model is. Its rows wait in a patch instead, which costs their own
bytes. What a patch hides is still in the chunks: it leaves the disk when they are folded (`chunked.folding`) and the
runs before are removed. Rows of users and items that leave never wait.
"""

import numpy as np
import numpy.typing as npt

from mmrecun.arrays import Ints

DIRECT = 16  # chunks that an erasure rewrites at once; changes of further chunks go to a patch
PATCH_BYTES = 1 << 23  # of rows that wait; more are folded

Mask = npt.NDArray[np.bool_]


def written_now(chunks: Ints, urgent: Mask, sizes: Ints) -> Mask:
    """Say which changed rows are written into their chunks now; the others wait in a patch.

    A chunk that is written takes all its changed rows.

    Args:
        chunks: int64 [K], the chunk of each row.
        urgent: bool [K], rows that must not wait.
        sizes: int64 [K], their bytes.

    Returns:
        Bool [K].

    >>> written_now(np.array([0, 0, 1]), np.array([True, False, False]), np.array([4, 4, 4])).tolist()
    [True, True, True]
    """
    numbers, which = np.unique(chunks, return_inverse=True)
    due = np.zeros(len(numbers), dtype=bool)
    due[which[urgent]] = True
    waits = ~due[which]
    if (~due).sum() <= DIRECT or sizes[waits].sum() > PATCH_BYTES:
        return np.ones(len(chunks), dtype=bool)
    return ~waits


def places_in(rows: Ints, at: Ints) -> tuple[Ints, Ints]:
    """Find which of `at` (int64 [K]) are among `rows` (int64 [N], ascending): places in `at`, and those in `rows`."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    found = np.minimum(np.searchsorted(rows, at), len(rows) - 1)
    hit = np.flatnonzero(rows[found] == at)
    return hit, found[hit]

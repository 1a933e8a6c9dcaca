"""Ids on disk: their bytes by row, and sorted 64-bit hashes to find a row by.

The hash is FNV-1a, 64 bit (Fowler, Noll, Vo), over the id padded with zeros; it only finds candidates, whose bytes are
compared. An erased id leaves a row of zeros. Its hash is removed from its chunk, where the other hashes move up and
the last one is repeated at the end. A chunk that lost all of its own is filled with a hash of a neighbour. When the id
of a repeated hash is erased, the repetitions go with it. So all that remains is which chunk an id was in.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmrecun.arrays import Bools, Ints
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.rows import ChunkedRows

_PRIME, _BASIS = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
_BLOCK = 1 << 20
TABLES = ("ids", "hashes", "hash_rows")  # of each side of a run
Hashes = npt.NDArray[np.uint64]


def hashes_of(ids: np.ndarray) -> Hashes:
    """Hash ids, uint8 [K, W]: uint64 [K].

    >>> [hex(value) for value in hashes_of(np.array([[97]], dtype=np.uint8)).tolist()]
    ['0xaf63dc4c8601ec8c']
    """
    found = np.full(len(ids), _BASIS)
    with np.errstate(over="ignore"):
        for column in range(ids.shape[1]):
            found = (found ^ ids[:, column].astype(np.uint64)) * _PRIME
    return found


def index_of(ids: np.ndarray) -> tuple[Hashes, np.ndarray]:
    """Return the hashes of all ids (uint8 [N, W], may be mapped), ascending, and the row of each: uint64, int64 [N]."""
    hashes = np.empty(len(ids), dtype=np.uint64)
    for start in range(0, len(ids), _BLOCK):
        hashes[start : start + _BLOCK] = hashes_of(ids[start : start + _BLOCK])
    order = np.argsort(hashes, kind="stable")
    return hashes[order], order


def find(names: Sequence[str], ids: ChunkedRows, hashes: ChunkedRows, rows: ChunkedRows) -> Ints:
    """Find the rows of `names`, -1 where an id is unknown: int64 [K]. Each reads a few pages."""
    width = ids.spec.shape[1]
    wanted = [name.encode() for name in names]
    fitting = [place for place, name in enumerate(wanted) if 0 < len(name) <= width and b"\0" not in name]
    found = np.full(len(names), -1, dtype=np.int64)
    for place in fitting:
        padded = np.frombuffer(wanted[place].ljust(width, b"\0"), dtype=np.uint8)[None]
        found[place] = _find_one(padded, ids, hashes, rows)
    return found


def _find_one(padded: np.ndarray, ids: ChunkedRows, hashes: ChunkedRows, rows: ChunkedRows) -> int:
    wanted = hashes_of(padded)[0]
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) // 2
        if hashes.rows(np.array([middle]))[0] < wanted:
            low = middle + 1
        else:
            high = middle
    while low < len(hashes) and hashes.rows(np.array([low]))[0] == wanted:
        row = int(rows.rows(np.array([low]))[0])
        if row >= 0 and np.array_equal(ids.rows(np.array([row])), padded):
            return row
        low += 1
    return -1


def without(
    gone: Ints, ids: ChunkedRows, hashes: ChunkedRows, rows: ChunkedRows, folder: ChunkFolder
) -> tuple[ChunkedRows, ChunkedRows, ChunkedRows]:
    """Return ids, hashes and rows without the ids of rows `gone` (int64 [K])."""
    erased = ids.edited(gone, np.zeros((len(gone), ids.spec.shape[1]), dtype=np.uint8), folder)
    sought = np.unique(hashes_of(ids.rows(gone)))
    visited = {number: _retained(number, gone, sought, hashes, rows) for number in _chunks_with(sought, hashes)}
    due = {number: stays for number, stays in visited.items() if stays is not None}
    empty = [number for number, stays in due.items() if not stays.any()]
    others = [number for number in due if number not in empty]
    for number in (*others, *empty):  # in this order no neighbour that one of `empty` takes a hash of is due any more
        stays = due[number]
        left, whose, short = hashes.chunk(number)[stays], rows.chunk(number)[stays], int((~stays).sum())
        last = left[-1:] if len(left) else _neighbour(number, hashes, empty)
        hashes = hashes.with_chunk(number, np.concatenate([left, np.repeat(last, short)]), folder)
        rows = rows.with_chunk(number, np.concatenate([whose, np.full(short, -1, dtype=whose.dtype)]), folder)
    return erased, hashes, rows


def _retained(number: int, gone: Ints, sought: Hashes, hashes: ChunkedRows, rows: ChunkedRows) -> Bools | None:
    """Say which entries of a chunk are of retained ids, bool; None for a chunk without an entry of the erased ones.

    An entry without a row repeats the hash of another, which may be one of theirs.
    """
    whose = rows.chunk(number)
    leaves = np.isin(whose, gone)
    if not (leaves | ((whose < 0) & np.isin(hashes.chunk(number), sought))).any():
        return None
    return ~leaves & (whose >= 0)


def _neighbour(number: int, hashes: ChunkedRows, empty: Sequence[int]) -> Hashes:
    """Return a retained hash, [1], that keeps a chunk which lost all of its own in order.

    Args:
        number: the chunk; those of `empty` before it are filled.
        hashes: the table.
        empty: the chunks that lost all of their own, ascending.
    """
    if number:
        return hashes.chunk(number - 1)[-1:]
    after = next((other for other in range(len(hashes.spec.chunks)) if other not in empty), None)
    return np.zeros(1, dtype=np.uint64) if after is None else hashes.chunk(after)[:1]


def holds_hash(names: np.ndarray, ids: ChunkedRows, hashes: ChunkedRows, rows: ChunkedRows) -> bool:
    """Say whether the index holds the hash of an id that is not in its tables.

    Args:
        names: the erased ids, uint8 [K, W], padded with zeros.
        ids, hashes, rows: the tables.
    """
    sought = np.unique(hashes_of(names))
    for number in _chunks_with(sought, hashes):
        at = np.isin(hashes.chunk(number), sought)
        whose = rows.chunk(number)[at]
        # the hash of an erased id may also be that of a retained one, whose row says so
        own = hashes_of(ids.rows(np.maximum(whose, 0)))
        if ((whose < 0) | (own != hashes.chunk(number)[at])).any():
            return True
    return False


def _chunks_with(sought: Hashes, hashes: ChunkedRows) -> list[int]:
    """Return the numbers of the chunks that may hold the hashes."""
    per_chunk = hashes.spec.per_chunk
    firsts = hashes.rows(np.arange(0, len(hashes), per_chunk))
    first = np.searchsorted(firsts, sought, side="left") - 1
    last = np.searchsorted(firsts, sought, side="right") - 1
    return sorted({number for low, high in zip(first, last, strict=True) for number in range(max(low, 0), high + 1)})

"""Check what an unlearned run in chunks still holds of removed rows; only chunks that the parent lacks are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.chunked import ids
from mmrecun.chunked.erasure import OTHER
from mmrecun.chunked.lineage import parent_here
from mmrecun.chunked.lists import lists_that_differ
from mmrecun.chunked.run import SIDES, MappedRun
from mmrecun.forget.request import ForgetRequest


@dataclass(frozen=True)
class RemovedRows:
    """The rows removed from a run, and the chunks written for it.

    Attributes:
        rows: "users" and "items" -> removed rows, int64 [K], ascending.
        ids_in_chunks: whether a removed id is in a chunk of ids that is not the parent's.
        hashes_in_chunks: whether the hash of a removed id is in a chunk of hashes.
        written, shared: number of new chunks, and of the parent's.
        waiting: number of rows in patches (`chunked.patches`); shared chunks still hold their former values.
    """

    rows: dict[str, Ints]
    ids_in_chunks: bool
    hashes_in_chunks: bool
    written: int
    shared: int
    waiting: int


def users_who_lost_pairs(child: MappedRun, moved: Path | None = None) -> Ints:
    """Return the users of a run, or of a part, whose parent on this machine has more of their pairs: rows, int64."""
    return users_with_other_pairs(parent_here(child, moved), child)


def users_with_other_pairs(run: MappedRun, other: MappedRun) -> Ints:
    """Return the users whose pairs differ in two runs on one dataset: rows, int64, ascending.

    Lists in chunks that both runs have are not read.
    """
    one, two = run.pairs_of("users"), other.pairs_of("users")
    found = [np.zeros(0, dtype=np.int64)]
    for rows in one.candidates(two):
        if len(rows):
            found.append(rows[lists_that_differ(*(_joined(lists.lists(rows)) for lists in (one, two)))])
    return np.concatenate(found)


def _joined(lists: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.fromiter(map(len, lists), np.int64, len(lists)), np.concatenate(lists)


def removed_rows_here(child: MappedRun, moved: Path | None = None) -> RemovedRows:
    """Find the rows removed from a run, or a part, whose parent is on this machine.

    Raises:
        ArtifactError: when the parent is missing or another run, or a chunk is damaged.
    """
    parent = parent_here(child, moved)
    whole = child.manifest.chunks()
    new = whole - parent.manifest.chunks()
    child.chunks.refuse_changed(sorted(new))
    rows = {side: _blank(parent, child, side) for side in SIDES}
    names = {side: parent.table(f"{side}.ids").rows(rows[side]) for side in SIDES}
    found = any(_holds_ids(child, side, names[side], new) for side in SIDES)
    hashed = any(ids.holds_hash(names[side], *child.index(side)) for side in SIDES)
    return RemovedRows(rows, found, hashed, len(new), len(whole) - len(new), child.manifest.waiting())


def _blank(parent: MappedRun, child: MappedRun, side: str) -> Ints:
    """Return the rows whose id is blank in the child only."""
    before, after = (run.table(f"{side}.ids") for run in (parent, child))
    rows = [np.zeros(0, dtype=np.int64)]
    for number, (old, now) in enumerate(zip(before.spec.chunks, after.spec.chunks, strict=True)):
        if old != now:
            gone = before.chunk(number).any(axis=1) & ~after.chunk(number).any(axis=1)
            rows.append(number * before.spec.per_chunk + np.flatnonzero(gone))
    return np.concatenate(rows)


def _holds_ids(child: MappedRun, side: str, names: np.ndarray, new: set[str]) -> bool:
    """Say whether one of `names` (uint8 [K, W]) is a row of a new chunk; across two rows its bytes mean nothing."""
    table = child.table(f"{side}.ids")
    width = table.spec.shape[1]
    sought = names.reshape(-1).view(f"S{width}")  # a row as one text
    return any(
        np.isin(table.chunk(number).reshape(-1).view(f"S{width}"), sought).any()
        for number, digest in enumerate(table.spec.chunks)
        if digest in new
    )


def residue(
    parent: MappedRun, child: MappedRun, removed: RemovedRows, asked: ForgetRequest | None
) -> dict[str, bool | None]:
    """Check that removed rows are absent from all tables and, given the request, are those of the requested ids.

    Args:
        parent, child: whole runs, or runs in parts.
        removed: the removed rows.
        asked: the request; None leaves its check unassessed.

    Returns:
        Each check, with whether it passed.
    """
    return {
        "ids and pairs asked for": None if asked is None else _all_left(parent, child, asked),
        "vectors": not any(child.rows(side, removed.rows[side]).any() for side in SIDES),
        "lists": not any(_in_lists(parent, child, side, removed.rows[side]) for side in SIDES),
        "bytes of ids in new chunks": not removed.ids_in_chunks,
        "hashes of ids": not removed.hashes_in_chunks,
        "chunks shared with the run before": not removed.waiting,
    }


def _in_lists(parent: MappedRun, child: MappedRun, side: str, rows: Ints) -> bool:
    """Say whether removed rows have a list, or are in that of a partner."""
    if any(map(len, child.pairs_of(side).lists(rows))):
        return True
    partners = np.unique(np.concatenate([np.zeros(0, np.uint32), *parent.pairs_of(side).lists(rows)]) >> 2)
    return any(np.isin(each >> 2, rows).any() for each in child.pairs_of(OTHER[side]).lists(partners.astype(np.int64)))


def _all_left(parent: MappedRun, child: MappedRun, asked: ForgetRequest) -> bool:
    for side, wanted in (("users", asked.users), ("items", asked.items)):
        parent.require(side, wanted)
        if (child.find(side, wanted) >= 0).any():
            return False
    users, items = (parent.require(side, tuple(pair[at] for pair in asked.pairs)) for at, side in enumerate(SIDES))
    lists = child.pairs_of("users").lists(users)
    return not any((each >> 2 == item).any() for each, item in zip(lists, items, strict=True))

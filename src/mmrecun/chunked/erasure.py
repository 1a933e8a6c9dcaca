"""An erasure of a run in chunks: what goes and which rows move; it writes the chunks that it touches and no other."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmrecun.arrays import Floats, Ints
from mmrecun.chunked import ids
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.folders import CHUNKS
from mmrecun.chunked.lists import ChunkedLists, ListsSpec
from mmrecun.chunked.rows import RowsSpec
from mmrecun.chunked.run import SIDES, MappedManifest, MappedRun, write_manifest
from mmrecun.data.interactions import Split
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.request import ForgetRequest
from mmrecun.manifest import now, versions
from mmrecun.text import preview

OTHER = {"users": "items", "items": "users"}
Moved = tuple[Ints, Floats]


@dataclass(frozen=True)
class Erasure:
    """The changes that an unlearning makes to a run, in rows.

    Attributes:
        gone: "users" and "items" -> rows that leave, int64, ascending.
        pairs: int64 [P, 2], single pairs that leave, of users and items that stay.
        moved: "users" and "items" -> rows that stay and change, int64 [K], and their new vectors, float32 [K, D].
    """

    gone: Mapping[str, Ints]
    pairs: Ints
    moved: Mapping[str, Moved] = field(default_factory=dict)


@dataclass(frozen=True)
class LostPartners:
    """The partners that retained rows lose.

    Attributes:
        lost: "users" and "items" -> retained row -> partners that it loses, int64.
        counts: split -> number of removed pairs.
    """

    lost: Mapping[str, Mapping[int, Ints]]
    counts: Mapping[str, int]


def erasure_of(run: MappedRun, request: ForgetRequest) -> Erasure:
    """Find the rows of a request; no row moves yet.

    Raises:
        ForgetError: when it is empty, names features, or an id or a pair is not there.
    """
    if request.empty():
        raise ForgetError("the request is empty: name users, items or pairs")
    if request.modalities:
        raise ForgetError("a mapped run has no modalities to forget; name users, items or pairs")
    gone = {
        side: np.unique(_rows(run, side, names)) for side, names in (("users", request.users), ("items", request.items))
    }
    pairs = [_rows(run, side, tuple(pair[place] for pair in request.pairs)) for place, side in enumerate(SIDES)]
    both = np.unique(np.stack(pairs, axis=1), axis=0)
    lists = run.pairs_of("users").lists(both[:, 0])
    absent = [not np.isin(item, known >> 2) for known, item in zip(lists, both[:, 1], strict=True)]
    if any(absent):
        users, items = (run.names(side, both[absent][:, at]) for at, side in enumerate(SIDES))
        names = [f"({user}, {item})" for user, item in zip(users, items, strict=True)]
        raise ForgetError(f"no such interaction in '{run.manifest.dataset_name}': {preview(names)}")
    stay = ~(np.isin(both[:, 0], gone["users"]) | np.isin(both[:, 1], gone["items"]))
    return Erasure(gone, both[stay])


def _rows(run: MappedRun, side: str, names: tuple[str, ...]) -> Ints:
    try:
        return run.require(side, names)
    except DataError as error:
        raise ForgetError(str(error)) from None


def lost_partners(run: MappedRun, erasure: Erasure) -> LostPartners:
    """Find which rows lose which partners."""
    lost: dict[str, dict[int, list[int]]] = {side: defaultdict(list) for side in SIDES}
    left: set[tuple[int, int, int]] = set()
    for side in SIDES:
        for row, values in zip(erasure.gone[side], run.pairs_of(side).lists(erasure.gone[side]), strict=True):
            for partner, split in zip((values >> 2).tolist(), (values & 3).tolist(), strict=True):
                lost[OTHER[side]][partner].append(int(row))
                left.add((int(row), partner, split) if side == "users" else (partner, int(row), split))
    known = run.pairs_of("users").lists(erasure.pairs[:, 0])
    for (user, item), values in zip(erasure.pairs.tolist(), known, strict=True):
        lost["users"][user].append(item)
        lost["items"][item].append(user)
        left.add((user, item, int(values[(values >> 2) == item][0] & 3)))
    counts = np.bincount([split for _, _, split in left], minlength=len(Split))
    return LostPartners(
        {
            side: {row: np.unique(partners) for row, partners in sorted(of.items()) if row not in erasure.gone[side]}
            for side, of in lost.items()
        },
        {split.label: int(counts[split]) for split in Split},
    )


def forgotten_counts(erasure: Erasure, lost: LostPartners) -> dict[str, int]:
    """Count what an erasure removes, as `Partition.counts` does."""
    return {
        **{side: len(erasure.gone[side]) for side in SIDES},
        "interactions": lost.counts["train"],
        "held_out": lost.counts["valid"] + lost.counts["test"],
        "modalities": 0,
    }


def apply(
    run: MappedRun, erasure: Erasure, staging: Path, lost: LostPartners | None = None, **facts: Any
) -> MappedManifest:
    """Fill an empty (staged) run folder with what is left of `run`; returns its manifest.

    Args:
        run: before.
        erasure: to be made.
        staging: the folder.
        lost: what `lost_partners` finds, where it was found elsewhere.
        facts: further fields of the manifest.
    """
    folder = ChunkFolder(staging / CHUNKS, behind=run.chunks)
    lost = lost or lost_partners(run, erasure)
    rows, lists = dict(run.manifest.rows), dict(run.manifest.lists)
    for side in SIDES:
        rows |= _erased_rows(run, side, erasure, folder)
        lists[side] = _shorter_lists(run, side, erasure, lost, folder)
    before = run.manifest
    whole = before.model_copy(
        update={
            "pairs": {split: count - lost.counts[split] for split, count in before.pairs.items()},
            "rows": rows,
            "lists": lists,
            "forgotten": forgotten_counts(erasure, lost),
            "requested": None,
            "folded": None,
            "moved": {side: len(rows) for side, (rows, _) in erasure.moved.items()},
            "versions": dict(versions()),
            "created": now(),
            **facts,
        }
    )
    folder.share(run.chunks, whole.chunks() & before.chunks())
    return write_manifest(staging, whole)


def _erased_rows(run: MappedRun, side: str, erasure: Erasure, folder: ChunkFolder) -> dict[str, RowsSpec]:
    gone = erasure.gone[side]
    vectors = run.table(f"{side}.vectors")
    nothing = np.zeros((len(gone), vectors.spec.shape[1]), dtype=np.float32)
    at, values = erasure.moved.get(side, (np.zeros(0, dtype=np.int64), nothing[:0]))
    leaves = np.arange(len(gone) + len(at)) < len(gone)
    changed = vectors.edited(np.concatenate([gone, at]), np.concatenate([nothing, values]), folder, urgent=leaves)
    found = {f"{side}.vectors": changed.spec}
    if len(gone):
        kept = ids.without(gone, *run.index(side), folder)
        found |= {f"{side}.{part}": table.spec for part, table in zip(ids.TABLES, kept, strict=True)}
    return found


def _shorter_lists(run: MappedRun, side: str, erasure: Erasure, lost: LostPartners, folder: ChunkFolder) -> ListsSpec:
    lists: ChunkedLists = run.pairs_of(side)
    changed = {int(row): np.empty(0, dtype=np.uint32) for row in erasure.gone[side]}
    rows = np.array(list(lost.lost[side]), dtype=np.int64)
    for row, values in zip(rows.tolist(), lists.lists(rows), strict=True):
        changed[row] = values[~np.isin(values >> 2, lost.lost[side][row])]
    return lists.edited(changed, folder, urgent=erasure.gone[side].tolist()).spec if changed else lists.spec

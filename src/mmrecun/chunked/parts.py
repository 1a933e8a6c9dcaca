"""A run in chunks divided into parts, on one host or on several: part k of W has rows k, k + W, and so on.

A part is a run in chunks itself, in a folder `k-of-W`. In its lists, partners are numbered as in the whole run. An
unlearning requests rows from the owners of the parts, and each owner then changes its own chunks.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmrecun.arrays import Floats, Ints
from mmrecun.atomic import staged_folder
from mmrecun.chunked import ids
from mmrecun.chunked import run as runs
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.erasure import Erasure, LostPartners, apply
from mmrecun.chunked.folders import CHUNKS, is_mapped
from mmrecun.chunked.lists import ChunkedLists
from mmrecun.chunked.residue import RemovedRows, removed_rows_here, users_who_lost_pairs
from mmrecun.chunked.rows import ChunkedRows
from mmrecun.chunked.run import SIDES, MappedManifest, MappedRun, write_manifest
from mmrecun.claims import claimed
from mmrecun.errors import ArtifactError
from mmrecun.manifest import Reference, reference

_NAME = re.compile(r"(\d+)-of-(\d+)")
_BLOCK = 1 << 16


def _folder(part: int, parts: int) -> str:
    return f"{part}-of-{parts}"


class Owner(Protocol):
    """The process that has a part."""

    def ask(self, what: str, *arguments: Any) -> Any:
        """Return what the function `what` of this module gives for the part and the arguments."""


@dataclass(frozen=True)
class OwnerHere:
    """A part on this machine.

    Attributes:
        folder: folder of the part.
    """

    folder: Path

    def ask(self, what: str, *arguments: Any) -> Any:
        """Answer a request; see `Owner`."""
        return answer(self.folder, what, *arguments)


def answer(folder: Path, what: str, *arguments: Any) -> Any:
    """Answer a request from the part in `folder`, on the machine where it is."""
    return _ANSWERS[what](runs.read(folder, part=True), *arguments)


def part_folders(place: Path) -> dict[int, Path]:
    """Return number -> folder of the parts below `place` on this machine.

    Raises:
        ArtifactError: when they are not of one run.
    """
    found = {path: match for path in sorted(place.glob("*-of-*")) if (match := _NAME.fullmatch(path.name))}
    if len({match[2] for match in found.values()}) > 1:
        raise ArtifactError(f"{place}: parts of several runs; keep those of one")
    return {int(match[1]): path for path, match in found.items()}


def split(run: MappedRun, place: Path, parts: int) -> None:
    """Write a run in chunks as `parts` parts below `place`; the run is not changed."""
    for part in range(parts):
        with staged_folder(place / _folder(part, parts)) as staging:
            _write_part(run, part, parts, staging)


def _write_part(run: MappedRun, part: int, parts: int, staging: Path) -> None:
    folder = ChunkFolder(staging / CHUNKS)
    rows, lists = {}, {}
    for side in SIDES:
        names = _Every(run.table(f"{side}.ids"), part, parts)
        hashes, places = ids.index_of(names)  # type: ignore[arg-type]
        vectors = _Every(run.table(f"{side}.vectors"), part, parts)
        for name, array in (("vectors", vectors), ("ids", names), ("hashes", hashes), ("hash_rows", places)):
            rows[f"{side}.{name}"] = ChunkedRows.write(array, folder).spec  # type: ignore[arg-type]
        lists[side] = ChunkedLists.write(_lists_of_part(run, side, part, parts), folder).spec
    write_manifest(staging, run.manifest.model_copy(update={"rows": rows, "lists": lists, "part": (part, parts)}))


class _Every:
    """Every W-th row of a table, read when it is sliced."""

    def __init__(self, table: ChunkedRows, part: int, parts: int) -> None:
        self._table, self._part, self._parts = table, part, parts
        self.dtype = np.dtype(table.spec.dtype)
        self.shape = (len(range(part, len(table), parts)), *table.spec.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: slice) -> np.ndarray:
        return self._table.rows(self._part + self._parts * np.arange(*at.indices(len(self))))


def _lists_of_part(run: MappedRun, side: str, part: int, parts: int) -> Iterator[tuple[Ints, np.ndarray]]:
    rows = np.arange(part, run.size(side), parts)
    for start in range(0, len(rows), _BLOCK):
        found = run.pairs_of(side).lists(rows[start : start + _BLOCK])
        yield np.array([len(each) for each in found], dtype=np.int64), np.concatenate(found)


@dataclass(frozen=True)
class _ListsOfParts:
    run: "RunInParts"
    side: str

    def lists(self, at: Ints) -> list[np.ndarray]:
        """Return the lists of rows `at`, as `ChunkedLists` does."""
        found: list[np.ndarray] = [np.empty(0, dtype=np.uint32)] * len(at)
        for places, values in self.run.asked("lists", self.side, at):
            for place, each in zip(places, values, strict=True):
                found[place] = each
        return found

    def candidates(self, _other: object) -> Iterator[Ints]:
        """Yield all rows in blocks, since their chunks are elsewhere; see `ChunkedLists`."""
        for start in range(0, self.run.size(self.side), _BLOCK):
            yield np.arange(start, min(start + _BLOCK, self.run.size(self.side)))


@dataclass(frozen=True)
class RunInParts(MappedRun):
    """A whole run whose rows are requested from the owners of its parts; it can be read as a `MappedRun`.

    Attributes:
        owners: owners of all parts, in order.
    """

    owners: Sequence[Owner] = ()

    @classmethod
    def of(cls, place: Path, owners: Sequence[Owner]) -> "RunInParts":
        """Open a run by asking all owners for their manifests.

        Raises:
            ArtifactError: when parts are missing, or not of one run.
        """
        found: list[MappedManifest] = [MappedManifest.model_validate(owner.ask("manifest")) for owner in owners]
        parts = [manifest.part for manifest in found]
        if not found or parts != [(number, len(found)) for number in range(len(found))]:
            raise ArtifactError(f"{place}: there are the parts {parts}, not all of one run")
        if len({(each.dataset, each.change or each.created) for each in found}) > 1:
            raise ArtifactError(f"{place}: its parts are of several runs, or an unlearning was interrupted; repeat it")
        rows = {
            name: spec.model_copy(
                update={
                    "shape": (sum(each.rows[name].shape[0] for each in found), *spec.shape[1:]),
                    "chunks": (),
                    "patch": None,
                }
            )
            for name, spec in found[0].rows.items()
        }
        others = {name: _of_the_whole(getattr(found[0], name), len(found)) for name in ("parent", "folded")}
        return cls(place, found[0].model_copy(update={"rows": rows, "lists": {}, **others}), owners)

    def removed_rows(self) -> RemovedRows:
        """Collect the removed rows from all owners; see `chunked.residue`."""
        answers: list[RemovedRows] = [owner.ask("removed_rows") for owner in self.owners]
        numbered = [
            {side: part + len(answers) * rows for side, rows in each.rows.items()} for part, each in enumerate(answers)
        ]
        return RemovedRows(
            {side: np.sort(np.concatenate([rows[side] for rows in numbered])) for side in SIDES},
            any(each.ids_in_chunks for each in answers),
            any(each.hashes_in_chunks for each in answers),
            *(sum(getattr(each, name) for each in answers) for name in ("written", "shared", "waiting")),
        )

    def users_who_lost_pairs(self) -> Ints:
        """Collect the users who lost pairs from all owners; see `chunked.residue`."""
        each = [part + len(self.owners) * owner.ask("lost_pairs") for part, owner in enumerate(self.owners)]
        return np.sort(np.concatenate(each))

    def asked(self, what: str, side: str, at: Ints) -> Iterator[tuple[Ints, Any]]:
        """Ask the owners of rows `at` (int64 [K]); yield which of these rows an answer is about, and the answer."""
        parts = len(self.owners)
        for part, owner in enumerate(self.owners):
            places = np.flatnonzero(at % parts == part)
            if len(places):
                yield places, owner.ask(what, side, at[places] // parts)

    def retained(self, side: str) -> Ints:
        """Return the rows that were not removed; see `MappedRun`."""
        each = [part + len(self.owners) * owner.ask("retained", side) for part, owner in enumerate(self.owners)]
        return np.sort(np.concatenate(each))

    def find(self, side: str, names: tuple[str, ...]) -> Ints:
        """Find the rows of ids; see `MappedRun`."""
        found = np.full(len(names), -1, dtype=np.int64)
        for part, owner in enumerate(self.owners if names else ()):
            here = owner.ask("find", side, names)
            found = np.where(here >= 0, part + len(self.owners) * here, found)
        return found

    def names(self, side: str, at: Ints) -> list[str]:
        """Return the ids of rows `at`; see `MappedRun`."""
        found = np.full(len(at), "", dtype=object)
        for places, values in self.asked("names", side, at):
            found[places] = values
        return found.tolist()

    def rows(self, side: str, at: Ints) -> Floats:
        """Return the vectors of rows `at`; see `MappedRun`."""
        found = np.empty((len(at), self.manifest.rows[f"{side}.vectors"].shape[1]), dtype=np.float32)
        for places, values in self.asked("vectors", side, at):
            found[places] = values
        return found

    def pairs_of(self, side: str) -> _ListsOfParts:  # type: ignore[override]
        """Return the lists of one side; see `MappedRun`."""
        return _ListsOfParts(self, side)

    def erase(self, erasure: Erasure, lost: LostPartners, out: Path, facts: Mapping[str, Any]) -> int:
        """Let each owner write its part of the erased run below `out`; return the number of rows in patches.

        An owner that has already written its part of the same erasure does nothing.
        """
        whole = {**facts, "change": _digest(erasure)}
        return sum(
            owner.ask("erase", *_share(erasure, lost, part, len(self.owners)), out, whole)
            for part, owner in enumerate(self.owners)
        )


def _of_the_whole(to: Reference | None, parts: int) -> Reference | None:
    """Turn the reference of the part `0-of-W` to a part of another run into one to the folder of that run's parts."""
    if to is None:
        return None
    path = os.path.normpath(Path(_folder(0, parts)) / to.path / "..")
    return to.model_copy(update={"path": path})


def _share(erasure: Erasure, lost: LostPartners, part: int, parts: int) -> tuple[Erasure, LostPartners]:
    """Return what an erasure means for one part, in its rows; pairs of partners keep the numbers of the whole."""
    gone = {side: rows[rows % parts == part] // parts for side, rows in erasure.gone.items()}
    moved = {
        side: (rows[rows % parts == part] // parts, values[rows % parts == part])
        for side, (rows, values) in erasure.moved.items()
    }
    own = {
        side: {row // parts: partners for row, partners in of.items() if row % parts == part}
        for side, of in lost.lost.items()
    }
    return Erasure(gone, np.empty((0, 2), dtype=np.int64), moved), LostPartners(own, lost.counts)


def _digest(erasure: Erasure) -> str:
    state = hashlib.sha256(erasure.pairs.tobytes())
    for side in SIDES:
        for array in (erasure.gone[side], *erasure.moved.get(side, ())):
            state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def _erase(run: MappedRun, erasure: Erasure, lost: LostPartners, out: Path, facts: Mapping[str, Any]) -> int:
    place = out / run.folder.name
    if is_mapped(place) and (known := runs.read(place, part=True).manifest).change == facts["change"]:
        return known.waiting()
    with claimed(place), staged_folder(place) as staging:
        above = reference(run.folder, run.manifest.digest, place)
        return apply(run, erasure, staging, lost, parent=above, **facts).waiting()


_ANSWERS: dict[str, Callable[..., Any]] = {
    "manifest": lambda run: run.manifest.model_dump(),
    "retained": MappedRun.retained,
    "find": MappedRun.find,
    "names": MappedRun.names,
    "vectors": MappedRun.rows,
    "lists": lambda run, side, at: [np.array(each) for each in run.pairs_of(side).lists(at)],
    "removed_rows": removed_rows_here,
    "lost_pairs": users_who_lost_pairs,
    "erase": _erase,
}

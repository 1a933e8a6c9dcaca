"""The exports of a run, recorded in its folder, and which of them a later request made stale."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from mmrecun import runs
from mmrecun.atomic import refuse_unwritable, replace_file
from mmrecun.errors import ArtifactError, MMRecUnError
from mmrecun.exports.record import RECORD, ExportRecord, read_record
from mmrecun.settings import Settings, first_fault

FOLDER = "exports"


class Freshness(StrEnum):
    """State of an export: whether it may still be used."""

    CURRENT = "current"
    STALE = "stale"  # a run exists that has forgotten more
    MISSING = "missing"  # its folder is gone
    REPLACED = "replaced"  # its folder holds an export of another run


class Entry(Settings):
    """An entry of the register: the record of an export, and where it went, relative to the run folder."""

    path: str
    record: ExportRecord


class ListedExport(Settings):
    """An export and its state.

    Attributes:
        kind, made: format and UTC time, from its record.
        path: its folder.
        run: folder of its run.
        state: whether it may still be used.
        because: folders of the runs that have forgotten more; empty unless stale.
    """

    kind: str
    made: str
    path: str
    run: str
    state: Freshness
    because: tuple[str, ...] = ()


def refuse_unrecordable(run: Path) -> None:
    """Raise ArtifactError if an export cannot be recorded in the folder `run`; asked before the export is made."""
    refuse_unwritable(run / FOLDER)


def add_entry(run: Path, record: ExportRecord, out: Path, seen_from: Path | None = None) -> None:
    """Record in the folder `run` that it was exported to `out`; a later export to the same place replaces the entry.

    Args:
        run: the run folder.
        record: record of the export.
        out: folder of the export.
        seen_from: final path of a staged run folder; `run` by default.

    Raises:
        ArtifactError: when the run folder cannot be written: an export without a record could not be found again.
    """
    path = os.path.relpath(out.resolve(), (seen_from or run).resolve())
    place = run / FOLDER / f"{record.kind}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        replace_file(place / RECORD, Entry(path=path, record=record).json_text().encode())
    except OSError as error:
        raise ArtifactError(f"{run}: the export cannot be recorded in its folder: {error.strerror or error}") from None


def carry_entries(line: Iterable[Path], staging: Path, out: Path) -> None:
    """Write what is recorded of exports in the folders of a run and its ancestors into a staged folder.

    The folder stands for all of them then, and they can be removed. Of several exports to one place the last is kept.

    Args:
        line: the folders, that of the run first.
        staging: the staged run folder.
        out: its final path.

    Raises:
        ArtifactError: when an entry is damaged.
    """
    known = [(entry, folder) for folder in reversed(list(line)) for entry in _entries(folder)]
    for entry, folder in sorted(known, key=lambda each: each[0].record.made):
        add_entry(staging, entry.record, folder / entry.path, seen_from=out)


def list_exports(run: Path, among: Iterable[Path] = ()) -> list[ListedExport]:
    """List the exports of the run in `run` and of the runs it came from, each with its state.

    An export is stale when another run was unlearned from its run. Such runs are looked for among `run` and its
    ancestors, beside each of them, and in the folders `among`.

    Raises:
        ArtifactError: when `run` is not a run folder, an entry is damaged, or one of `among` is not a folder.
    """
    own = runs.read_manifest(run)
    line = [(run, own.weights or runs.weights_digest(run))]
    for folder, manifest in runs.ancestors(run, own):
        line.append((Path(os.path.relpath(folder)), manifest.weights or runs.weights_digest(folder)))
    return list_of_line(line, among, runs.MANIFEST, _kin_of)


class Kin(NamedTuple):
    """The digest of a run, and those of its parent and of the run that it was folded from; None without one."""

    digest: str
    parent: str | None
    folded: str | None = None


def list_of_line(
    line: Sequence[tuple[Path, str]],
    among: Iterable[Path],
    manifest: str,
    kin_of: Callable[[Path], Kin | None],
) -> list[ListedExport]:
    """Do as `list_exports` for runs of another kind.

    Args:
        line: the run and its ancestors, with their digests.
        among: as there.
        manifest: name of the manifest in the folder of such a run.
        kin_of: returns the digests of the run in a folder; None for none of its kind.
    """
    places = {folder.resolve().parent for folder, _ in line}
    for folder in among:
        if not folder.is_dir():
            raise ArtifactError(f"{folder} is not a folder to look for runs in")
        places.add(folder.resolve())
    folders = {folder.resolve() for folder, _ in line}
    folders |= {path.parent for place in places for path in place.glob(f"*/{manifest}")}
    kin = {folder: own for folder in sorted(folders) if (own := kin_of(folder)) is not None}
    unfolded = {own.digest: own.folded for own in kin.values() if own.folded is not None}
    children = defaultdict(list)  # by the digest that a model had before it was folded
    for folder, own in kin.items():
        if own.parent is not None:
            children[unfolded.get(own.parent, own.parent)].append(os.path.relpath(folder))
    listed = []
    for entry, folder, digest in _recorded(line):
        of, here = (unfolded.get(one, one) for one in (entry.record.run, digest))
        # an entry that was carried is of a run before this one, of which perhaps nothing else is left
        because = children.get(of) or ([] if of == here else [os.path.relpath(folder)])
        listed.append(_with_state(entry, folder, because))
    return listed


def _recorded(line: Sequence[tuple[Path, str]]) -> list[tuple[Entry, Path, str]]:
    """Return the entries in the folders of a line, each once: a folded run has those of the runs before it, too."""
    found: dict[tuple[str, str, Path], tuple[Entry, Path, str]] = {}
    for folder, digest in line:
        for entry in _entries(folder):
            name = entry.record.run, entry.record.kind, (folder / entry.path).resolve()
            known = found.get(name)
            if known is None or entry.record.made > known[0].record.made or digest == entry.record.run != known[2]:
                found[name] = entry, folder, digest
    return list(found.values())


def _kin_of(folder: Path) -> Kin | None:
    try:
        own = runs.read_manifest(folder)
    except MMRecUnError:  # not one of ours
        return None
    return Kin(own.weights, own.parent.digest if own.parent else None)


def _entries(folder: Path) -> Iterator[Entry]:
    entries = []
    for path in (folder / FOLDER).glob(f"*/{RECORD}"):
        try:
            entries.append(Entry.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            raise ArtifactError(f"{path}: damaged or from another version: {first_fault(error)}") from None
    yield from sorted(entries, key=lambda entry: (entry.record.made, entry.path))


def _with_state(entry: Entry, folder: Path, children: Iterable[str]) -> ListedExport:
    out = (folder / entry.path).resolve()
    because = tuple(children)
    state = Freshness.STALE if because else Freshness.CURRENT
    try:
        there = read_record(out)
        if (there.run, there.kind) != (entry.record.run, entry.record.kind):
            state = Freshness.REPLACED
    except ArtifactError:
        state = Freshness.MISSING
    return ListedExport(
        kind=entry.record.kind,
        made=entry.record.made,
        path=os.path.relpath(out),
        run=str(folder),
        state=state,
        because=because if state is Freshness.STALE else (),
    )

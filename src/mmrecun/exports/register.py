"""The exports of a run, recorded in its folder, and which of them a later request made stale."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from mmrecun import runs
from mmrecun.atomic import replace_file
from mmrecun.errors import ArtifactError, MMRecUnError
from mmrecun.exports.record import RECORD, ExportRecord, read_record
from mmrecun.manifest import Manifest
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


def add_entry(run: Path, record: ExportRecord, out: Path) -> None:
    """Record in the folder `run` that it was exported to `out`; a later export to the same place replaces the entry.

    Raises:
        ArtifactError: when the run folder cannot be written: an export without a record could not be found again.
    """
    path = os.path.relpath(out.resolve(), run.resolve())
    place = run / FOLDER / f"{record.kind}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        replace_file(place / RECORD, Entry(path=path, record=record).json_text().encode())
    except OSError as error:
        raise ArtifactError(f"{run}: the export cannot be recorded in its folder: {error.strerror or error}") from None


def list_exports(run: Path, among: Iterable[Path] = ()) -> list[ListedExport]:
    """List the exports of the run in `run` and of the runs it came from, each with its state.

    An export is stale when another run was unlearned from its run. Such runs are looked for among `run` and its
    ancestors, beside each of them, and in the folders `among`.

    Raises:
        ArtifactError: when `run` is not a run folder, an entry is damaged, or one of `among` is not a folder.
    """
    line = [(folder, manifest.weights or runs.weights_digest(folder)) for folder, manifest in _line(run)]
    return list_of_line(line, among, runs.MANIFEST, _parent_of)


def list_of_line(
    line: Sequence[tuple[Path, str]],
    among: Iterable[Path],
    manifest: str,
    parent_of: Callable[[Path], str | None],
) -> list[ListedExport]:
    """Do as `list_exports` for runs of another kind.

    Args:
        line: the run and its ancestors, with their digests.
        among: as there.
        manifest: name of the manifest in the folder of such a run.
        parent_of: returns the digest of the parent of the run in a folder; None for a trained one, or none of its kind.
    """
    places = {folder.resolve().parent for folder, _ in line}
    for folder in among:
        if not folder.is_dir():
            raise ArtifactError(f"{folder} is not a folder to look for runs in")
        places.add(folder.resolve())
    folders = {folder.resolve() for folder, _ in line}
    folders |= {path.parent for place in places for path in place.glob(f"*/{manifest}")}
    children = defaultdict(list)
    for folder in sorted(folders):
        if (digest := parent_of(folder)) is not None:
            children[digest].append(os.path.relpath(folder))
    return [
        _with_state(entry, folder, children.get(digest, ())) for folder, digest in line for entry in _entries(folder)
    ]


def _parent_of(folder: Path) -> str | None:
    try:
        parent = runs.read_manifest(folder).parent
    except MMRecUnError:  # not one of ours
        return None
    return parent.digest if parent else None


def _line(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """Yield a run and its ancestors, as far as they exist."""
    manifest = runs.read_manifest(folder)
    yield folder, manifest
    while manifest.parent is not None:
        place, digest = Path(os.path.relpath((folder / manifest.parent.path).resolve())), manifest.parent.digest
        try:
            manifest = runs.read_manifest(place)
        except MMRecUnError:
            return
        if manifest.weights != digest:
            return
        folder = place
        yield folder, manifest


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

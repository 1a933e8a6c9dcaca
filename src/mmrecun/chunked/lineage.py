"""The runs in chunks that a run was unlearned from."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mmrecun.chunked import run as runs
from mmrecun.chunked.run import MappedRun
from mmrecun.errors import ArtifactError
from mmrecun.manifest import Reference

ReadMapped = Callable[[Path], MappedRun]


def parent_folder(child: MappedRun, moved: Path | None = None) -> Path:
    """Return where the parent of an unlearned run is: `moved`, if it was moved there.

    Raises:
        ArtifactError: when the run was trained.
    """
    if child.manifest.parent is None:
        raise ArtifactError(f"{child.folder} was trained, not unlearned; there is nothing to audit")
    return (moved or child.folder / child.manifest.parent.path).resolve()


def parent_here(child: MappedRun, moved: Path | None = None) -> MappedRun:
    """Read the parent of a run, or of a part, on this machine; at `moved`, if it was moved there.

    Raises:
        ArtifactError: when it is missing or another run.
    """
    place = parent_folder(child, moved)
    if not place.exists():
        raise ArtifactError(
            f"{child.folder}: an audit compares with the run before, which is no longer at {place}; put it back there"
            f"{'' if child.manifest.part else ', or say where it is with --original'}"
        )
    parent = runs.read(place, part=child.manifest.part is not None)
    assert child.manifest.parent is not None
    if parent.manifest.digest != child.manifest.parent.digest:
        raise ArtifactError(f"{child.folder}: the run at {parent.folder} is no longer the one it was unlearned from")
    return parent


def ancestors(run: MappedRun, read: ReadMapped = runs.read) -> Iterator[MappedRun]:
    """Yield the run that a run was unlearned from, and so on, as far as `read` can read them."""
    before = _referred(run, run.manifest.parent, read)
    while before is not None:
        yield before
        before = _referred(before, before.manifest.parent, read)


def unfolded(run: MappedRun, read: ReadMapped = runs.read) -> MappedRun | None:
    """Return the run that a run was folded from; None where there is none, or `read` cannot read it."""
    return _referred(run, run.manifest.folded, read)


def with_unfolded(line: Iterable[MappedRun], read: ReadMapped = runs.read) -> Iterator[MappedRun]:
    """Yield each run of a line, and the one that it was folded from, if that is still there."""
    for run in line:
        yield run
        if (before := unfolded(run, read)) is not None:
            yield before


def _referred(run: MappedRun, to: Reference | None, read: ReadMapped) -> MappedRun | None:
    """Read a run that another refers to; None where it was removed, or is another now."""
    if to is None:
        return None
    try:
        found = read((run.folder / to.path).resolve())
    except ArtifactError:
        return None
    return found if found.manifest.digest == to.digest else None

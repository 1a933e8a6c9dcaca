"""Write the rows that wait in patches into their chunks, so that no chunk holds what they were before."""

import os
from pathlib import Path

from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.folders import CHUNKS
from mmrecun.chunked.run import MappedManifest, MappedRun, write_manifest
from mmrecun.manifest import Reference, reference, versions


def fold(run: MappedRun, staging: Path, out: Path) -> MappedManifest:
    """Write the same run without patches into an empty (staged) run folder; return its manifest.

    Args:
        run: the run to fold, which is not changed.
        staging: the empty folder.
        out: final path of the folder, from which the parent's path is derived.
    """
    folder, before = ChunkFolder(staging / CHUNKS, behind=run.chunks), run.manifest
    whole = before.model_copy(
        update={
            "rows": {name: run.table(name).folded(folder).spec for name in before.rows},
            "lists": {side: run.pairs_of(side).folded(folder).spec for side in before.lists},
            "parent": _moved(before.parent, run.folder, out),
            "folded": reference(run.folder, before.digest, out)
            if before.waiting()
            else _moved(before.folded, run.folder, out),
            "versions": dict(versions()),
        }
    )
    folder.share(run.chunks, whole.chunks() & before.chunks())
    return write_manifest(staging, whole)


def _moved(to: Reference | None, old: Path, new: Path) -> Reference | None:
    """Name the same run, which may be gone, from another folder."""
    if to is None:
        return None
    place = os.path.relpath((old / to.path).resolve(), new.resolve())
    return to.model_copy(update={"path": place})

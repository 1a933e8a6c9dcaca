"""Write a run in chunks in the format of another tool, block by block, and find exports that are stale."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.atomic import refuse_existing, refuse_within, staged_folder
from mmrecun.chunked import run as mapped
from mmrecun.chunked.excerpt import Excerpt
from mmrecun.chunked.folders import MANIFEST
from mmrecun.chunked.lineage import ancestors, with_unfolded
from mmrecun.chunked.run import MappedRun
from mmrecun.claims import claimed
from mmrecun.data.ids import IdMap
from mmrecun.device import prepared
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.exports import register
from mmrecun.exports.contents import BLOCK_ROWS, write_vector_blocks
from mmrecun.exports.formats import LISTS, WRITERS
from mmrecun.exports.lists import UserBlock, write_list_blocks
from mmrecun.exports.record import ExportRecord, ForgottenRequest, verdict_in, write_record
from mmrecun.exports.register import Kin
from mmrecun.jobs._export import DEFAULT_LENGTH
from mmrecun.manifest import now
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike
from mmrecun.text import unknown_name

_VECTORS = "vectors"


@prepared()
def export_mapped(
    run: PathLike, to: str, out: PathLike, length: int | None = None, progress: Progress = no_progress
) -> ExportRecord:
    """Do as `export` with a run in chunks, whose formats are "vectors" and "lists"; memory follows the number of items.

    Raises:
        ConfigError: for another format, or a length where there are no lists.
        ArtifactError: when `out` exists or lies in the run, or the run folder cannot be written.
    """
    out = Path(out)
    if to not in (LISTS, *WRITERS):
        raise ConfigError(unknown_name("format", to, [LISTS, *WRITERS]))
    if to not in (LISTS, _VECTORS):
        raise ConfigError(
            f"{run} is a run in chunks, which is exported to {_VECTORS} or {LISTS}; {to} can be made of these"
        )
    if length is not None and to != LISTS:
        raise ConfigError(f"an export to {to} has no lists; a length goes with --to lists")
    refuse_existing(out)
    refuse_within(Path(run), out)
    asked = mapped.read(Path(run))
    register.refuse_unrecordable(asked.folder)
    record = _record(asked, to)
    with claimed(out), staged_folder(out) as staging:
        if to == LISTS:
            k = DEFAULT_LENGTH if length is None else length
            write_list_blocks(_user_blocks(asked), record.users, staging, progress, k)
        else:
            for done, side in enumerate(mapped.SIDES, start=1):
                write_vector_blocks(_vector_blocks(asked, side), record.dim, staging / f"{side}.parquet")
                progress(done, 2, f"{side} written")
        write_record(record, staging)
        register.add_entry(asked.folder, record, out)  # before the export appears, so that none is unknown
    return record


def exports_mapped(run: PathLike, among: Iterable[PathLike] = ()) -> list[dict[str, Any]]:
    """List the exports of a run in chunks and of the runs it came from, with their states; see `exports`."""
    asked = mapped.read(Path(run))
    first, *others = with_unfolded([asked, *ancestors(asked)])
    line = [(first.folder, first.manifest.digest)]
    line += [(Path(os.path.relpath(each.folder)), each.manifest.digest) for each in others]
    found = register.list_of_line(line, map(Path, among), MANIFEST, _kin_of)
    return [entry.model_dump(mode="json") for entry in found]


def _kin_of(folder: Path) -> Kin | None:
    try:
        own = mapped.read(folder).manifest
    except ArtifactError:  # a part, or damaged
        return None
    parent, folded = (to.digest if to else None for to in (own.parent, own.folded))
    return Kin(own.digest, parent, folded)


def _record(run: MappedRun, kind: str) -> ExportRecord:
    own = run.manifest
    line = [run, *ancestors(run)]
    requests = [
        ForgottenRequest(method=each.method, counts=each.forgotten, made=each.created)
        for each in (older.manifest for older in reversed(line))
        if each.parent is not None
    ]
    return ExportRecord(
        kind=kind,
        run=own.digest,
        dataset=own.dataset,
        parent=own.parent.digest if own.parent else "",
        model=own.model,
        dataset_name=own.dataset_name,
        requests=tuple(requests),
        complete=line[-1].manifest.parent is None,
        verdict=verdict_in(run.folder, own.digest),
        users=len(run.retained("users")),
        items=len(run.retained("items")),
        dim=own.rows["users.vectors"].shape[1],
        versions=own.versions,
        made=now(),
    )


def _blocks(rows: Ints) -> Iterator[Ints]:
    return (rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS))


def _vector_blocks(run: MappedRun, side: str) -> Iterator[tuple[pl.Series, Tensor]]:
    for rows in _blocks(run.retained(side)):
        yield pl.Series(run.names(side, rows), dtype=pl.String), run.vectors(side, rows)


def _user_blocks(run: MappedRun) -> Iterator[UserBlock]:
    item_rows = run.retained("items")
    items, vectors = IdMap.of("item", run.names("items", item_rows)), run.vectors("items", item_rows)
    for rows in _blocks(run.retained("users")):
        pairs = Excerpt(run, rows, item_rows).interactions
        both = run.vectors("users", rows), vectors
        yield UserBlock(IdMap.of("user", run.names("users", rows)), items, both, pairs, np.arange(len(rows)))

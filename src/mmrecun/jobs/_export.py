"""Write a run in the format of another tool, and find exports that are stale."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmrecun.atomic import refuse_existing, refuse_within, staged_folder
from mmrecun.claims import claimed
from mmrecun.device import prepared
from mmrecun.errors import ConfigError
from mmrecun.exports import register
from mmrecun.exports.contents import contents_of
from mmrecun.exports.formats import LISTS, WRITERS
from mmrecun.exports.lists import write_lists
from mmrecun.exports.record import ExportRecord, write_record
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike, Run, load
from mmrecun.text import unknown_name

DEFAULT_LENGTH = 20


@prepared()
def export(
    run: Run | PathLike, to: str, out: PathLike, length: int | None = None, progress: Progress = no_progress
) -> ExportRecord:
    """Write `run` to the folder `out` in the format `to`, and record this in the run's folder.

    Args:
        run: a run or its folder.
        to: "lists" or a name of `exports.formats.WRITERS`.
        out: folder to make.
        length: length of each list, 20 by default; for "lists" alone.
        progress: called with the progress.

    Returns:
        The content of the export's `export.json`.

    Raises:
        ConfigError: for an unknown format, a length where there are no lists, or a library that is missing.
        ArtifactError: when `out` exists or lies in the run, or the run folder cannot be written.
    """
    out = Path(out)
    if to not in (LISTS, *WRITERS):
        raise ConfigError(unknown_name("format", to, [LISTS, *WRITERS]))
    if length is not None and to != LISTS:
        raise ConfigError(f"an export to {to} has no lists; a length goes with --to lists")
    refuse_existing(out)
    asked = load(run)
    refuse_within(asked.folder, out)
    register.refuse_unrecordable(asked.folder)
    contents = contents_of(asked, to)
    with claimed(out), staged_folder(out) as staging:
        if to == LISTS:
            write_lists(contents, staging, progress, DEFAULT_LENGTH if length is None else length)
        else:
            WRITERS[to](contents, staging, progress)
        write_record(contents.record, staging)
        register.add_entry(asked.folder, contents.record, out)  # before the export appears, so that none is unknown
    return contents.record


def exports(run: PathLike, among: Iterable[PathLike] = ()) -> list[dict[str, Any]]:
    """List the exports of `run` and of the runs it came from, with their states; see `register.list_exports`."""
    return [entry.model_dump(mode="json") for entry in register.list_exports(Path(run), map(Path, among))]

"""`mmrecun diff`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mmrecun.cli.mapped import in_chunks
from mmrecun.cli.options import OnParts, RunFolder
from mmrecun.cli.output import JsonFlag, facts_table, print_json, progress_bar, rows_table
from mmrecun.errors import ConfigError
from mmrecun.text import counted


def diff(
    run: RunFolder,
    other: Annotated[Path, typer.Argument(metavar="RUN2", help="Another run folder.", show_default=False)],
    names: Annotated[bool, typer.Option("--names", help="Name the users whose lists changed most, too.")] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            min=0,
            help="Users drawn, of runs in chunks; 0: all. By default 500, fewer where there are many items.",
            show_default=False,
        ),
    ] = None,
    on: OnParts = "here",
    as_json: JsonFlag = False,
) -> None:
    """Compare two runs: what was removed, whose lists changed, and by how much."""
    from mmrecun import jobs

    chunks = _both_in_chunks(run, other, on)
    if not chunks and sample is not None:
        raise ConfigError(f"{run} is not a run in chunks; --sample is about those alone")
    with progress_bar(f"comparing {run.name} and {other.name}") as progress:
        if chunks:
            found = jobs.diff_mapped(run, other, names, progress, sample, on)
        else:
            found = jobs.diff(run, other, names, progress)
    if as_json:
        print_json(found)
        return
    _show(found)


def _both_in_chunks(run: Path, other: Path, on: str) -> bool:
    """Say whether both runs are in chunks.

    Raises:
        ConfigError: when one is and the other is another run folder.
    """
    first, second = in_chunks(run, on), in_chunks(other, on)
    if first != second and run.exists() and other.exists():
        one, two = (run, other) if first else (other, run)
        raise ConfigError(f"{one} is a run in chunks and {two} is not; compare two of one kind")
    return first and second


def _show(found: Mapping[str, Any]) -> None:
    rows = [{"": kind, **counts} for kind, counts in found["rows"].items()]
    rows_table(rows, f"{found['run']} and {found['other']}")
    if any(found["modalities"].values()):
        facts_table({f"modalities {state}": ", ".join(listed) for state, listed in found["modalities"].items()})
    lists = found["lists"]
    groups = [
        {
            "users": name,
            "count": of["users"],
            "overlap": _share(of["overlap"]),
            "among retained items": _share(of["overlap_of_kept_items"]),
            "unchanged": _share(of["unchanged"]),
        }
        for name, of in lists.items()
        if name != "k" and of["users"]
    ]
    shares = ("overlap", "among retained items", "unchanged")
    of = f", of {counted(found['sample'], 'drawn user')} and of those who lost pairs" if "sample" in found else ""
    rows_table(groups, f"lists of {lists['k']} before and after{of}", shares)
    if found["vectors"] is None:
        facts_table({"vectors": "differ in size, so their movement was not measured"})
    else:
        moves = [
            {"": kind, **{name: _share(of) for name, of in spread.items()}} for kind, spread in found["vectors"].items()
        ]
        rows_table(moves, "how far vectors moved, of their length", ("median", "p90", "max"))
    if found["movers"]:
        rows_table(found["movers"], "retained items that are in many more or fewer lists")
    if found.get("most_changed_users"):
        rows_table(found["most_changed_users"], "users whose lists changed most")


def _share(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.1%}"

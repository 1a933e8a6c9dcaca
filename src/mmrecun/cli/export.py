"""`mmrecun export` and `mmrecun exports`."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmrecun.cli.mapped import in_chunks
from mmrecun.cli.options import Out, RunFolder
from mmrecun.cli.output import JsonFlag, facts_table, print_json, print_line, progress_bar, rows_table
from mmrecun.text import counted, taken_out

if TYPE_CHECKING:
    from mmrecun.exports.record import ExportRecord


def export(
    run: RunFolder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="vectors (Parquet), npy, safetensors, lists, faiss, onnx, mlflow or huggingface; of a run in chunks "
            "vectors or lists.",
            show_default=False,
        ),
    ],
    out: Out,
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="Items in each list, with --to lists; 20 if not given.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write RUN in the format of another tool, and note in the run's folder where it went."""
    from mmrecun import jobs

    with progress_bar(f"exporting {run.name}") as progress:
        record = (jobs.export_mapped if in_chunks(run) else jobs.export)(run, to, out, k, progress)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    if as_json:
        print_json({"export": str(out), "files": files, "record": record.model_dump(mode="json")})
        return
    facts = {
        "export": out,
        "files": ", ".join(files),
        "users": record.users,
        "items": record.items,
        "run": record.run[:16],
        "forgotten": _forgotten(record),
        "verdict": record.verdict,
    }
    facts_table(facts, f"exported {run} to {to}")


def _forgotten(record: "ExportRecord") -> str:
    """Return what the requests behind an export took out, in words."""
    if not record.requests:
        return "nothing: a trained run" if record.complete else "not known: the runs before are gone"
    counts = sum((Counter(request.counts) for request in record.requests), Counter[str]())
    asked = f" in {len(record.requests)} requests" if len(record.requests) > 1 else ""
    return f"{taken_out(counts)}{asked}{'' if record.complete else '; earlier runs are gone'}"


def exports(
    run: RunFolder,
    among: Annotated[
        list[Path],
        typer.Option("--among", metavar="DIR", help="A further folder to search for later runs; may be repeated."),
    ] = [],
    as_json: JsonFlag = False,
) -> None:
    """List the exports of RUN and of the runs it descends from, and which of them a later request has made stale."""
    from mmrecun import jobs

    entries = (jobs.exports_mapped if in_chunks(run) else jobs.exports)(run, among)
    stale = sum(entry["state"] == "stale" for entry in entries)
    if as_json:
        print_json({"run": str(run), "exports": entries, "stale": stale})
        return
    if not entries:
        print_line(f"nothing was exported from {run}")
        return
    columns = ("kind", "path", "run", "state")
    rows = [
        {
            **{name: entry[name] for name in columns},
            "because of": ", ".join(entry["because"]) or None,
            "made": entry["made"][:16].replace("T", " "),
        }
        for entry in entries
    ]
    rows_table(
        rows, f"{stale} of {counted(len(entries), 'export', 'is', 'are')} stale, of {run} and the runs before it"
    )

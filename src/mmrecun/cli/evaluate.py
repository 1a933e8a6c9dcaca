"""`mmrecun evaluate`."""

from typing import Annotated

import typer

from mmrecun.cli.mapped import in_chunks
from mmrecun.cli.options import OnParts, RunFolder
from mmrecun.cli.output import JsonFlag, metrics_table, print_json, progress_bar
from mmrecun.errors import ConfigError
from mmrecun.text import counted


def evaluate(
    run: RunFolder,
    split: Annotated[str, typer.Option("--split", help="valid or test.")] = "test",
    sample: Annotated[
        int,
        typer.Option("--sample", metavar="N", min=0, help="Users drawn, of a run in chunks; 0: all of them."),
    ] = 0,
    on: OnParts = "here",
    as_json: JsonFlag = False,
) -> None:
    """Rank all items for every user of RUN and measure the lists; training pairs are masked."""
    from mmrecun import jobs

    chunks = in_chunks(run, on)
    if not chunks and sample:
        raise ConfigError(f"{run} is not a run in chunks; --sample is about those alone")
    with progress_bar(f"evaluating {run.name}") as progress:
        if chunks:
            report = jobs.evaluate_mapped(run, split, sample, progress, on)
        else:
            report = jobs.evaluate(run, split, progress=progress)
    if as_json:
        facts = {"users": report.users, "cold_users": report.cold_users, "seconds": report.seconds}
        print_json({"run": str(run), "split": split, "metrics": report.metrics, **facts})
        return
    note = f", {report.cold_users:,} without any training pair left out" if report.cold_users else ""
    metrics_table(report.metrics, f"{run} on the {split} split: {counted(report.users, 'user')}{note}")

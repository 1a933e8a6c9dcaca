"""`mmrecun evaluate`."""

from typing import Annotated

import typer

from mmrecun.cli.mapped import is_mapped
from mmrecun.cli.options import RunFolder
from mmrecun.cli.output import JsonFlag, counted, metrics_table, print_json, progress_bar


def evaluate(
    run: RunFolder,
    split: Annotated[str, typer.Option("--split", help="valid or test.")] = "test",
    as_json: JsonFlag = False,
) -> None:
    """Rank all items for every user of RUN and measure the lists; training pairs are masked."""
    from mmrecun import jobs

    measure = jobs.evaluate_mapped if is_mapped(run) else jobs.evaluate
    with progress_bar(f"evaluating {run.name}") as progress:
        report = measure(run, split, progress=progress)
    if as_json:
        facts = {"users": report.users, "cold_users": report.cold_users, "seconds": report.seconds}
        print_json({"run": str(run), "split": split, "metrics": report.metrics, **facts})
        return
    note = f", {report.cold_users:,} without any training pair left out" if report.cold_users else ""
    metrics_table(report.metrics, f"{run} on the {split} split: {counted(report.users, 'user')}{note}")

"""`mmrecun audit`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.cli.options import RunFolder
from mmrecun.cli.output import JsonFlag, emit, say


def audit(
    run: RunFolder,
    gold: Annotated[list[Path], typer.Option("--gold", help="A Gold run of the same request; may be repeated.")] = [],  # noqa: B006
    as_json: JsonFlag = False,
) -> None:
    """Show evidence that RUN has forgotten; writes audit.json and report.html into it."""
    from mmrecun import jobs
    from mmrecun.report.terminal import show

    report = jobs.audit(run, gold)
    if as_json:
        emit({"run": str(run), "report": str(run / "report.html"), **report.contract()}, as_json)
        return
    show(report, Console())
    say(f"report: {run / 'report.html'}")

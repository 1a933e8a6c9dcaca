"""`mmrecun audit`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.cli.options import RunFolder
from mmrecun.cli.output import JsonFlag, duration, emit, errors, progress_bar, say


def audit(
    run: RunFolder,
    gold: Annotated[list[Path], typer.Option("--gold", help="A Gold run of the same request; may be repeated.")] = [],  # noqa: B006
    relearn: Annotated[
        bool,
        typer.Option("--relearn", help="Count the training steps that bring the forgotten back; 200 at most a run."),
    ] = False,
    shadows: Annotated[
        int,
        typer.Option(
            "--shadows",
            metavar="N",
            min=0,
            help="Attack with N shadow models, even and 4 or more: N trainings. 0: no attack.",
        ),
    ] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show evidence that RUN has forgotten; writes audit.json and report.html into it."""
    from mmrecun import jobs
    from mmrecun.report.terminal import show

    if shadows:
        seconds = duration(jobs.shadow_seconds(run, shadows))
        say(f"{shadows} shadow models are trained and unlearned; about {seconds}", errors)
    with progress_bar(f"auditing {run.name}") as progress:
        report = jobs.audit(run, gold, relearn, shadows, progress)
    if as_json:
        emit({"run": str(run), "report": str(run / "report.html"), **report.contract()}, as_json)
        return
    show(report, Console())
    say(f"report: {run / 'report.html'}")

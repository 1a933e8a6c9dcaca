"""`mmrecun demo`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.cli.output import JsonFlag, emit, errors, say
from mmrecun.text import duration


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; it must not exist yet.")] = Path("demo"),
    as_json: JsonFlag = False,
) -> None:
    """Run the whole pipeline on synthetic data: train, forget, retrain, audit, report."""
    from mmrecun.jobs import run_demo
    from mmrecun.report.terminal import show

    result, report = run_demo(out, lambda line: say(line, errors))
    if as_json:
        emit(result, as_json)
        return
    show(report, Console())
    say(f"report: {result['report']}  ({duration(result['seconds'])} in all)")

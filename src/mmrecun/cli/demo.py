"""`mmrecun demo`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.cli.output import JsonFlag, print_json, print_line, stderr
from mmrecun.text import duration


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; it must not exist yet.")] = Path("demo"),
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Begin with synthetic pictures, words and sounds, and encode them."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole pipeline on synthetic data: train, forget, retrain, audit, report."""
    from mmrecun.jobs import run_demo
    from mmrecun.report.terminal import show

    result, report = run_demo(out, lambda line: print_line(line, stderr), raw)
    if as_json:
        print_json(result)
        return
    show(report, Console())
    print_line(f"report: {result['report']}  ({duration(result['seconds'])} in all)")

"""`mmrecun demo`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.cli.output import JsonFlag, print_json, print_line, stderr
from mmrecun.text import duration


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; it must not exist yet.")] = Path("demo"),
    as_json: JsonFlag = False,
) -> None:
    """Made data, a trained MGCN, a licensor's catalogue forgotten, Gold beside it, audit and report."""
    from mmrecun.jobs import run_demo
    from mmrecun.report.terminal import show

    result, report = run_demo(out, lambda line: print_line(line, stderr))
    if as_json:
        print_json(result, as_json)
        return
    show(report, Console())
    print_line(f"report: {result['report']}  ({duration(result['seconds'])} in all)")

"""`mmrecun demo`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mmrecun.cli.output import JsonFlag, print_json, print_line, progress_bar, stderr
from mmrecun.text import duration

if TYPE_CHECKING:
    from mmrecun.progress import Progress


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; it must not exist yet.")] = Path("demo"),
    raw: Annotated[
        bool,
        typer.Option(
            "--raw", help="Begin with synthetic pictures, words and sounds, and encode them; needs the extra raw."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole pipeline on synthetic data: train, forget, retrain, audit, report."""
    from mmrecun.jobs import run_demo
    from mmrecun.report.terminal import show_briefly

    try:
        result, report = run_demo(out, _stage, raw)
    except KeyboardInterrupt:
        left = f"; remove {out} before you repeat the command" if out.exists() else ""
        raise KeyboardInterrupt(f"stopped{left}") from None
    if as_json:
        print_json(result)
        return
    show_briefly(report, Console())
    print_line(f"report: {result['report']}  ({duration(result['seconds'])} in all)")
    _, forgotten, *golds = result["runs"]
    print_line(f"every figure: mmrecun audit {forgotten}" + "".join(f" --gold {gold}" for gold in golds))


@contextmanager
def _stage(line: str) -> Iterator["Progress"]:
    print_line(line, stderr)
    with progress_bar(line.partition(" ")[0]) as progress:
        yield progress

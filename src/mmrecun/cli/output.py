"""What a command prints: one JSON object on standard output, or a table for people; progress on standard error."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]

errors = Console(stderr=True)


def emit(result: Mapping[str, Any], as_json: bool, title: str = "") -> None:
    """Print `result` as one JSON object, or as a two-column table with nested mappings indented."""
    if as_json:
        sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
        return
    table = Table(title=title or None, show_header=False, title_justify="left")
    for name, value in result.items():
        if isinstance(value, Mapping):
            for inner, entry in value.items():
                table.add_row(f"{name}.{inner}", shown(entry))
        else:
            table.add_row(name, shown(value))
    Console().print(table)


def shown(value: object) -> str:
    """A value as a person reads it: four digits for fractions, one line per entry of a list."""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list | tuple):
        return "\n".join(shown(entry) for entry in value)
    return str(value)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield `report(done, total, note)`, drawn as a bar on a terminal and nowhere else."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=errors, transient=True) as progress:
        task = progress.add_task(label, total=None, note="")
        yield lambda done, total, note: progress.update(task, completed=done, total=total, note=note)


def metrics_table(metrics: Mapping[str, float], title: str) -> None:
    """Print `name@k` figures as one row per metric and one column per list length."""
    lengths = sorted({int(name.partition("@")[2]) for name in metrics})
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    for length in lengths:
        table.add_column(f"@{length}", justify="right")
    for metric in dict.fromkeys(name.partition("@")[0] for name in metrics):
        table.add_row(metric, *(f"{metrics[f'{metric}@{length}']:.4f}" for length in lengths))
    Console().print(table)


def rows_table(rows: Sequence[Mapping[str, object]], title: str) -> None:
    """Print equal mappings as a table; columns that are empty throughout are left out."""
    table = Table(title=title, title_justify="left")
    columns = [name for name in (rows[0] if rows else {}) if any(row[name] is not None for row in rows)]
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*("" if row[name] is None else shown(row[name]) for name in columns))
    Console().print(table)


def bars(counts: Sequence[tuple[str, int]], title: str, width: int = 40) -> Table:
    """Labelled counts as horizontal bars."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    most = max((count for _, count in counts), default=0) or 1
    for label, count in counts:
        table.add_row(label, "\u2588" * round(width * count / most), f"{count:,}")
    return table

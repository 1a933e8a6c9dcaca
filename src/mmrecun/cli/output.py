"""Output of commands: a JSON object or a table on standard output, and progress on standard error."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from mmrecun.keys import MetricKey
from mmrecun.text import duration, escape_control

JsonFlag = Annotated[bool, typer.Option("--json", is_eager=True, help="Print one JSON object on standard output.")]

stderr = Console(stderr=True)
_FIRST_LINE, _NEXT_LINE = 5.0, 30.0


def print_json(result: Mapping[str, Any]) -> None:
    """Print `result` as one JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
    sys.stdout.flush()


def format_value(value: object) -> str:
    """Return a value as a person reads it.

    Four digits for fractions, commas in large counts, one line per entry of a list.
    """
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return "\n".join(format_value(entry) for entry in value)
    return escape_control(value)


def print_line(line: str, to: Console | None = None) -> None:
    """Print one line unchanged: neither wrapped nor read as markup."""
    (to or Console()).print(Text(escape_control(line)), soft_wrap=True)


def warn(line: str) -> None:
    """Print a warning on standard error."""
    print_line(f"warning: {line}", stderr)


def facts_table(facts: Mapping[str, object], title: str = "") -> None:
    """Print names and values in two columns; what is empty is left out."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if text := format_value(value):
            table.add_row(Text(f"  {escape_control(name)}", style="dim"), Text(text))
    _print(table, title)


def _print(table: Table, title: str) -> None:
    console = Console()
    if title:
        console.print(Text(escape_control(title), style="bold"), soft_wrap=not console.is_terminal)  # else at words
    console.print(table)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield `report(done, total, note)`: a bar on a terminal, elsewhere a plain line on standard error now and then."""
    if not stderr.is_terminal:
        yield _Lines(label, time.monotonic).report
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=8),
        TaskProgressColumn(table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        _Note("{task.fields[note]}", markup=False, table_column=Column()),
    )
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task(escape_control(label), total=None, note="")
        yield lambda done, total, note: progress.update(task, completed=done, total=total, note=note)


class _Note(TextColumn):
    """The one column that gives way where the terminal is narrow, without a second line."""

    def render(self, task: Task) -> Text:
        """Return the text of a task."""
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class _Lines:
    """Progress as lines: the first after five seconds, so that short work is quiet, then one every half minute.

    Args:
        label: what is being done.
        clock: seconds, ever rising.
    """

    def __init__(self, label: str, clock: Callable[[], float]) -> None:
        self.label, self.clock, self.started = label, clock, clock()
        self.due = self.started + _FIRST_LINE

    def report(self, done: int, total: int, note: str) -> None:
        """Print a line if one is due."""
        now = self.clock()
        if now < self.due:
            return
        self.due = now + _NEXT_LINE
        share = f" ({done / total:.0%})" if total else ""
        print_line(
            f"{self.label}: {done:,} of {total:,}{share}, {duration(now - self.started)}  {note}".rstrip(), stderr
        )


def metrics_table(metrics: Mapping[str, float], title: str) -> None:
    """Print `name@k` figures as one row per metric and one column per list length."""
    keys = [MetricKey(name) for name in metrics]
    lengths = sorted({key.cutoff for key in keys})
    rows = [
        {"metric": name.replace("_", " "), **{f"@{length}": metrics[MetricKey.at(name, length)] for length in lengths}}
        for name in dict.fromkeys(key.metric for key in keys)
    ]
    rows_table(rows, title)


def rows_table(rows: Sequence[Mapping[str, object]], title: str, figures: Sequence[str] = ()) -> None:
    """Print equal mappings as a table; columns that are empty throughout are left out.

    Columns of numbers, and those named in `figures`, are set to the right.
    """
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    columns = [name for name in (rows[0] if rows else {}) if any(row[name] is not None for row in rows)]
    for name in columns:
        right = name in figures or all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(Text(escape_control(name)), justify="right" if right else "left")
    for row in rows:
        table.add_row(*(Text("" if row[name] is None else format_value(row[name])) for name in columns))
    _print(table, title)


def bars(counts: Sequence[tuple[str, int]], title: str, width: int = 40) -> None:
    """Print labelled counts as horizontal bars."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(justify="right")
    most = max((count for _, count in counts), default=0) or 1
    block = _shown_or("\u2588", "#")
    for label, count in counts:
        table.add_row(
            Text(f"  {escape_control(label)}", style="dim"), block * round(width * count / most), f"{count:,}"
        )
    _print(table, title)


def _shown_or(sign: str, plain: str) -> str:
    """Return a sign if the terminal's encoding has it, or else a plain one."""
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return plain
    return sign

"""The audit in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmrecun.audit.verdict import AuditReport, State
from mmrecun.report import closer, tables

_COLOURS = {State.PASSED: "green", State.FAILED: "red", State.NOT_ASSESSED: "yellow"}


def show(report: AuditReport, console: Console) -> None:
    """Print summary, states, gaps, checks and verdict; nothing in the report is read as markup."""
    console.print(Text(tables.summary(report)))
    console.print(_states(report, "figure", tables.state_rows(report)))
    if report.gap:
        console.print(_gaps(report))
    if report.likeness:
        console.print(_likeness(report))
    if rows := closer.rows(report):
        console.print(_states(report, "closer look", rows))
        for line in closer.gaps(report):
            console.print(Text(f"not assessed: {line}"))
    console.print(_checks(report))
    colour = _COLOURS[report.verdict]
    console.print(Text.assemble("verdict: ", (report.verdict.value, f"bold {colour}"), f"  {tables.outcome(report)}"))
    console.print(
        Text(f"without Gold: {report.verdict_without_gold.value}; against Gold: {report.verdict_against_gold.value}")
    )


def _states(report: AuditReport, title: str, rows: Sequence[tables.StateRow]) -> Table:
    table = Table(title)
    for name, words in tables.state_columns(report):
        table.add_column(Text(f"{name}\n{words}"), justify="right")
    for row in rows:
        table.add_row(Text(row.label), *(Text(str(cell)) for cell in row.cells))
    return table


def _gaps(report: AuditReport) -> Table:
    table = Table("gap to Gold")
    for column in ("gap", "z", "allowed"):
        table.add_column(column, justify="right")
    table.add_column("reading")
    for row in tables.gap_rows(report):
        colour = "green" if row.fine else "red"
        cells = (row.difference, row.z, row.tolerance)
        table.add_row(Text(row.label), *(Text(cell) for cell in cells), Text(row.reading, style=colour))
    return table


def _likeness(report: AuditReport) -> Table:
    table = Table("likeness to Gold")
    for column in ("original", "unlearned", "Gold to Gold"):
        table.add_column(column, justify="right")
    for row in tables.likeness_rows(report):
        table.add_row(Text(row.label), row.original, row.unlearned, row.gold)
    return table


def _checks(report: AuditReport) -> Table:
    table = Table("check", "outcome", "evidence")
    for check in report.checks:
        table.add_row(Text(check.name), Text(check.state.value, style=_COLOURS[check.state]), Text(check.detail))
    return table

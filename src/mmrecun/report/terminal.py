"""The audit in a terminal."""

from rich.console import Console
from rich.table import Table

from mmrecun.audit.verdict import AuditReport, State
from mmrecun.report import tables

_COLOURS = {State.PASSED: "green", State.FAILED: "red", State.NOT_ASSESSED: "yellow"}


def show(report: AuditReport, console: Console) -> None:
    """Print states, checks and verdict."""
    states = Table(title=tables.summary(report), title_justify="left")
    for column in tables.STATE_COLUMNS:
        states.add_column(column, justify="left" if column == "state" else "right")
    for row in tables.state_rows(report):
        states.add_row(*row)
    checks = Table("check", "outcome", "evidence")
    for check in report.checks:
        checks.add_row(check.name, f"[{_COLOURS[check.state]}]{check.state.value}[/]", check.detail)
    console.print(states, checks)
    console.print(f"verdict: [bold {_COLOURS[report.verdict]}]{report.verdict.value}[/]")

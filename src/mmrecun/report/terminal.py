"""The audit in a terminal."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmrecun.auditing.compare import BEYOND
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.report import extra_tables, forgetting, outcome, tables, to_gold, wording

_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.NOT_ASSESSED: "yellow",
    Outcome.NOT_APPLICABLE: "bright_black",
}
_TONES = {"good": "green", "bad": "red", "soft": "bright_black"}


def show(report: AuditReport, console: Console) -> None:
    """Print summary, states, gaps, checks and verdict; text of the report is not read as markup."""
    console.print(Text(wording.summary(report)))
    console.print(Text(wording.occasion(report)))
    console.print(_states(report, "figure", tables.state_rows(report)))
    for group in (*forgetting.recognition(report), *forgetting.others(report)):
        console.print(_states(report, group.title, group.rows))
    if people := wording.persons(report):
        console.print(Text(people))
    if report.gap:
        console.print(_gaps(report))
    if report.likeness:
        console.print(_likeness(report))
    if rows := extra_tables.rows(report):
        console.print(_states(report, "closer look", rows))
        for line in extra_tables.gaps(report):
            console.print(Text(f"not assessed: {line}"))
    console.print(_checks(report))
    console.print(Text.assemble("verdict: ", (report.headline, f"bold {_COLOURS[report.verdict]}")))
    removal = report.verdict_on_removal
    console.print(Text.assemble("removal verdict: ", (removal.value, _COLOURS[removal])))
    for paragraph in outcome.paragraphs(report):
        _show_paragraph(paragraph, console)
    console.print(Text(BEYOND))
    console.print(
        Text(f"without Gold: {report.verdict_without_gold.value}; against Gold: {report.verdict_against_gold.value}")
    )


def show_briefly(report: AuditReport, console: Console) -> None:
    """Print what was done, the main figures, the verdict, and whatever failed or could not be measured."""
    console.print(Text(wording.summary(report)))
    known = [row for group in forgetting.recognition(report) for row in group.rows[:2]]
    marks = forgetting.marks(report)
    console.print(_states(report, "figure", [*tables.state_rows(report)[:1], *known, *(marks.rows if marks else ())]))
    if known:
        console.print(Text("AUC 0.5: forgotten pairs rank like pairs never trained on, touched rows look like others"))
    counts = Counter(check.state for check in report.checks)
    of_each = ", ".join(f"{counts[state]} {state.value}" for state in Outcome if counts[state])
    console.print(
        Text.assemble("verdict: ", (report.headline, f"bold {_COLOURS[report.verdict]}"), f" (checks: {of_each})")
    )
    for paragraph in outcome.paragraphs(report):
        if paragraph.state in (Outcome.FAILED, Outcome.NOT_ASSESSED):
            _show_paragraph(paragraph, console)


def _show_paragraph(paragraph: outcome.Paragraph, console: Console) -> None:
    console.print(Text(f"{paragraph.lead}:", style=_COLOURS[paragraph.state]))
    console.print(_listed(paragraph.clauses))


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
    for row in to_gold.gap_rows(report):
        cells = (row.difference, row.z, row.tolerance)
        table.add_row(Text(row.label), *(Text(cell) for cell in cells), Text(row.reading, style=_TONES[row.tone]))
    return table


def _likeness(report: AuditReport) -> Table:
    table = Table("likeness to Gold")
    for column in ("original", "unlearned", "Gold to Gold"):
        table.add_column(column, justify="right")
    for row in to_gold.likeness_rows(report):
        table.add_row(Text(row.label), row.original, row.unlearned, row.gold)
    return table


def _checks(report: AuditReport) -> Table:
    table = Table("check", "outcome", "evidence")
    for check in report.checks:
        table.add_row(Text(check.name), Text(check.state.value, style=_COLOURS[check.state]), Text(check.detail))
    return table


def _listed(lines: Sequence[str]) -> Table:
    grid = Table.grid(padding=(0, 1))
    for line in lines:
        grid.add_row(" -", Text(line))
    return grid

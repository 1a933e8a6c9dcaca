"""The bench in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mmrecun.bench.agreement import agreement, golds_passing
from mmrecun.bench.results import Row
from mmrecun.bench.summary import summarise
from mmrecun.bench.table import body, terminal


def show(rows: Sequence[Row], page: str, console: Console) -> None:
    """Print the table of every group, the agreement of the verdicts, and where the page is."""
    for group in map(body, summarise(rows)):
        console.print(Text(group.title, style="bold"))
        console.print(terminal(group, console.width))
        for note in group.notes:
            console.print(Text(note))
        console.print()
    console.print(Text(trust(rows)))
    console.print(Text(f"page: {page}"), soft_wrap=True)


def trust(rows: Sequence[Row]) -> str:
    """Return one line on how often the verdict without Gold agrees with that against it."""
    found = agreement(rows)
    passed, judged = golds_passing(rows)
    if not found.rows:
        return "No row has both verdicts."
    text = f"The verdict without Gold agrees with that against it in {found.agreeing} of {found.rows} rows"
    text += f" ({found.false_passes} false passes, {found.false_alarms} false alarms)"
    return text + (f"; {passed} of {judged} Golds pass alone." if judged else ".")

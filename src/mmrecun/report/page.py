"""The audit as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmrecun.audit.verdict import AuditReport, State
from mmrecun.report import closer, figures, tables

_MARKS = {State.PASSED: "✓", State.FAILED: "✕", State.NOT_ASSESSED: "–"}

_RANKS = {
    True: "Forgetting worked when the filled shape lies where it lies in Gold. All of it at the very bottom would be "
    "over-forgetting.",
    False: "Right of the line: still remembered. Removed users and items rank further left in Gold, too; all of it at "
    "the very bottom would be over-forgetting.",
}


class Picture(NamedTuple):
    """A figure with its title and how to read it."""

    title: str
    reading: str
    svg: Markup


def render(report: AuditReport, facts: Mapping[str, str], history: Sequence[Mapping[str, float]] = ()) -> str:
    """HTML text; every value is escaped, and equal input gives equal text.

    Args:
        report: the audit.
        facts: digests, seeds, settings and versions, in order.
        history: the loss of each pass, as rows with `epoch` and `loss`.
    """
    environment = Environment(
        loader=PackageLoader("mmrecun.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    points = tables.losses(history)
    return environment.get_template("page.html.j2").render(
        report=report,
        marks=_MARKS,
        summary=tables.summary(report),
        outcome=tables.outcome(report),
        counts=tables.counts(report),
        columns=tables.state_columns(report),
        state_rows=tables.state_rows(report),
        gap_rows=tables.gap_rows(report),
        likeness_rows=tables.likeness_rows(report),
        closer_rows=closer.rows(report),
        closer_gaps=closer.gaps(report),
        open_questions=tables.open_questions(report),
        pictures=_pictures(report),
        golds=sum(state.name == "gold" for state in report.states),
        facts=facts,
        losses=points,
        # matplotlib escapes the text it draws
        loss_svg=Markup(figures.loss(points)),
    )


def _pictures(report: AuditReport) -> list[Picture]:
    zone = " The shaded zone counts as Gold's level; the circle should lie in it." if report.gap else ""
    golds = any(state.name == "gold" for state in report.states)
    drawn = (
        (
            "Quality kept, against what is still known",
            f"Up: better lists for everybody else. Right: more of the forgotten is still found.{zone}",
            figures.trade_off(report),
        ),
        (
            "Where forgotten pairs rank",
            _RANKS[golds],
            figures.percentiles(report),
        ),
        ("Time", "From the start until a model can serve.", figures.times(report)),
    )
    return [Picture(title, reading, Markup(svg)) for title, reading, svg in drawn if svg]

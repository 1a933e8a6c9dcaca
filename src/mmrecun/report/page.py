"""The audit as one self-contained HTML page, without scripts or anything loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from mmrecun.auditing.compare import BEYOND
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.report import extra_tables, figures, forgetting, outcome, tables, to_gold, wording
from mmrecun.report.template import page_template

_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✕", Outcome.NOT_ASSESSED: "?", Outcome.NOT_APPLICABLE: "–"}

_RANKS = {
    True: "A filled shape elsewhere than Gold's is a warning. One like Gold's proves nothing: removed users and items "
    "are shown by untrained rows, and the verdict does not rest on it.",
    False: "Right of the line: still remembered. Removed users and items are shown by untrained rows, further left in "
    "Gold, too; the verdict does not rest on this picture.",
}


class Picture(NamedTuple):
    """A figure with its title and how to read it."""

    title: str
    reading: str
    svg: Markup


def render(report: AuditReport, facts: Mapping[str, str], history: Sequence[Mapping[str, float]] = ()) -> str:
    """Return the page as HTML; every value is escaped, and equal input gives equal text.

    Args:
        report: the audit.
        facts: digests, seeds, settings and versions, in order.
        history: the loss of each pass, as rows with `epoch` and `loss`.
    """
    points = tables.losses(history)
    return page_template("mmrecun.report").render(
        report=report,
        marks=_MARKS,
        occasion=wording.occasion(report),
        summary=wording.summary(report),
        outcome=outcome.paragraphs(report),
        beyond=BEYOND,
        counts=wording.counts(report),
        columns=tables.state_columns(report),
        state_rows=tables.state_rows(report),
        known=forgetting.recognition(report),
        others=forgetting.others(report),
        persons=wording.persons(report),
        gap_rows=to_gold.gap_rows(report),
        likeness_rows=to_gold.likeness_rows(report),
        extra_rows=extra_tables.rows(report),
        extra_gaps=extra_tables.gaps(report),
        open_questions=wording.open_questions(report),
        pictures=_pictures(report),
        golds=wording.gold_count(report),
        facts=wording.facts(report) | dict(facts),
        losses=points,
        # matplotlib escapes the text it draws
        loss_svg=Markup(figures.loss(points)),
    )


def _pictures(report: AuditReport) -> list[Picture]:
    zone = (
        " The shaded zone counts as equal to Gold; a circle outside is a warning, one inside no proof."
        if report.gap
        else ""
    )
    drawn = (
        (
            "Is it still recognised?",
            "Left: forgotten against held-out pairs; at the dashed line the two look alike. Bars reach three standard "
            "errors. Right: how many forgotten pairs still look known, with the 95% band; right is near 0%.",
            figures.forest(report),
        ),
        (
            "Where forgotten pairs rank",
            _RANKS[bool(report.golds)],
            figures.percentiles(report),
        ),
        (
            "Quality kept, against what is still known",
            f"Up: better lists for everybody else. Right: more of the forgotten is still found.{zone}",
            figures.trade_off(report),
        ),
        (
            "Who fares better or worse than in Gold",
            "Left of the line: people whose lists find less than Gold's would. Most should stand at the line.",
            figures.person_gaps(report),
        ),
        ("Time", "From the start until a model can serve.", figures.times(report)),
    )
    return [Picture(title, reading, Markup(svg)) for title, reading, svg in drawn if svg]

"""The bench as one self-contained HTML page, without scripts or anything loaded from elsewhere."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mmrecun.bench import agreement
from mmrecun.bench.results import Row, Status
from mmrecun.bench.spec import BenchSpec
from mmrecun.bench.summary import Summary
from mmrecun.bench.table import HEADINGS, body
from mmrecun.report.template import page_template


def render(
    spec: BenchSpec,
    rows: Sequence[Row],
    groups: Sequence[tuple[Summary, str]],
    times: str,
    facts: Mapping[str, str],
) -> str:
    """Return the page as HTML; every value is escaped, and equal input gives equal text.

    Args:
        spec: spec of the bench.
        rows: all rows.
        groups: each summary with its plot as SVG; empty where there are no figures.
        times: the plot of times, as SVG.
        facts: machine and versions.
    """
    passed, judged = agreement.golds_passing(rows)
    return page_template("mmrecun.bench").render(
        spec=spec,
        counts={status.value: sum(row.status is status for row in rows) for status in Status},
        # matplotlib escapes the text it draws
        groups=[(body(summary), Markup(plot)) for summary, plot in groups],
        headings=HEADINGS,
        agreement={name: entry for name, entry in agreement.by_target(rows).items() if entry.rows},
        golds_passed=passed,
        golds_judged=judged,
        times=Markup(times),
        facts=facts,
    )

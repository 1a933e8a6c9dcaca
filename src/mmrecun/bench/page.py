"""The bench as one self-contained HTML page, without scripts or anything loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmrecun.bench import agreement
from mmrecun.bench.results import Row, Status
from mmrecun.bench.spec import BenchSpec
from mmrecun.bench.summary import Summary
from mmrecun.bench.table import HEADINGS, body


class Picture(NamedTuple):
    """The plot of a group, as SVG; empty where there are no figures."""

    svg: str


def render(
    spec: BenchSpec,
    rows: Sequence[Row],
    groups: Sequence[tuple[Summary, Picture]],
    times: str,
    facts: Mapping[str, str],
) -> str:
    """Return the page as HTML; every value is escaped, and equal input gives equal text.

    Args:
        spec: what was asked for.
        rows: all rows.
        groups: each summary with its plot.
        times: the plot of times, as SVG.
        facts: machine and versions.
    """
    environment = Environment(
        loader=PackageLoader("mmrecun.bench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    passed, judged = agreement.golds_passing(rows)
    return environment.get_template("page.html.j2").render(
        spec=spec,
        counts={status.value: sum(row.status is status for row in rows) for status in Status},
        # matplotlib escapes the text it draws
        groups=[(body(summary), Markup(picture.svg)) for summary, picture in groups],
        headings=HEADINGS,
        agreement={name: entry for name, entry in agreement.by_target(rows).items() if entry.rows},
        golds_passed=passed,
        golds_judged=judged,
        times=Markup(times),
        facts=facts,
    )

"""The audit as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from mmrecun.audit.verdict import AuditReport
from mmrecun.report import figures, tables


def render(report: AuditReport, facts: Mapping[str, str], history: Sequence[Mapping[str, float]] = ()) -> str:
    """HTML text; every value is escaped.

    Args:
        report: the audit.
        facts: digests, seeds, settings and versions, in order.
        history: the loss of each pass.
    """
    environment = Environment(
        loader=PackageLoader("mmrecun.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    drawn = {
        "Utility against forgetting": figures.trade_off(report),
        "Where forgotten pairs rank": figures.percentiles(report),
        "Time": figures.times(report),
    }
    return environment.get_template("page.html.j2").render(
        report=report,
        facts=facts,
        summary=tables.summary(report),
        state_columns=tables.STATE_COLUMNS,
        state_rows=tables.state_rows(report),
        gap_rows=tables.gap_rows(report),
        figures={title: svg for title, svg in drawn.items() if svg},
        losses=[row for row in history if "loss" in row],
    )

"""An audit as rows of text, for the page and the terminal alike."""

from collections.abc import Sequence
from statistics import mean, stdev

from mmrecun.audit.verdict import AuditReport, Figures

STATE_COLUMNS = (
    "state",
    "retained recall@20",
    "retained NDCG@20",
    "forget recall@20",
    "AUC held-out",
    "AUC random",
    "time",
)
GAP_NAMES = {"retain_recall@20": "retained recall@20", "forget_recall@20": "forget recall@20", "auc": "AUC held-out"}


def state_rows(report: AuditReport) -> list[list[str]]:
    """One row per state; several Golds are one row of mean and standard deviation."""
    golds = [state for state in report.states if state.name == "gold"]
    rows = [[state.name, *_cells([state])] for state in report.states if state.name != "gold"]
    if golds:
        rows.append([f"gold ({len(golds)} seed{'s' if len(golds) > 1 else ''})", *_cells(golds)])
    return rows


def _cells(states: Sequence[Figures]) -> list[str]:
    columns = [
        [state.retain.get("recall@20") for state in states],
        [state.retain.get("ndcg@20") for state in states],
        [state.forget.get("recall@20") for state in states],
        [state.auc for state in states],
        [state.auc_random for state in states],
    ]
    return [_cell(values) for values in columns] + [f"{mean(state.seconds for state in states):.1f} s"]


def _cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not assessed"
    spread = f" ± {stdev(known):.4f}" if len(known) > 1 else ""
    return f"{mean(known):.4f}{spread}"


def gap_rows(report: AuditReport) -> list[list[str]]:
    """Figure, value, Gold, signed gap, z-score, tolerance."""
    rows = []
    for name, gap in report.gap.items():
        z = "no spread" if gap.z is None else f"{gap.z:+.1f}"
        figures = [f"{gap.value:.4f}", f"{gap.gold_mean:.4f}", f"{gap.difference:+.4f}", z, f"± {gap.tolerance:.4f}"]
        rows.append([GAP_NAMES.get(name, name), *figures])
    return rows


def summary(report: AuditReport) -> str:
    """One sentence for somebody who reads nothing else."""
    parts = [
        f"{count:,} {name if count != 1 or name == 'interactions' else name[:-1]}"
        for name, count in report.forgotten.items()
        if count
    ]
    taken = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts).replace(
        "modalities", "item features"
    )
    seconds = report.state("unlearned").seconds
    golds = [state.seconds for state in report.states if state.name == "gold"]
    faster = f", {mean(golds) / seconds:.1f} times as fast as retraining" if golds and seconds else ""
    return f"{taken} were taken out of a trained {report.model} by '{report.method}' in {seconds:.1f} s{faster}."

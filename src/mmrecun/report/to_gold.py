"""An audit against Gold as rows of text: signed gaps, and the similarity of lists."""

from typing import NamedTuple

from mmrecun.auditing.checks import CHANCE, recognition_title
from mmrecun.auditing.figures import Gap
from mmrecun.auditing.result import AuditReport
from mmrecun.report.tables import Cell, cell

GAP_NAMES = {
    "retain_recall@20": "retained recall@20",
    "forget_recall@20": "forget recall@20",
    "auc": "AUC held-out",
    "auc_matched": "AUC matched",
    "fold_in": "fold-in from half of the pairs",
    "fold_in users": "fold-in: users",
    "fold_in items": "fold-in: items",
    "marks users": "marks: rows of touched users",
    "marks items": "marks: rows of touched items",
    "marks lists": "marks: places gained in lists",
    "bystanders' places": "bystanders: places held by touched items",
}
_FOR_CONTEXT = ("auc", "auc_matched", "fold_in")
_LIKENESS = {
    "overlap@20": ("same items in the first twenty", "Share of each list of twenty that Gold's list has too."),
    "rbo": ("same order", "Rank-biased overlap: the top of the list counts most. 1: equal lists."),
    "js_distance": ("distance of scores", "Jensen-Shannon distance of what is preferred by how much. 0: equal."),
}
_WHO = {"": "", "_affected": ", touched users", "_unaffected": ", other users"}


class GapRow(NamedTuple):
    """One gap to Gold; `tone` is good, bad, or soft where no check rests on it.

    `place` is the gap in tolerances, cut at -3 and 3.
    """

    label: str
    value: str
    gold: Cell
    difference: str
    z: str
    tolerance: str
    reading: str
    tone: str
    place: float


class LikenessRow(NamedTuple):
    """One measure of similarity to Gold: before, after, and between Golds."""

    label: str
    meaning: str
    original: str
    unlearned: str
    gold: str


def gap_name(name: str) -> str:
    """Return what a gap is called in a report.

    >>> gap_name("recognition users"), gap_name("auc")
    ('residual co-occurrence: users', 'AUC held-out')
    """
    kind = name.removeprefix("recognition ")
    return recognition_title(kind) if kind != name else GAP_NAMES.get(name, name)


def gap_rows(report: AuditReport) -> list[GapRow]:
    """Return each figure that could be compared with Gold; those that decide a check come first."""
    return [_gap_row(name, gap) for name, gap in sorted(report.gap.items(), key=lambda each: each[0] in _FOR_CONTEXT)]


def _gap_row(name: str, gap: Gap) -> GapRow:
    tolerances = gap.difference / gap.tolerance if gap.tolerance else 0.0
    reading, fine = _reading(name, gap)
    if name in _FOR_CONTEXT:
        reading, tone = f"{reading.partition(':')[0]} (not judged)", "soft"
    else:
        tone = "good" if fine else "bad"
    return GapRow(
        label=gap_name(name),
        value=f"{gap.value:.4f}",
        gold=Cell(f"{gap.gold_mean:.4f}", "" if gap.gold_std is None else f"± {gap.gold_std:.4f}"),
        difference=f"{gap.difference:+.4f}",
        z="no spread" if gap.z is None else f"{gap.z:+.1f}",
        tolerance=f"± {gap.tolerance:.4f}",
        reading=reading,
        tone=tone,
        place=max(-3.0, min(3.0, tolerances)),
    )


def _reading(name: str, gap: Gap) -> tuple[str, bool]:
    """Interpret a gap, and say whether it is harmless."""
    above = gap.difference > 0
    if abs(gap.difference) <= gap.tolerance:
        return "at Gold's level", True
    if name.startswith("retain"):
        return ("above Gold: no harm", True) if above else ("below Gold: quality was lost", False)
    if name.startswith("marks"):
        found = above
        if name == "marks lists":
            found = abs(gap.value - CHANCE) > abs(gap.gold_mean - CHANCE) + gap.tolerance
        return ("stands out more than in Gold", False) if found else ("stands out no more than in Gold", True)
    if name.startswith("bystanders"):
        return f"{'more' if above else 'fewer'} places than in Gold", False
    return ("above Gold: under-forgotten" if above else "below Gold: over-forgotten"), False


def likeness_rows(report: AuditReport) -> list[LikenessRow]:
    """Return the similarity of lists and scores to Gold's; empty without Gold."""
    rows = []
    for name, entry in report.likeness.items():
        stem, _, who = name.partition("_") if not name.startswith("js") else (name, "", "")
        label, meaning = _LIKENESS.get(stem, (stem, ""))
        cells = (cell([value]).value for value in (entry.original, entry.unlearned, entry.gold))
        rows.append(LikenessRow(label + _WHO.get(f"_{who}" if who else "", ""), meaning, *cells))
    return rows

"""An audit against Gold as rows of text: signed gaps, and the similarity of lists."""

from typing import NamedTuple

from mmrecun.auditing.checks import mark_exceeds_gold
from mmrecun.auditing.figures import Gap
from mmrecun.auditing.keys import Figure, GapKey, Kind, MarkKind, Similarity, Users, recognition_name
from mmrecun.auditing.result import AuditReport
from mmrecun.report.tables import Cell, cell

GAP_NAMES = {
    GapKey.named(Figure.RETAIN): "retained recall@20",
    GapKey.named(Figure.FORGET): "forget recall@20",
    GapKey.named(Figure.AUC): "AUC held-out",
    GapKey.named(Figure.AUC_MATCHED): "AUC matched",
    GapKey.named(Figure.FOLD_IN): "fold-in from half of the pairs",
    GapKey.named(Figure.FOLD_IN, "users"): "fold-in: users",
    GapKey.named(Figure.FOLD_IN, "items"): "fold-in: items",
    GapKey.named(Figure.MARKS, MarkKind.USERS): "marks: rows of touched users",
    GapKey.named(Figure.MARKS, MarkKind.ITEMS): "marks: rows of touched items",
    GapKey.named(Figure.MARKS, MarkKind.LISTS): "marks: places gained in lists",
    GapKey.named(Figure.PLACES): "bystanders: places held by touched items",
}
_FOR_CONTEXT = tuple(GapKey.named(figure) for figure in (Figure.AUC, Figure.AUC_MATCHED, Figure.FOLD_IN))
_LIKENESS = {
    Similarity.OVERLAP: ("same items in the first twenty", "Share of each list of twenty that Gold's list has too."),
    Similarity.RANK_BIASED: ("same order", "Rank-biased overlap: the top of the list counts most. 1: equal lists."),
    Similarity.DISTANCE: ("distance of scores", "Jensen-Shannon distance of what is preferred by how much. 0: equal."),
}
_WHO = {Users.ALL: "", Users.AFFECTED: ", touched users", Users.UNAFFECTED: ", other users"}


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


def gap_name(key: GapKey) -> str:
    """Return what a gap is called in a report.

    >>> gap_name(GapKey("recognition users")), gap_name(GapKey("auc"))
    ('residual co-occurrence: users', 'AUC held-out')
    """
    if key.figure is Figure.RECOGNITION:
        return str(recognition_name(Kind(key.of)))
    return GAP_NAMES.get(key, key)


def gap_rows(report: AuditReport) -> list[GapRow]:
    """Return each figure that could be compared with Gold; those that decide a check come first."""
    return [_gap_row(key, gap) for key, gap in sorted(report.gap.items(), key=lambda each: each[0] in _FOR_CONTEXT)]


def _gap_row(key: GapKey, gap: Gap) -> GapRow:
    tolerances = gap.difference / gap.tolerance if gap.tolerance else 0.0
    reading, fine = _reading(key, gap)
    if key in _FOR_CONTEXT:
        reading, tone = f"{reading.partition(':')[0]} (not judged)", "soft"
    else:
        tone = "good" if fine else "bad"
    return GapRow(
        label=gap_name(key),
        value=f"{gap.value:.4f}",
        gold=Cell(f"{gap.gold_mean:.4f}", "" if gap.gold_std is None else f"± {gap.gold_std:.4f}"),
        difference=f"{gap.difference:+.4f}",
        z="no spread" if gap.z is None else f"{gap.z:+.1f}",
        tolerance=f"± {gap.tolerance:.4f}",
        reading=reading,
        tone=tone,
        place=max(-3.0, min(3.0, tolerances)),
    )


def _reading(key: GapKey, gap: Gap) -> tuple[str, bool]:
    """Interpret a gap, and say whether it is harmless."""
    above = gap.difference > 0
    if abs(gap.difference) <= gap.tolerance:
        return "within tolerance of Gold", True
    if key.figure is Figure.RETAIN:
        return ("above Gold: no harm", True) if above else ("below Gold: quality was lost", False)
    if key.figure is Figure.MARKS:
        found = mark_exceeds_gold(MarkKind(key.of), gap)
        return ("stands out more than in Gold", False) if found else ("stands out no more than in Gold", True)
    if key.figure is Figure.PLACES:
        return f"{'more' if above else 'fewer'} places than in Gold", False
    return ("above Gold: under-forgotten" if above else "below Gold: over-forgotten"), False


def likeness_rows(report: AuditReport) -> list[LikenessRow]:
    """Return the similarity of lists and scores to Gold's; empty without Gold."""
    rows = []
    for key, entry in report.likeness.items():
        label, meaning = _LIKENESS[key.measure] if key.measure else (key, "")
        cells = (cell([value]).value for value in (entry.original, entry.unlearned, entry.gold))
        rows.append(LikenessRow(label + _WHO[key.users], meaning, *cells))
    return rows

"""An audit as rows of text, for the page and the terminal alike."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from mmrecun.audit.verdict import AuditReport, Figures, Gap, State

NOT_ASSESSED = State.NOT_ASSESSED.value
ORDER = ("original", "unlearned", "gold")
_TARGETS = {
    "users": ("user", "users"),
    "items": ("item", "items"),
    "interactions": ("interaction", "interactions"),
    "modalities": ("item feature", "item features"),
}


class Cell(NamedTuple):
    """A mean, and its deviation over several runs where there is one."""

    value: str
    spread: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.spread}".rstrip()


class StateRow(NamedTuple):
    """One figure of merit: its name, what it means, and a cell per column of `state_columns`."""

    label: str
    meaning: str
    cells: tuple[Cell, ...]


class GapRow(NamedTuple):
    """One gap to Gold; `fine` where it does no harm, `place` is the gap in tolerances, cut at -3 and 3."""

    label: str
    value: str
    gold: Cell
    difference: str
    z: str
    tolerance: str
    reading: str
    fine: bool
    place: float


class LikenessRow(NamedTuple):
    """One measure of how like Gold the answers are, before, after, and between Golds."""

    label: str
    meaning: str
    original: str
    unlearned: str
    gold: str


class _Measure(NamedTuple):
    label: str
    meaning: str
    of: Callable[[Figures], float | None]
    always: bool = True


_MEASURES = (
    _Measure(
        "retained recall@20",
        "Of what people really chose among the kept items, the share that a list of twenty finds. Higher is better.",
        lambda state: state.retain.get("recall@20"),
    ),
    _Measure(
        "retained NDCG@20",
        "The same, but hits near the top of the list count more. Higher is better.",
        lambda state: state.retain.get("ndcg@20"),
    ),
    _Measure(
        "retained recall@20, touched users",
        "The same for people the request touched but who are still there. They should not pay for it.",
        lambda state: state.affected.get("recall@20"),
        always=False,
    ),
    _Measure(
        "retained recall@20, other users",
        "The same for everybody else.",
        lambda state: state.unaffected.get("recall@20"),
        always=False,
    ),
    _Measure(
        "forget recall@20",
        "The share of what was taken out that a list of twenty still finds. Right is Gold's level, not zero.",
        lambda state: state.forget.get("recall@20"),
    ),
    _Measure(
        "AUC held-out",
        "How often a forgotten pair ranks above a true pair the model never saw. 0.5: the two look alike.",
        lambda state: state.auc,
    ),
    _Measure(
        "AUC matched",
        "The same, only among pairs of equally popular items and equally active users. 0.5: the two look alike.",
        lambda state: state.auc_matched,
    ),
    _Measure(
        "AUC random",
        "How often a forgotten pair ranks above a random unseen one. Taste alone may lift it above 0.5, in Gold too.",
        lambda state: state.auc_random,
    ),
    _Measure(
        "users shown a removed item",
        "Share of people with a removed item among their twenty, if it came back as new. What is served holds none.",
        lambda state: state.exposure.get("top20"),
        always=False,
    ),
    _Measure(
        "place of removed items",
        "Mean place of a removed item in everybody's ranking: 0 bottom, 1 top.",
        lambda state: state.exposure.get("percentile"),
        always=False,
    ),
)
GAP_NAMES = {
    "retain_recall@20": "retained recall@20",
    "forget_recall@20": "forget recall@20",
    "auc": "AUC held-out",
    "auc_matched": "AUC matched",
}
_LIKENESS = {
    "overlap@20": ("same items in the first twenty", "Share of each list of twenty that Gold's list has too."),
    "rbo": ("same order", "Rank-biased overlap: the top of the list counts most. 1: equal lists."),
    "js_distance": ("distance of scores", "Jensen-Shannon distance of what is preferred by how much. 0: equal."),
}
_WHO = {"": "", "_affected": ", touched users", "_unaffected": ", other users"}


def by_name(report: AuditReport) -> dict[str, list[Figures]]:
    """States under their names: original, unlearned, gold."""
    grouped = {name: [state for state in report.states if state.name == name] for name in ORDER}
    return {name: states for name, states in grouped.items() if states}


def state_columns(report: AuditReport) -> list[tuple[str, str]]:
    """Name of each state and a word on it."""
    golds = sum(state.name == "gold" for state in report.states)
    words = {
        "original": "before",
        "unlearned": "after",
        "gold": "retrained once" if golds == 1 else f"retrained, {golds} seeds",
    }
    return [(name, words[name]) for name in by_name(report)]


def state_rows(report: AuditReport) -> list[StateRow]:
    """One row per figure of merit; several Golds are one cell of mean and standard deviation."""
    groups = list(by_name(report).values())
    rows = [
        StateRow(
            measure.label,
            measure.meaning,
            tuple(cell([measure.of(state) for state in states]) for states in groups),
        )
        for measure in _MEASURES
        if measure.always or any(measure.of(state) is not None for state in report.states)
    ]
    taken = tuple(_time_cell([state.seconds for state in states]) for states in groups)
    meaning = "From the data to a trained model; for the unlearned one from the request to a model that can serve."
    return [*rows, StateRow("time", meaning, taken)]


def likeness_rows(report: AuditReport) -> list[LikenessRow]:
    """How like Gold the lists and scores are; empty without Gold."""
    rows = []
    for name, entry in report.likeness.items():
        stem, _, who = name.partition("_") if not name.startswith("js") else (name, "", "")
        label, meaning = _LIKENESS.get(stem, (stem, ""))
        cells = (cell([value]).value for value in (entry.original, entry.unlearned, entry.gold))
        rows.append(LikenessRow(label + _WHO.get(f"_{who}" if who else "", ""), meaning, *cells))
    return rows


def cell(values: Sequence[float | None], digits: int = 4) -> Cell:
    """Mean and standard deviation of the figures that there are."""
    known = [value for value in values if value is not None]
    if not known:
        return Cell(NOT_ASSESSED)
    return Cell(f"{mean(known):.{digits}f}", f"± {stdev(known):.{digits}f}" if len(known) > 1 else "")


def _time_cell(seconds: Sequence[float]) -> Cell:
    return Cell(duration(mean(seconds)), f"± {duration(stdev(seconds))}" if len(seconds) > 1 else "")


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best.

    >>> duration(8.14), duration(312), duration(9000)
    ('8.1 s', '5 min 12 s', '2 h 30 min')
    """
    if seconds < 299.95:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    if round(seconds) < 7200:
        return f"{round(seconds) // 60} min {round(seconds) % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def gap_rows(report: AuditReport) -> list[GapRow]:
    """Each figure that could be compared with Gold."""
    return [_gap_row(name, gap) for name, gap in report.gap.items()]


def _gap_row(name: str, gap: Gap) -> GapRow:
    tolerances = gap.difference / gap.tolerance if gap.tolerance else 0.0
    return GapRow(
        label=GAP_NAMES.get(name, name),
        value=f"{gap.value:.4f}",
        gold=Cell(f"{gap.gold_mean:.4f}", "" if gap.gold_std is None else f"± {gap.gold_std:.4f}"),
        difference=f"{gap.difference:+.4f}",
        z="no spread" if gap.z is None else f"{gap.z:+.1f}",
        tolerance=f"± {gap.tolerance:.4f}",
        reading=_reading(name, gap),
        fine=abs(gap.difference) <= gap.tolerance or (name.startswith("retain") and gap.difference > 0),
        place=max(-3.0, min(3.0, tolerances)),
    )


def _reading(name: str, gap: Gap) -> str:
    if abs(gap.difference) <= gap.tolerance:
        return "at Gold's level"
    if name.startswith("retain"):
        return "above Gold: no harm" if gap.difference > 0 else "below Gold: quality was lost"
    return "above Gold: under-forgotten" if gap.difference > 0 else "below Gold: over-forgotten"


def counts(report: AuditReport) -> list[tuple[str, str]]:
    """Number and noun of each kind of thing that was taken out."""
    return [
        (f"{count:,}", _TARGETS.get(name, (name, name))[count != 1])
        for name, count in report.forgotten.items()
        if count
    ]


def listing(words: Sequence[str]) -> str:
    """Words as prose.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def summary(report: AuditReport) -> str:
    """One sentence for somebody who reads nothing else."""
    parts = counts(report)
    taken = listing([f"{number} {noun}" for number, noun in parts]) or "Nothing"
    verb = "was" if not parts or (len(parts) == 1 and parts[0][0] == "1") else "were"
    seconds = report.state("unlearned").seconds
    text = f"{taken} {verb} taken out of a trained '{report.model}' by '{report.method}' in {duration(seconds)}"
    return f"{text}{_speed(report, seconds)}."


def _speed(report: AuditReport, seconds: float) -> str:
    golds = [state.seconds for state in report.states if state.name == "gold"]
    if not golds or seconds <= 0 or mean(golds) <= 0:
        return ""
    times = mean(golds) / seconds
    if times >= 1.05:
        shown = f"{times:,.0f}" if times >= 9.95 else f"{times:.1f}"
        return f", {shown} times as fast as retraining ({duration(mean(golds))})"
    return f"; retraining took {duration(mean(golds))}, which is no longer"


def outcome(report: AuditReport) -> str:
    """What the verdict rests on, in one sentence."""
    states = [check.state for check in report.checks]
    passed, failed, open_ = (states.count(state) for state in (State.PASSED, State.FAILED, State.NOT_ASSESSED))
    if not states or open_ == len(states):
        return "No check could be made, so nothing is said about whether it was forgotten."
    which = listing([check.name for check in report.checks if check.state is State.FAILED])
    parts = [f"{failed} failed ({which})"] if failed else []
    if passed:
        parts.append(f"{passed} passed")
    if open_:
        parts.append(f"{open_} could not be assessed")
    return f"Of {len(states)} check{'s' if len(states) > 1 else ''}, {listing(parts)}."


def open_questions(report: AuditReport) -> list[str]:
    """What this audit cannot answer, for want of Gold."""
    if any(state.name == "gold" for state in report.states):
        return []
    return [
        "whether the forgotten pairs are exactly at the level of a model that never had them (the gap to Gold)",
        "whether what people are shown is what retraining would have shown them",
        "whether the kept quality equals what retraining would have reached, and how much time was saved",
    ]


def losses(history: Sequence[Mapping[str, float]]) -> list[tuple[float, float]]:
    """Pass and loss, from the rows that have a loss; rows without a number are counted from 1."""
    rows = [(row.get("epoch", place), row["loss"]) for place, row in enumerate(history, start=1) if "loss" in row]
    return [(float(epoch), float(loss)) for epoch, loss in rows]

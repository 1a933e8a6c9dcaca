"""An audit as rows of text, for both the page and the terminal."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import NamedTuple

from mmrecun.auditing.figures import Measurements, RunKind
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.keys import NDCG, RECALL
from mmrecun.text import duration

NOT_ASSESSED = Outcome.NOT_ASSESSED.value


class Cell(NamedTuple):
    """A figure; `spread` is its error or its deviation over several runs, `band` its 95 % band."""

    value: str
    spread: str = ""
    band: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.spread}".rstrip()


class StateRow(NamedTuple):
    """One figure of merit: its name, what it means, and a cell per column of `state_columns`."""

    label: str
    meaning: str
    cells: tuple[Cell, ...]


class RowGroup(NamedTuple):
    """Rows under one question."""

    title: str
    meaning: str
    rows: list[StateRow]


class _Measure(NamedTuple):
    label: str
    meaning: str
    of: Callable[[Measurements], float | None]
    always: bool = True
    band: str = ""


_MEASURES = (
    _Measure(
        "retained recall@20",
        "Of what people chose among the retained items, the share that a list of twenty finds. Higher is better.",
        lambda state: state.retain.get(RECALL),
        band="retain recall@20",
    ),
    _Measure(
        "retained NDCG@20",
        "The same, but hits near the top of the list count more. Higher is better.",
        lambda state: state.retain.get(NDCG),
        band="retain ndcg@20",
    ),
    _Measure(
        "validation recall@20",
        "The same on the pairs that stopped each training. Far below the others: undertrained.",
        lambda state: state.valid,
        always=False,
    ),
    _Measure(
        "retained recall@20, touched users",
        "The same for retained users whom the request touched. It should fall no more than for other users.",
        lambda state: state.affected.get(RECALL),
        always=False,
    ),
    _Measure(
        "retained recall@20, other users",
        "The same for everybody else.",
        lambda state: state.unaffected.get(RECALL),
        always=False,
    ),
    _Measure(
        "forget recall@20",
        "The share of what was taken out that a list of twenty still finds. The target is Gold, not zero.",
        lambda state: state.forget.get(RECALL),
        band="forget recall@20",
    ),
    _Measure(
        "AUC held-out",
        "How often a forgotten pair ranks above a true pair the model never saw. The target is Gold.",
        lambda state: state.auc,
    ),
    _Measure(
        "AUC matched",
        "The same, only among pairs of equally popular items and equally active users. The target is Gold.",
        lambda state: state.auc_matched,
        band="auc_matched",
    ),
    _Measure(
        "AUC random",
        "How often a forgotten pair ranks above a random unseen one. Taste alone may lift it above 0.5, in Gold too.",
        lambda state: state.auc_random,
    ),
    _Measure(
        "users shown a removed item, if put back",
        "Share of people with a removed item among their twenty, were it added anew. What is served holds none.",
        lambda state: state.exposure.get("top20"),
        always=False,
    ),
    _Measure(
        "place of removed items, if put back",
        "Mean place of such an item in everybody's ranking: 0 bottom, 1 top. The target is Gold.",
        lambda state: state.exposure.get("percentile"),
        always=False,
    ),
)


def by_kind(report: AuditReport) -> dict[RunKind, list[Measurements]]:
    """Return the states of each kind: original, unlearned, gold."""
    grouped = {kind: [state for state in report.states if state.name is kind] for kind in RunKind}
    return {kind: states for kind, states in grouped.items() if states}


def state_columns(report: AuditReport) -> list[tuple[str, str]]:
    """Return the name of each state and a word on it."""
    golds = len(report.golds)
    words = {
        RunKind.ORIGINAL: "before",
        RunKind.UNLEARNED: "after",
        RunKind.GOLD: "retrained once" if golds == 1 else f"retrained, {golds} seeds",
    }
    return [(kind.value, words[kind]) for kind in by_kind(report)]


def state_rows(report: AuditReport) -> list[StateRow]:
    """Return one row per figure of merit; several Golds are one cell of mean and standard deviation."""
    groups = list(by_kind(report).values())
    rows = [
        StateRow(
            measure.label,
            measure.meaning,
            tuple(cell([measure.of(state) for state in states], band=_band(states, measure.band)) for states in groups),
        )
        for measure in _MEASURES
        if measure.always or any(measure.of(state) is not None for state in report.states)
    ]
    taken = tuple(_time_cell([state.seconds for state in states]) for states in groups)
    meaning = "From the data to a trained model; for the unlearned one from the request to a model that can serve."
    return [*rows, StateRow("time", meaning, taken)]


def cell(
    values: Sequence[float | None], spec: str = ".4f", band: str = "", missing: Outcome = Outcome.NOT_ASSESSED
) -> Cell:
    """Format mean and standard deviation of the figures that there are; the band belongs to a single figure."""
    known = [value for value in values if value is not None]
    if not known:
        return Cell(missing.value)
    if len(known) > 1:
        return Cell(f"{mean(known):{spec}}", f"± {stdev(known):{spec.lstrip('+')}}")
    return Cell(f"{known[0]:{spec}}", band=band)


def _band(states: Sequence[Measurements], name: str) -> str:
    """Return the band of a single state's figure in words.

    Empty for several states, or where it is missing or of no width.
    """
    if len(states) > 1 or name not in states[0].bands:
        return ""
    low, high = states[0].bands[name]
    return f"{low:.3f} to {high:.3f}" if low < high else ""


def _time_cell(seconds: Sequence[float]) -> Cell:
    if not any(seconds):  # a model of another library has no training time
        return Cell("not known")
    return Cell(duration(mean(seconds)), f"± {duration(stdev(seconds))}" if len(seconds) > 1 else "")


def losses(history: Sequence[Mapping[str, float]]) -> list[tuple[float, float]]:
    """Return pass and loss of the rows that have a loss; rows without a number are counted from 1.

    So are all rows where the numbers do not ascend: those of several trainings, such as of shards, one after another.
    """
    rows = [(row.get("epoch") or place, row.get("loss")) for place, row in enumerate(history, start=1)]
    known = [(float(number), float(loss)) for number, loss in rows if loss is not None]
    if all(one < other for (one, _), (other, _) in pairwise(known)):
        return known
    return [(float(place), loss) for place, (_, loss) in enumerate(known, start=1)]

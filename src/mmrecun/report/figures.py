"""Figures of an audit as SVG text; equal reports give equal text."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mmrecun.auditing import keys
from mmrecun.auditing.checks import CHANCE, ERRORS
from mmrecun.auditing.figures import Gap, Measurements, RunKind
from mmrecun.auditing.result import AuditReport
from mmrecun.keys import RECALL
from mmrecun.report.style import GOLD, GRID, INK, ORIGINAL, STYLE, ZONE, bars_of_seconds, svg
from mmrecun.report.tables import by_kind

FEW = 20
_COLOURS = {RunKind.ORIGINAL: ORIGINAL, RunKind.UNLEARNED: "#1f5fa8", RunKind.GOLD: GOLD}
_FACES = {**_COLOURS, RunKind.UNLEARNED: "none"}
_MARKERS = {RunKind.ORIGINAL: "s", RunKind.UNLEARNED: "o", RunKind.GOLD: "D"}
_SIZES = {RunKind.ORIGINAL: 42, RunKind.UNLEARNED: 130, RunKind.GOLD: 34}
_WIDTH = 4.3


def _canvas(height: float, top: float, left: float = 0.62) -> Figure:
    """Return an empty figure with fixed margins, all in inches; a layout engine would draw everything twice."""
    figure = Figure(figsize=(_WIDTH, height))
    figure.subplots_adjust(left=left / _WIDTH, right=1 - 0.1 / _WIDTH, bottom=0.5 / height, top=1 - top / height)
    return figure


def trade_off(report: AuditReport) -> str:
    """Draw retained against forget recall, with Gold's level as the target zone; empty without figures."""
    groups = by_kind(report)
    points = {
        name: [(s.forget[RECALL], s.retain[RECALL]) for s in states if _has_recall(s)]
        for name, states in groups.items()
    }
    points = {name: pairs for name, pairs in points.items() if pairs}
    if not points:
        return ""
    with mpl.rc_context(STYLE):
        figure = _canvas(3.9, top=0.6, left=0.82)
        axes = figure.subplots()
        corners = _zones(axes, report.gap)
        for name, pairs in points.items():
            xs, ys = zip(*pairs, strict=True)
            marks: dict[str, Any] = {"s": _SIZES[name], "marker": _MARKERS[name], "linewidths": 1.8}
            axes.scatter(
                xs,
                ys,
                facecolors=_FACES[name],
                edgecolors=_COLOURS[name],
                label=name,
                zorder=4 if name is RunKind.UNLEARNED else 3,
                **marks,
            )
        _frame(axes, [*corners, *(pair for pairs in points.values() for pair in pairs)])
        axes.set(xlabel="recall@20 of what was forgotten", ylabel="retained recall@20")
        figure.legend(loc="upper left", ncols=3, handletextpad=0.3, columnspacing=1.4, borderaxespad=0.2)
        return svg(figure, "trade-off")


def _has_recall(state: Measurements) -> bool:
    return RECALL in state.forget and RECALL in state.retain


def _zones(axes: Axes, gap: dict[keys.GapKey, Gap]) -> list[tuple[float, float]]:
    """Draw what counts as equal to Gold, and Gold's own spread inside it; return corners to keep in view."""
    x, y = (gap.get(keys.GapKey.named(figure)) for figure in (keys.Figure.FORGET, keys.Figure.RETAIN))
    if x is None or y is None:
        return []
    low, high = (x.gold_mean - x.tolerance, y.gold_mean - y.tolerance), (x.tolerance * 2, y.tolerance * 2)
    axes.add_patch(Rectangle(low, *high, facecolor=ZONE, edgecolor="none", label="counts as equal to Gold"))
    if x.gold_std and y.gold_std:
        start = (x.gold_mean - x.gold_std, y.gold_mean - y.gold_std)
        spread: dict[str, Any] = {
            "facecolor": "none",
            "edgecolor": _COLOURS[RunKind.GOLD],
            "lw": 0.9,
            "ls": (0, (3, 2)),
        }
        axes.add_patch(Rectangle(start, 2 * x.gold_std, 2 * y.gold_std, label="gold ± 1 std", **spread))
    return [low, (low[0] + high[0], low[1] + high[1])]


def _frame(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Set limits with room around every point; recall is never below zero."""
    for axis, values in ((axes.xaxis, [x for x, _ in points]), (axes.yaxis, [y for _, y in points])):
        low, high = min(values), max(values)
        room = 0.12 * max(high - low, 0.02)
        start = -0.25 * room if low - room < 0 else low - room
        axis.set_view_interval(start, high + room, ignore=True)
        axis.set_major_locator(MaxNLocator(5))
    axes.grid(color=GRID, lw=0.7)
    axes.set_axisbelow(True)


def percentiles(report: AuditReport) -> str:
    """Draw where forgotten pairs rank, against held-out ones, before, after and in Gold; empty without figures."""
    groups = {name: [s for s in states if s.percentiles] for name, states in by_kind(report).items()}
    groups = {name: states for name, states in groups.items() if states}
    if not groups or too_few(report):
        return ""
    with mpl.rc_context(STYLE):
        figure = _canvas(1.8 * len(groups) + 1.0, top=0.55)
        rows = np.atleast_1d(figure.subplots(len(groups), 1, sharex=True, sharey=True, gridspec_kw={"hspace": 0.25}))
        for axes, (name, states) in zip(rows, groups.items(), strict=True):
            _histogram(axes, name, states)
        rows[-1].set_xlabel("place in the list: 0 bottom, 1 top")
        handles, labels = rows[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", ncols=2, borderaxespad=0.2)
        return svg(figure, "percentiles")


def _histogram(axes: Axes, name: RunKind, states: Sequence[Measurements]) -> None:
    forgotten = _average([state.percentiles for state in states])
    edges = np.linspace(0, 1, len(forgotten) + 1)
    axes.stairs(forgotten, edges, fill=True, color=_COLOURS[name], alpha=0.75, label="forgotten (filled)")
    held_out = [state.percentiles_held_out for state in states if state.percentiles_held_out]
    if held_out:
        outline = _average(held_out)
        axes.stairs(outline, np.linspace(0, 1, len(outline) + 1), color=INK, lw=1.2, label="held out (line)")
    title = f"gold, mean of {len(states)}" if name is RunKind.GOLD and len(states) > 1 else name
    axes.set_title(title, loc="left", fontsize=9.5, color=_COLOURS[name], fontweight="bold", pad=3)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    axes.set(xlim=(0, 1))


def _average(rows: Sequence[Sequence[float]]) -> list[float]:
    """Average the columns of histograms that have as many bins as the first."""
    same = [row for row in rows if len(row) == len(rows[0])]
    return [sum(column) / len(same) for column in zip(*same, strict=True)]


def too_few(report: AuditReport) -> bool:
    """Say whether too few pairs were compared for a plot to be meaningful."""
    pairs = [found.pairs for state in report.states for found in state.recognition.values()]
    return bool(pairs) and max(pairs) < FEW


def forest(report: AuditReport) -> str:
    """Draw recognition AUCs with three standard errors, and the share that still looks known; empty without figures."""
    groups = by_kind(report)
    kinds = list(dict.fromkeys(kind for state in report.states for kind in state.recognition))
    rows = [
        (kind, state) for kind in kinds for states in groups.values() for state in states if kind in state.recognition
    ]
    if not rows or too_few(report):
        return ""
    with mpl.rc_context(STYLE):
        figure = _canvas(0.27 * len(rows) + 0.3 * len(kinds) + 0.75, top=0.05, left=0.85)
        left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.2})
        places = _places(rows)
        for place, (kind, state) in zip(places, rows, strict=True):
            found, colour = state.recognition[kind], _COLOURS[state.name]
            marks: dict[str, Any] = {"color": colour, "marker": _MARKERS[state.name], "ms": 5.5, "lw": 1.6}
            marks["mfc"] = _FACES[state.name]
            reach = ERRORS * found.auc_error
            left.plot([found.auc - reach, found.auc + reach], [place, place], color=colour, lw=1.6)
            left.plot([found.auc], [place], **marks)
            right.plot([found.known_share_low, found.known_share_high], [place, place], color=colour, lw=1.6)
            right.plot([found.known_share], [place], **marks)
        for kind in kinds:
            top = min(place for place, row in zip(places, rows, strict=True) if row[0] == kind) - 0.75
            left.annotate(
                keys.recognition_name(kind),
                (0.03, top),
                xycoords=("figure fraction", "data"),
                fontweight="bold",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )
        _forest_frame(left, right, places, [state.name for _, state in rows])
        return svg(figure, "forest")


def _places(rows: Sequence[tuple[str, Measurements]]) -> list[float]:
    """Return the height of each row, from the top, with room for a title above each kind."""
    places, place, last = list[float](), 0.0, ""
    for kind, _ in rows:
        place += 1.0 if kind == last else 2.1
        places, last = [*places, place], kind
    return places


def _forest_frame(left: Axes, right: Axes, places: Sequence[float], names: Sequence[str]) -> None:
    left.axvline(CHANCE, color=INK, lw=0.9, ls=(0, (3, 2)), zorder=1)
    right.axvline(0, color=INK, lw=0.9, ls=(0, (3, 2)), zorder=1)
    left.set_yticks(places, names)
    left.set(ylim=(max(places) + 0.7, min(places) - 1.4), xlabel="AUC (0.5: alike)")
    right.set(xlim=(-0.06, 1.06), xlabel="share that looks known")
    left.xaxis.set_major_locator(MaxNLocator(3))
    right.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    for axes in (left, right):
        axes.grid(axis="x", color=GRID, lw=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.spines["left"].set_visible(False)


def person_gaps(report: AuditReport) -> str:
    """Draw how far each user's recall lies from the mean of the Golds; empty for fewer than two Golds."""
    if report.persons is None or not report.persons.gaps:
        return ""
    shares = report.persons.gaps
    with mpl.rc_context(STYLE):
        figure = _canvas(2.3, top=0.1, left=0.82)
        axes = figure.subplots()
        edges = np.linspace(-1.05, 1.05, len(shares) + 1)
        axes.stairs(shares, edges, fill=True, color=_COLOURS[RunKind.UNLEARNED], alpha=0.75)
        axes.axvline(0, color=INK, lw=0.9, ls=(0, (3, 2)))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda gap, _: f"{gap:+g}" if gap else "0"))
        axes.set(xlim=(-1, 1), xlabel="recall@20 of a person, minus the mean of the Golds", ylabel="of all people")
        return svg(figure, "persons")


def times(report: AuditReport) -> str:
    """Draw the seconds of each state on a logarithmic axis; empty where those of fewer than two are known."""
    groups = {name: states for name, states in by_kind(report).items() if any(s.seconds for s in states)}
    names = list(groups)[::-1]
    if len(names) < 2:
        return ""
    seconds = {str(name): max(sum(s.seconds for s in groups[name]) / len(groups[name]), 1e-3) for name in names}
    with mpl.rc_context(STYLE):
        figure = _canvas(0.42 * len(names) + 0.75, top=0.1, left=0.85)
        axes = figure.subplots()
        bars_of_seconds(axes, seconds, [_COLOURS[name] for name in names], height=0.55, room=0.4)
        axes.set_xlabel("seconds (each step of the axis is ten times more)")
        return svg(figure, "times")


def loss(points: Sequence[tuple[float, float]]) -> str:
    """Draw the loss of each pass; empty for fewer than two points."""
    if len(points) < 2:
        return ""
    with mpl.rc_context(STYLE):
        figure = _canvas(2.3, top=0.1, left=0.82)
        axes = figure.subplots()
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, color=_COLOURS[RunKind.UNLEARNED], lw=1.6, marker="o" if len(points) <= 40 else "", ms=3)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(color=GRID, lw=0.7)
        axes.set(xlabel="pass over the data", ylabel="loss")
        return svg(figure, "loss")

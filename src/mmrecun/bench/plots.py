"""Figures of a bench: utility against forgetting with Gold as the target zone, and time."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mmrecun.bench.distance import FORGET, RETAIN, gold_levels
from mmrecun.bench.spec import GOLD, ORIGINAL
from mmrecun.bench.summary import MethodSummary, Summary
from mmrecun.report import style
from mmrecun.report.style import STYLE, ZONE, bars_of_seconds, svg

_COLOURS = ("#1f5fa8", "#1b7f5c", "#7a3e9d", "#c2571a", "#0f7d8c", "#b3376b", "#5c6b1f", "#4a4f9e")
_MARKERS = "os^vDPX*<>ph"


def line_styles(summary: Summary) -> dict[str, tuple[str, str]]:
    """Return colour and marker of every line; a method has the same in every group of a bench."""
    found = {ORIGINAL: (style.ORIGINAL, "s"), GOLD: (style.GOLD, "D")}
    for place, entry in enumerate(summary.methods):
        found[entry.method] = (_COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)])
    return found


def trade_off(summary: Summary) -> Figure | None:
    """Draw retained against forget recall, mean and deviation of each method; None without figures."""
    lines = [entry for entry in summary.lines if entry.values(RETAIN) and entry.values(FORGET)]
    if not lines:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        _zone(axes, summary.line(GOLD))
        looks = line_styles(summary)
        for entry in lines:
            x, y = entry.stat(FORGET), entry.stat(RETAIN)
            assert x is not None
            assert y is not None
            colour, marker = looks[entry.method]
            axes.errorbar(
                x.mean,
                y.mean,
                xerr=x.std or 0,
                yerr=y.std or 0,
                color=colour,
                marker=marker,
                ms=6.5,
                lw=0,
                elinewidth=0.9,
                label=entry.method,
            )
        axes.set(xlabel="recall@20 of what was forgotten", ylabel="retained recall@20")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
        axes.margins(0.08)
        axes.grid(color=style.GRID, lw=0.7)
        axes.set_axisbelow(True)
        figure.legend(loc="outside right upper", handletextpad=0.3, borderaxespad=0.2)
        return figure


def _zone(axes: Axes, gold: MethodSummary | None) -> None:
    """Shade the tolerance around Gold: open to the top, since more utility than Gold's is not a fault."""
    aims = gold_levels(gold) if gold is not None else {}
    if not {RETAIN, FORGET} <= aims.keys():
        return
    x, y = aims[FORGET], aims[RETAIN]
    axes.axvspan(x.mean - x.tolerance, x.mean + x.tolerance, color=ZONE, lw=0, alpha=0.55)
    low = y.mean - y.tolerance
    zone = Rectangle((x.mean - x.tolerance, low), 2 * x.tolerance, 2 * y.tolerance, label="Gold's level")
    zone.set(facecolor=ZONE, edgecolor=style.GOLD, lw=0.9, ls=(0, (3, 2)))
    axes.add_patch(zone)


def times(summaries: Sequence[Summary]) -> Figure | None:
    """Draw the seconds of each method on a logarithmic axis, one bar a method: the mean over all groups given."""
    taken: dict[str, list[float]] = {}
    for summary in summaries:
        for entry in summary.lines:
            taken.setdefault(entry.method, []).extend(entry.values("seconds"))
    taken = {name: seconds for name, seconds in taken.items() if seconds}
    if not taken:
        return None
    names = sorted(taken, key=lambda name: -float(np.mean(taken[name])))
    means = {name: max(float(np.mean(taken[name])), 1e-3) for name in names}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.32 * len(names) + 0.8), layout="constrained")
        axes = figure.subplots()
        colours = [style.GOLD if name == GOLD else _COLOURS[0] for name in names]
        bars_of_seconds(axes, means, colours, height=0.6, room=0.25)
        axes.set_xlabel("seconds from request to a run that can be served (logarithmic)")
        return figure


def write(figure: Figure, folder: Path, name: str) -> str:
    """Write `name`.svg and `name`.png into `folder`; returns the SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = svg(figure, name)
    (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
    with mpl.rc_context(STYLE):
        figure.savefig(folder / f"{name}.png", dpi=150)
    return drawn

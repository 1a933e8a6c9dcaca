"""Figures of an audit as SVG text; equal reports give equal text."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmrecun.audit.verdict import AuditReport, Figures

_COLOURS = {"original": "#bb5566", "unlearned": "#004488", "gold": "#b8860b"}
_MARKERS = {"original": "s", "unlearned": "o", "gold": "D"}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mmrecun",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def trade_off(report: AuditReport) -> str:
    """Retained recall against forget recall, with the spread of Gold as the target zone; empty without figures."""
    states = [state for state in report.states if "recall@20" in state.forget]
    if not states:
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        axes = figure.subplots()
        if {"forget_recall@20", "retain_recall@20"} <= report.gap.keys():
            forget, retain = report.gap["forget_recall@20"], report.gap["retain_recall@20"]
            axes.axvspan(
                forget.gold_mean - forget.tolerance, forget.gold_mean + forget.tolerance, color="#f3e3b3", lw=0
            )
            axes.axhline(retain.gold_mean, color=_COLOURS["gold"], lw=0.8, ls="--")
        for name in dict.fromkeys(state.name for state in states):
            xs = [state.forget["recall@20"] for state in states if state.name == name]
            ys = [state.retain["recall@20"] for state in states if state.name == name]
            size, face = (110, "none") if name == "unlearned" else (40, _COLOURS[name])
            axes.scatter(
                xs, ys, s=size, marker=_MARKERS[name], facecolors=face, edgecolors=_COLOURS[name], lw=2, label=name
            )
        high = max(state.retain["recall@20"] for state in states)
        axes.set(xlabel="recall@20 of what was forgotten", ylabel="recall@20 of what was kept", ylim=(0, 1.25 * high))
        axes.legend(frameon=False, loc="lower right", title="shaded: Gold's level" if report.gap else None)
        return _svg(figure)


def percentiles(report: AuditReport) -> str:
    """Where forgotten pairs rank, against held-out positives, before and after and in Gold; empty without figures."""
    states = [state for state in report.states if state.percentiles]
    states = [next(state for state in states if state.name == name) for name in dict.fromkeys(s.name for s in states)]
    if not states:
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.4, 1.55 * len(states) + 0.5), layout="constrained")
        rows = np.atleast_1d(figure.subplots(len(states), 1, sharex=True))
        for axes, state in zip(rows, states, strict=True):
            _histogram(axes, state)
        rows[0].legend(frameon=False, loc="upper left")
        rows[-1].set_xlabel("rank percentile among unseen items (1 = on top of the list)")
        return _svg(figure)


def _histogram(axes: Axes, state: Figures) -> None:
    edges = np.linspace(0, 1, len(state.percentiles) + 1)
    axes.stairs(state.percentiles, edges, fill=True, color=_COLOURS[state.name], alpha=0.75, label="forgotten")
    axes.stairs(state.percentiles_held_out, edges, color="#333333", lw=1.3, label="held out")
    axes.set_title(state.name, loc="left", x=0.28, y=0.72, fontsize=11)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def times(report: AuditReport) -> str:
    """Seconds of each state on a logarithmic axis."""
    with mpl.rc_context(_STYLE):
        names = list(dict.fromkeys(state.name for state in report.states))
        seconds = [_mean([state.seconds for state in report.states if state.name == name]) for name in names]
        figure = Figure(figsize=(5.4, 0.5 * len(names) + 0.9), layout="constrained")
        axes = figure.subplots()
        axes.barh(names[::-1], seconds[::-1], color=[_COLOURS[name] for name in names[::-1]], height=0.6)
        for place, value in enumerate(seconds[::-1]):
            axes.annotate(f"{value:.1f} s", (value, place), xytext=(4, 0), textcoords="offset points", va="center")
        low = min(seconds) / 3
        axes.set(xscale="log", xlabel="seconds", xlim=(max(low, 1e-3), max(seconds) * 3))
        return _svg(figure)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""The common style of all plots: colours, type, and SVG that fits into a page."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mmrecun.text import duration

INK, SOFT, ZONE, GRID = "#1c2430", "#5b6675", "#f6e7bd", "#e6e9ed"
GOLD, ORIGINAL = "#9a6b00", "#a63d40"  # colours of these runs in every plot
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": "#9aa3ae",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def bars_of_seconds(axes: Axes, times: Mapping[str, float], colours: Sequence[str], height: float, room: float) -> None:
    """Draw one bar a name from the bottom up, each with its duration beside it, on a logarithmic axis.

    Args:
        axes: axes to draw on.
        times: name -> seconds, none below a millisecond.
        colours: colours of the bars.
        height: height of a bar; 1 is the distance between two.
        room: space to the right of the longest bar, as a share of the axis.
    """
    seconds = list(times.values())
    axes.barh(list(times), seconds, color=list(colours), height=height)
    for place, value in enumerate(seconds):
        axes.annotate(duration(value), (value, place), (5, 0), textcoords="offset points", va="center")
    low = 10 ** np.floor(np.log10(min(seconds)) - 0.3)
    axes.set(xscale="log")
    axes.set_xlim(low, max(seconds) * (max(seconds) / low) ** room)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)


def svg(figure: Figure, name: str) -> str:
    """Return an SVG element without metadata; `name` keeps ids apart when several figures share a page."""
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"mmrecun-{name}"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    return re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "system-ui, sans-serif", text)

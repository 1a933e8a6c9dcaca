"""The common style of all plots: colours, type, and SVG that fits into a page."""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

INK, SOFT, ZONE = "#1c2430", "#5b6675", "#f6e7bd"
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


def svg(figure: Figure, name: str) -> str:
    """SVG element without metadata; `name` keeps ids apart when several figures share a page."""
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"mmrecun-{name}"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    return re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "system-ui, sans-serif", text)

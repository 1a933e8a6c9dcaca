"""Figures of a dataset: distribution of pairs over users and items, and coverage of the modalities."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmrecun.data.dataset import Dataset


def draw(dataset: Dataset, path: Path) -> None:
    """Write three panels to `path` (.png, .svg or .pdf)."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for kind, counts in zip(("users", "items"), dataset.degrees, strict=True):
        degrees, size = np.sort(counts)[::-1], len(counts)
        left.loglog(np.arange(1, size + 1), np.maximum(degrees, 0.8), label=kind)
        share = np.cumsum(degrees) / degrees.sum()
        middle.plot(np.linspace(0, 1, size), share, label=kind)
    left.set(title="training pairs by rank", xlabel="rank", ylabel="pairs")
    middle.set(title="share of all pairs", xlabel="share of users or items, most active first", ylabel="of pairs")
    for axes in (left, middle):
        axes.legend(frameon=False)
    names = list(dataset.modalities)
    right.barh(names, [dataset.modalities[name].present.mean() for name in names], color="#4477aa")
    right.set(title="items that have the modality", xlim=(0, 1))
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)

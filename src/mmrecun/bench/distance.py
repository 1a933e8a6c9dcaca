"""The method nearest to Gold, and its distance.

The distance of a figure is given in tolerances: up to 1 counts as equal to Gold.

- forget recall@20, AUC and fold-in: |mean - Gold's mean| / max(2 standard deviations of Gold, 0.02)
- retained recall@20: (Gold's mean - mean) / (1 % of Gold's mean), and 0 where the mean is above Gold's

The means are over seeds. The AUC is the one matched for popularity, or the plain one where Gold has no matched one.
Fold-in is there for removed users and items only. The distance of a method is the largest of its parts.
"""

from collections.abc import Mapping
from typing import NamedTuple

from mmrecun.bench.results import RowFigure
from mmrecun.bench.spec import GOLD
from mmrecun.bench.summary import MethodSummary, Summary

RETAIN: RowFigure = "retain_recall"
FORGET: RowFigure = "forget_recall"
MATCHED: RowFigure = "matched_auc"
PLAIN: RowFigure = "membership_auc"
FOLD_IN: RowFigure = "fold_in"
RETAIN_SHARE, LEAST, DEVIATIONS = 0.01, 0.02, 2.0
LIMIT = "mmrecun"


class GoldLevel(NamedTuple):
    """Gold's mean of one figure, and the difference that still counts as equal to Gold."""

    mean: float
    tolerance: float


class Distance(NamedTuple):
    """Distance from Gold, in tolerances.

    Attributes:
        parts: figure -> distance.
        overall: the largest.
    """

    parts: Mapping[str, float]
    overall: float


class Nearest(NamedTuple):
    """The winner of a group.

    Attributes:
        method: label.
        distance: its distance.
        seconds: time of the method `limit`, which the candidates do not exceed; None where that method has no row.
        limit: label of that method.
        by_figure: figure -> the candidate nearest in it.
    """

    method: str
    distance: Distance
    seconds: float | None
    limit: str
    by_figure: Mapping[str, str]


def gold_levels(gold: MethodSummary) -> dict[RowFigure, GoldLevel]:
    """Return mean and tolerance of each figure that Gold has."""
    auc = MATCHED if gold.stat(MATCHED) else PLAIN
    found: dict[RowFigure, GoldLevel] = {}
    for figure in (RETAIN, FORGET, auc, FOLD_IN):
        stat = gold.stat(figure)
        if stat is None:
            continue
        wide = RETAIN_SHARE * stat.mean if figure == RETAIN else max(DEVIATIONS * (stat.std or 0.0), LEAST)
        if wide > 0:
            found[figure] = GoldLevel(stat.mean, wide)
    return found


def distance(entry: MethodSummary, gold: MethodSummary) -> Distance | None:
    """Return the distance of a method; None where it lacks a figure that Gold has."""
    parts: dict[str, float] = {}
    for figure, target in gold_levels(gold).items():
        stat = entry.stat(figure)
        if stat is None:
            return None
        gap = stat.mean - target.mean
        parts[figure] = (max(0.0, -gap) if figure == RETAIN else abs(gap)) / target.tolerance
    return Distance(parts, max(parts.values())) if parts else None


def nearest(summary: Summary, limit: str = LIMIT) -> Nearest | None:
    """Return the method nearest to Gold among those that take no more time, on average, than the one called `limit`.

    All methods are compared where that one has no row. A method that failed for a seed is left out. None where nothing
    can be compared.
    """
    gold, bound = summary.line(GOLD), summary.line(limit)
    if gold is None or not gold.done:
        return None
    most = bound.stat("seconds") if bound is not None else None
    found: dict[str, Distance] = {}
    for entry in summary.methods:
        taken, far = entry.stat("seconds"), distance(entry, gold)
        whole = len(entry.done) == len(entry.rows)
        if whole and far is not None and taken is not None and (most is None or taken.mean <= most.mean):
            found[entry.method] = far
    if not found:
        return None
    best = min(found, key=lambda name: found[name].overall)
    figures = next(iter(found.values())).parts
    by_figure = {figure: min(found, key=lambda name: found[name].parts[figure]) for figure in figures}
    return Nearest(best, found[best], most.mean if most else None, limit, by_figure)

"""Signed gaps of a run's figures to Gold, each with the difference that still counts as equal to Gold."""

from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np

from mmrecun.auditing.checks import ERRORS, MARK_MARGIN, UTILITY_SHARE, paired_error
from mmrecun.auditing.figures import Gap, Measurements
from mmrecun.auditing.keys import Figure, GapKey, Kind, MarkKind, Probe, ProbeKey
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.auditing.membership import FEW, capped_error, clustered_error, error_of_few
from mmrecun.auditing.recognition import Comparison
from mmrecun.keys import RECALL

TOLERANCE, DEVIATIONS = 0.02, 3.0
PLACES_LEAST, PLACES_SHARE = 0.005, 0.25


def values_of(figures: Measurements) -> dict[GapKey, float | None]:
    """Return the figures that are compared with Gold, by name."""
    known = {GapKey.named(Figure.RECOGNITION, kind): found.auc for kind, found in figures.recognition.items()}
    places = {
        GapKey.named(Figure.FOLD_IN, kind): found.place for kind, found in figures.recognition.items() if kind.of_rows
    }
    marks = {GapKey.named(Figure.MARKS, kind): found.auc for kind, found in figures.marks.items()}
    found = figures.bystanders
    shown = found.share_after if found and (found.share_before or found.share_after) else None
    return {
        GapKey.named(Figure.RETAIN): figures.retain.get(RECALL),
        GapKey.named(Figure.FORGET): figures.forget.get(RECALL),
        GapKey.named(Figure.AUC): figures.auc,
        GapKey.named(Figure.AUC_MATCHED): figures.auc_matched,
        GapKey.named(Figure.FOLD_IN): figures.probes.get(ProbeKey.named(Probe.FOLD_IN)),
        **known,
        **places,
        **marks,
        GapKey.named(Figure.PLACES): shown,
    }


def gaps_to_gold(unlearned: MeasuredRun, golds: Sequence[MeasuredRun]) -> dict[GapKey, Gap]:
    """Compute the signed gap of each figure to the mean of the Golds that have it."""
    gaps: dict[GapKey, Gap] = {}
    for key, value in values_of(unlearned.figures).items():
        reference = [figure for gold in golds if (figure := values_of(gold.figures).get(key)) is not None]
        if value is None or not reference:
            continue
        centre, error = mean(reference), _error(key, unlearned, golds)
        deviation = stdev(reference) if len(reference) > 1 else None
        gaps[key] = Gap(
            value=value,
            gold_mean=centre,
            gold_std=deviation,
            difference=value - centre,
            z=(value - centre) / deviation if deviation else None,
            tolerance=_tolerance(_least(key.figure, centre), deviation, error),
            error=error,
        )
    return gaps


def _tolerance(least: float, deviation: float | None, error: float | None) -> float:
    """Return the difference that still counts as equal to Gold.

    It is twice as much for a single Gold, whose spread is not known.
    """
    return max(least, DEVIATIONS * (deviation or 0.0), ERRORS * (error or 0.0)) * (2 if deviation is None else 1)


def _least(figure: Figure | None, centre: float) -> float:
    """Return the smallest difference that counts at all."""
    if figure is Figure.RETAIN:
        return (1 - UTILITY_SHARE) * centre
    if figure is Figure.PLACES:
        return max(PLACES_LEAST, PLACES_SHARE * centre)
    return MARK_MARGIN if figure is Figure.MARKS else TOLERANCE


def _error(key: GapKey, unlearned: MeasuredRun, golds: Sequence[MeasuredRun]) -> float | None:
    """Return the standard error of the difference to the mean Gold, over the same users or the same pairs."""
    figure, kind = key.figure, Kind(key.of)
    if figure is Figure.RETAIN:
        return paired_error(unlearned.recall, [gold.recall for gold in golds])
    if figure is Figure.FORGET:
        return paired_error(unlearned.forget_recall, [gold.forget_recall for gold in golds])
    if figure is Figure.MARKS:
        return unlearned.figures.marks[MarkKind(kind)].auc_error
    if figure not in (Figure.RECOGNITION, Figure.FOLD_IN) or not kind:
        return None
    known = [gold.comparisons[kind] for gold in golds if kind in gold.comparisons]
    return (_auc_error if figure is Figure.RECOGNITION else _place_error)(unlearned.comparisons[kind], known)


def _auc_error(own: Comparison, golds: Sequence[Comparison]) -> float:
    parts = own.contributions()
    others = [gold.contributions() for gold in golds]
    first, second = (part - np.mean([other[at] for other in others], axis=0) for at, part in enumerate(parts))
    error = clustered_error((first, second), own.forgotten.owners, own.held_out.owners)
    sizes = len(first), len(second)
    return error_of_few(error, *sizes) if min(sizes) < FEW else capped_error(error, own.comparable)


def _place_error(own: Comparison, golds: Sequence[Comparison]) -> float:
    others = np.mean([gold.forgotten.percentiles for gold in golds], axis=0)
    away = (own.forgotten.percentiles - others) / len(others)
    return clustered_error((away, np.zeros(0)), own.forgotten.owners, own.forgotten.owners[:0])

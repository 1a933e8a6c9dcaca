"""Compare measured states: gaps to Gold, likeness to Gold, checks and the verdicts."""

from collections.abc import Sequence
from itertools import combinations
from statistics import mean, stdev

import numpy as np

from mmrecun.audit import divergence
from mmrecun.audit.measure import K, Measured
from mmrecun.audit.membership import Weights, contributions, spread
from mmrecun.audit.probes import Probe, lost_rows
from mmrecun.audit.verdict import AuditReport, Check, Figures, Gap, Likeness, State, conclude
from mmrecun.data.forget import Partition

HEADLINE = "recall@20"
UTILITY_SHARE = 0.95
TOLERANCE = 0.02
MARGIN, NEWCOMER_MARGIN = 0.03, 0.08
TOO_VAGUE = 0.15
_RETAIN, _FORGET = f"retain_{HEADLINE}", f"forget_{HEADLINE}"
_MATCHED, _NEW = "auc_matched", "auc_newcomers"


def compare(
    names: tuple[str, str, str],
    parts: Partition,
    probe: Probe,
    original: Measured,
    unlearned: Measured,
    golds: Sequence[Measured],
    residue_checks: Sequence[Check] = (),
) -> AuditReport:
    """The whole audit of one unlearned state from what was measured.

    Args:
        names: of model, method and dataset.
        parts, probe: what every state was measured with.
        original, unlearned, golds: the states.
        residue_checks: of `residue.scan`.
    """
    gaps = gaps_to_gold(unlearned, golds)
    own = (utility(original, unlearned), membership(unlearned.figures, probe))
    against = gold_checks(gaps)
    checks = (*residue_checks, *own, *against)
    alone = conclude((*residue_checks, *own))
    if probe.branch and alone is State.PASSED:
        alone = State.NOT_ASSESSED
    model, method, dataset = names
    return AuditReport(
        model=model,
        method=method,
        dataset=dataset,
        forgotten=parts.counts(),
        states=tuple(state.figures for state in (original, unlearned, *golds)),
        gap=gaps,
        likeness=likeness(original, unlearned, golds),
        checks=checks,
        verdict=conclude(checks) if golds else alone,
        verdict_without_gold=alone,
        verdict_against_gold=conclude((*residue_checks, *against)) if golds else State.NOT_ASSESSED,
        notes=_notes(parts, probe, len(golds)),
    )


def _values(figures: Figures) -> dict[str, float | None]:
    return {
        _RETAIN: figures.retain.get(HEADLINE),
        _FORGET: figures.forget.get(HEADLINE),
        "auc": figures.auc,
        _MATCHED: figures.auc_matched,
        _NEW: figures.auc_newcomers,
    }


def gaps_to_gold(unlearned: Measured, golds: Sequence[Measured]) -> dict[str, Gap]:
    """Signed gap of each figure to the mean of the Golds that have it."""
    gaps: dict[str, Gap] = {}
    by_newcomers = unlearned.figures.auc_newcomers is not None
    for name, value in _values(unlearned.figures).items():
        reference = [figure for gold in golds if (figure := _values(gold.figures)[name]) is not None]
        if value is None or not reference:
            continue
        centre = mean(reference)
        deviation = stdev(reference) if len(reference) > 1 else None
        error = _error(name, unlearned, golds)
        least = NEWCOMER_MARGIN if by_newcomers and name.startswith("auc") else TOLERANCE
        least = (1 - UTILITY_SHARE) * centre if name == _RETAIN else least
        gaps[name] = Gap(
            value=value,
            gold_mean=centre,
            gold_std=deviation,
            difference=value - centre,
            z=(value - centre) / deviation if deviation else None,
            tolerance=max(least, 2 * (deviation or 0.0), 2 * (error or 0.0)),
            error=error,
        )
    return gaps


def _error(name: str, unlearned: Measured, golds: Sequence[Measured]) -> float | None:
    """Standard error of the difference to the mean Gold over the same users, or over the same pairs."""
    if name == _RETAIN:
        return paired_error(unlearned.recall, [gold.recall for gold in golds])
    if name == _FORGET:
        return paired_error(unlearned.forget_recall, [gold.forget_recall for gold in golds])
    if name != _MATCHED:
        return None
    found = [both for state in (unlearned, *golds) if (both := _contributions(state)) is not None]
    first = unlearned.forgotten, unlearned.controls
    if len(found) <= len(golds) or first[0] is None or first[1] is None:
        return None
    own, theirs = (found[0][at] - np.mean([gold[at] for gold in found[1:]], axis=0) for at in (0, 1))
    return spread((own, theirs), first[0].owners, first[1].owners)


def _contributions(state: Measured) -> tuple[Weights, Weights] | None:
    if state.forgotten is None or state.controls is None or not len(state.controls.percentiles):
        return None
    return contributions(state.forgotten, state.controls)


def paired_error(values: Weights, references: Sequence[Weights]) -> float | None:
    """Standard error of mean(values - mean of references), all float64 [N] over the same users; None for N < 2."""
    same = [reference for reference in references if len(reference) == len(values)]
    if len(values) < 2 or not same:
        return None
    return float((values - np.mean(same, axis=0)).std(ddof=1) / np.sqrt(len(values)))


def gold_checks(gaps: dict[str, Gap]) -> tuple[Check, ...]:
    """Whether retained utility is not below, and what was forgotten is at, Gold's level."""
    labels = {
        _RETAIN: ("gold: retained utility", "lower", "higher"),
        _FORGET: ("gold: forget recall", "over-forgotten", "under-forgotten"),
        _MATCHED: ("gold: membership", "over-forgotten", "under-forgotten"),
    }
    return tuple(_gold_check(gaps.get(name), *words) for name, words in labels.items())


def _gold_check(gap: Gap | None, label: str, below: str, above: str) -> Check:
    if gap is None:
        detail = "no Gold run with this figure was given"
        return Check(name=label, state=State.NOT_ASSESSED, detail=detail, against_gold=True)
    within = abs(gap.difference) <= gap.tolerance
    passed = within or (label == "gold: retained utility" and gap.difference > 0)
    side = "at Gold's level" if within else below if gap.difference < 0 else above
    state = State.PASSED if passed else State.FAILED
    if within and gap.error is not None and 2 * gap.error > TOO_VAGUE:
        state, side = State.NOT_ASSESSED, "too few pairs to tell"
    figures = f"{gap.value:.4f} against {gap.gold_mean:.4f}, gap {gap.difference:+.4f}"
    return Check(
        name=label, state=state, detail=f"{figures} (tolerance {gap.tolerance:.4f}): {side}", against_gold=True
    )


def utility(original: Measured, unlearned: Measured) -> Check:
    """At least 95 % of the recall before, give or take two standard errors of the difference over test users."""
    before, after = original.figures.retain[HEADLINE], unlearned.figures.retain[HEADLINE]
    error = paired_error(unlearned.recall, [UTILITY_SHARE * original.recall]) or 0.0
    state = State.PASSED if after >= UTILITY_SHARE * before - 2 * error else State.FAILED
    allowed = f"at least {UTILITY_SHARE:.0%}, give or take {2 * error:.4f}"
    detail = f"{HEADLINE} on retained test pairs {before:.4f} before, {after:.4f} after ({allowed})"
    return Check(name="retained utility", state=state, detail=detail)


def membership(unlearned: Figures, probe: Probe) -> Check:
    """Whether forgotten pairs rank like comparable pairs that were never seen; no Gold is needed.

    Comparable are held-out positives of the same popularity: the AUC may leave 0.5 by the margin, or two standard
    errors, to either side. Where rows were removed they are the pairs of retained users or items treated as newcomers.
    Their partners still remember those, so they bound what may be known from above only: a removed row that is gone
    cannot be marked, and no AUC is too low. Pairs of lost features are still known as pairs: an AUC far from 0.5 speaks
    against the run, one near it not yet for it.
    """
    name, new = "membership", unlearned.auc_newcomers is not None
    value = unlearned.auc_newcomers if new else unlearned.auc_matched
    error = (unlearned.auc_newcomers_error if new else unlearned.auc_matched_error) or 0.0
    if value is None:
        return Check(name=name, state=State.NOT_ASSESSED, detail=_why_not(probe))
    allowed = max(NEWCOMER_MARGIN if new else MARGIN, 2 * error)
    away = value - 0.5
    state = State.PASSED if away <= allowed and (new or away >= -allowed) else State.FAILED
    side = "alike" if abs(away) <= allowed else "still recognised" if away > 0 else "marked: over-forgotten"
    if new and away < -allowed:
        side = "less known than those"
    if state is State.PASSED and 2 * error > TOO_VAGUE:
        state, side = State.NOT_ASSESSED, "too few pairs to tell"
    elif state is State.PASSED and probe.branch:
        state, side = State.NOT_ASSESSED, "alike, but only Gold tells how high known pairs rank by features never seen"
    others = "those of retained users or items treated as never seen" if new else "held-out positives as popular"
    bounds = f"at most {0.5 + allowed:.3f}" if new else f"0.5 ± {allowed:.3f}"
    detail = f"AUC {value:.3f} of forgotten pairs against {others} ({bounds}): {side}"
    return Check(name=name, state=state, detail=detail)


def _why_not(probe: Probe) -> str:
    if not len(probe.forgotten):
        return "no pair was forgotten"
    if not len(probe.controls):
        return "no held-out positive to compare with"
    return f"the model has no '{probe.branch}' branch any more"


def likeness(original: Measured, unlearned: Measured, golds: Sequence[Measured]) -> dict[str, Likeness]:
    """How like Gold the lists and scores are, with Gold against Gold as the yardstick; empty without Gold."""
    before, after = ([alike(state, gold) for gold in golds] for state in (original, unlearned))
    among = [alike(first, second) for first, second in combinations(golds, 2)]
    return {
        name: Likeness(
            original=mean(found[name] for found in before),
            unlearned=mean(found[name] for found in after),
            gold=mean(found[name] for found in among) if among else None,
        )
        for name in (before[0] if golds else ())
    }


def alike(first: Measured, second: Measured) -> dict[str, float]:
    """Mean overlap and rank-biased overlap of the lists of all, affected and unaffected users, as far as there are any,
    and mean Jensen-Shannon distance of the sampled users' scores.
    """
    everybody = np.ones(len(first.affected), dtype=bool)
    groups = {"": everybody, "_affected": first.affected, "_unaffected": ~first.affected}
    measures = {
        f"overlap@{K}": divergence.overlap(first.lists, second.lists, K),
        "rbo": divergence.rank_biased_overlap(first.lists, second.lists),
    }
    found = {
        f"{name}{suffix}": float(values[mask].mean())
        for name, values in measures.items()
        for suffix, mask in groups.items()
        if mask.any()
    }
    distance = divergence.jensen_shannon(first.shares, second.shares).sqrt().mean()
    return {**found, "js_distance": float(distance)}


def _notes(parts: Partition, probe: Probe, golds: int) -> tuple[str, ...]:
    notes = [
        "Forget recall takes the forgotten pairs as ground truth and masks retained positives only; "
        "Gold's is not zero, because to Gold they are held-out data."
    ]
    if lost_rows(parts):
        notes.append(
            f"{lost_rows(parts)} removed users and items have no row any more. A newcomer stands in for each: a fresh "
            "row from one fixed seed, its own features, no interaction; the same in Gold."
        )
    if probe.newcomers is not None and not probe.branch:
        chosen = int(probe.newcomers.users.sum() + probe.newcomers.items.sum())
        notes.append(
            f"{chosen} retained users and items, as active as the removed ones, were treated as newcomers too; "
            "the membership check compares with their pairs."
        )
    if probe.branch:
        notes.append(
            f"The removed '{probe.branch}' features were attached again for the measurement, and pairs of those items "
            "were ranked by that branch alone; the whole-model score was not judged, since these pairs are retained."
        )
    if len(parts.lost_features) > 1 or (parts.lost_features and len(parts.forgotten)):
        notes.append("Of several kinds of removal in one request, membership was measured for one; residue for all.")
    if not golds:
        notes.append("No Gold run was given: the verdict rests on comparisons within this run.")
    if golds == 1:
        notes.append("One Gold has no spread; three or more make the gap readable.")
    notes.append("Not looked at: backups, logs, caches and indexes outside the run folder, and copies made by others.")
    return tuple(notes)

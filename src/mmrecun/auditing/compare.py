"""Compare measured states: before with after, after with Gold; checks and the verdicts."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from statistics import mean
from typing import NamedTuple

import numpy as np

from mmrecun.auditing import persons, similarity
from mmrecun.auditing.against_gold import HEADLINE, gaps_to_gold, gold_checks
from mmrecun.auditing.checks import (
    UTILITY_SHARE,
    bystander_checks,
    mark_checks,
    paired_error,
    recognition_check,
    unmeasured_check,
    utility_check,
)
from mmrecun.auditing.figures import Gap, Likeness
from mmrecun.auditing.measure import K, Measured
from mmrecun.auditing.result import About, AuditReport, Check, State, conclude
from mmrecun.auditing.setup import Probe, lost_rows
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.request import Target


class Judgement(NamedTuple):
    """What the checks say of one state.

    Attributes:
        unlearned, golds: the states, with what their lists show beside those of the original.
        gaps: to Gold.
        checks: all of them, in order.
        without_gold, against_gold, verdict: see `AuditReport`.
    """

    unlearned: Measured
    golds: list[Measured]
    gaps: dict[str, Gap]
    checks: tuple[Check, ...]
    without_gold: State
    against_gold: State
    verdict: State


def judge(
    parts: Partition,
    probe: Probe,
    original: Measured,
    unlearned: Measured,
    golds: Sequence[Measured],
    residue_checks: Sequence[Check] = (),
) -> Judgement:
    """Check one unlearned state, by itself and against Golds; arguments as for `compare`."""
    unlearned, *others = (moved(state, original, probe) for state in (unlearned, *golds))
    gaps = gaps_to_gold(unlearned, others)
    own = alone(original, unlearned, parts)
    against = gold_checks(gaps, original, unlearned, others)
    checks = (*residue_checks, *own, *against)
    without = conclude((*residue_checks, *own))
    beside = conclude((*residue_checks, *against)) if others else State.NOT_ASSESSED
    verdict = _both(conclude(_decisive(checks)), against) if others else without
    return Judgement(unlearned, others, gaps, checks, without, beside, verdict)


def compare(
    names: tuple[str, str, str],
    parts: Partition,
    probe: Probe,
    original: Measured,
    unlearned: Measured,
    golds: Sequence[Measured],
    residue_checks: Sequence[Check] = (),
) -> AuditReport:
    """Make the whole audit of one unlearned state from what was measured.

    Args:
        names: of model, method and dataset.
        parts, probe: what every state was measured with.
        original, unlearned, golds: the states.
        residue_checks: of `residue.scan`.
    """
    made = judge(parts, probe, original, unlearned, golds, residue_checks)
    model, method, dataset = names
    return AuditReport(
        model=model,
        method=method,
        dataset=dataset,
        forgotten=parts.counts(),
        states=tuple(state.figures for state in (original, made.unlearned, *made.golds)),
        gap=made.gaps,
        likeness=likeness(original, made.unlearned, made.golds),
        persons=persons.against_golds(made.unlearned.recall, [gold.recall for gold in made.golds]),
        checks=made.checks,
        verdict=made.verdict,
        verdict_without_gold=made.without_gold,
        verdict_against_gold=made.against_gold,
        notes=_notes(parts, len(made.golds)),
    )


def _decisive(checks: Sequence[Check]) -> list[Check]:
    """All checks but those that could not be made without Gold and passed with it."""
    settled = {f"gold: {check.name}" for check in checks if check.about is About.FORGETTING} & {
        check.name for check in checks if check.state is State.PASSED
    }
    return [check for check in checks if not (check.state is State.NOT_ASSESSED and f"gold: {check.name}" in settled)]


def _both(verdict: State, against: Sequence[Check]) -> State:
    """With Golds that turned out to be no target, nothing passes."""
    void = any(check.name == "gold: training" and check.state is State.NOT_ASSESSED for check in against)
    return State.NOT_ASSESSED if void and verdict is State.PASSED else verdict


def moved(state: Measured, original: Measured, probe: Probe) -> Measured:
    """A state with what its lists show beside those of the original: marks, bystanders, harm to neighbours."""
    mark = probe.moved.lists_mark(original.lists, state.lists)
    recall = {"before": original.users_recall, "after": state.users_recall}
    more = {
        "marks": state.figures.marks | ({"lists": mark} if mark else {}),
        "bystanders": probe.moved.figures(original.lists, state.lists, recall),
        "harm": persons.harm(original.users_recall, state.users_recall, original.neighbours),
    }
    return replace(state, figures=state.figures.model_copy(update=more))


def alone(original: Measured, unlearned: Measured, parts: Partition) -> list[Check]:
    """Every check that needs no Gold, but the scan for residue."""
    before, after = original.figures, unlearned.figures
    error = paired_error(unlearned.recall, [UTILITY_SHARE * original.recall])
    asked = [
        *(target.value for target in sorted(targets_of(parts)) if target is not Target.MODALITIES),
        *(f"features {name}" for name in parts.lost_features),
    ]
    recognised = [
        recognition_check(kind, after.recognition[kind]) if kind in after.recognition else _unmeasured(kind, parts)
        for kind in asked
    ]
    who = unlearned.bystanders & ~np.isnan(original.users_recall)
    theirs = paired_error(unlearned.users_recall[who], [UTILITY_SHARE * original.users_recall[who]])
    marks = {name: mark for name, mark in after.marks.items() if name != "lists" or not parts.lost_features}
    return [
        utility_check(before, after, error, HEADLINE),
        *recognised,
        *mark_checks(marks),
        *bystander_checks(after.bystanders, theirs, features=bool(parts.lost_features)),
    ]


def _unmeasured(kind: str, parts: Partition) -> Check:
    what, _, name = kind.partition(" ")
    if what == "features" and name not in parts.retained.modalities:
        return unmeasured_check(kind, f"the model has no part for '{name}' any more, so nothing can be asked of it")
    return unmeasured_check(kind, "no held-out pair, or fewer than two training pairs, to compare with")


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
        f"overlap@{K}": similarity.overlap(first.lists, second.lists, K),
        "rbo": similarity.rank_biased_overlap(first.lists, second.lists),
    }
    found = {
        f"{name}{suffix}": float(values[mask].mean())
        for name, values in measures.items()
        for suffix, mask in groups.items()
        if mask.any()
    }
    distance = similarity.jensen_shannon(first.shares, second.shares).sqrt().mean()
    return {**found, "js_distance": float(distance)}


def _left(parts: Partition) -> str:
    found = {"user": int(parts.lost_users.sum()), "item": int(parts.lost_items.sum())}
    return " and ".join(f"{count:,} removed {word}{'s' if count > 1 else ''}" for word, count in found.items() if count)


def _notes(parts: Partition, golds: int) -> tuple[str, ...]:
    notes = [
        "Forgotten pairs are compared with held-out pairs of the same users or items, which nobody trained on: to a "
        "model that never saw the forgotten ones the two are alike.",
        "Forget recall takes the forgotten pairs as ground truth and masks retained positives only; "
        "Gold's need not be zero, because to Gold they are held-out data.",
    ]
    if lost_rows(parts):
        notes.append(
            f"{_left(parts)} have no row any more. For forget recall a newcomer stands in "
            "for each: a fresh row from one fixed seed, its own features, no interaction; the same in Gold."
        )
    if parts.lost_features:
        notes.append(
            "Items that lost features were shown as new, with those features alone, so that what the shared weights "
            "learned of them speaks and not the pairs that are kept."
        )
    if not golds:
        notes.append("No Gold run was given: the verdict rests on comparisons within this run.")
    if golds == 1:
        notes.append("One Gold has no spread; three or more make the gap readable.")
    notes.append("Not looked at: backups, logs, caches and indexes outside the run folder, and copies made by others.")
    return tuple(notes)

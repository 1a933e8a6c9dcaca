"""Compare measured runs, before with after and after with Gold: checks and verdicts."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from statistics import mean
from typing import NamedTuple

import numpy as np

from mmrecun.auditing import persons, similarity
from mmrecun.auditing.against_gold import gold_checks
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
from mmrecun.auditing.gaps import gaps_to_gold
from mmrecun.auditing.keys import GOLD_TRAINING, CheckName, GapKey, Kind, LikenessKey, MarkKind, Similarity, Users
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.ranked_lists import K
from mmrecun.auditing.result import About, AuditReport, Check, conclude
from mmrecun.auditing.setup import AuditSetup, newcomers_alone, removed_row_count
from mmrecun.evaluation.changes import list_overlap
from mmrecun.forget.partition import Partition, targets_of
from mmrecun.forget.request import Target
from mmrecun.keys import RECALL

BEYOND = (
    "Not taken away: the model before the request and its dataset, which hold what was forgotten until they are "
    "removed. Not looked at: backups, logs, caches and indexes outside the run folder, and copies made by others."
)


class CheckedRun(NamedTuple):
    """The checks of one run.

    Attributes:
        unlearned, golds: the states, with what their lists show beside those of the original.
        gaps: to Gold.
        checks: all of them, in order.
        without_gold, against_gold, verdict: see `AuditReport`.
    """

    unlearned: MeasuredRun
    golds: list[MeasuredRun]
    gaps: dict[GapKey, Gap]
    checks: tuple[Check, ...]
    without_gold: Outcome
    against_gold: Outcome
    verdict: Outcome


def check_run(
    partition: Partition,
    setup: AuditSetup,
    original: MeasuredRun,
    unlearned: MeasuredRun,
    golds: Sequence[MeasuredRun],
    residue_checks: Sequence[Check] = (),
) -> CheckedRun:
    """Check one unlearned run, by itself and against Golds; arguments as for `compare`."""
    unlearned, *others = (with_list_changes(state, original, setup) for state in (unlearned, *golds))
    gaps = gaps_to_gold(unlearned, others)
    own = checks_without_gold(original, unlearned, partition)
    against = gold_checks(gaps, original, unlearned, others, newcomers_alone(partition))
    checks = (*residue_checks, *own, *against)
    without = conclude((*residue_checks, *own))
    beside = conclude((*residue_checks, *against)) if others else Outcome.NOT_ASSESSED
    missed = [_failed(checks_without_gold(original, gold, partition)) for gold in others]
    verdict = _both(conclude(_decisive(checks, missed)), against) if others else without
    return CheckedRun(unlearned, others, gaps, checks, without, beside, verdict)


def compare(
    names: tuple[str, str, str],
    partition: Partition,
    setup: AuditSetup,
    original: MeasuredRun,
    unlearned: MeasuredRun,
    golds: Sequence[MeasuredRun],
    residue_checks: Sequence[Check] = (),
) -> AuditReport:
    """Make the audit report of one unlearned run from what was measured.

    Args:
        names: names of model, method and dataset.
        partition, setup: what every state was measured with.
        original, unlearned, golds: the states.
        residue_checks: checks of `residue.scan`.
    """
    made = check_run(partition, setup, original, unlearned, golds, residue_checks)
    model, method, dataset = names
    return AuditReport(
        model=model,
        method=method,
        dataset=dataset,
        forgotten=partition.counts(),
        states=tuple(state.figures for state in (original, made.unlearned, *made.golds)),
        gap=made.gaps,
        likeness=likeness(original, made.unlearned, made.golds),
        persons=persons.against_golds(made.unlearned.recall, [gold.recall for gold in made.golds]),
        checks=made.checks,
        verdict=made.verdict,
        verdict_without_gold=made.without_gold,
        verdict_against_gold=made.against_gold,
        notes=_notes(partition, len(made.golds)),
    )


def _failed(checks: Sequence[Check]) -> set[CheckName]:
    return {check.name for check in checks if check.state is Outcome.FAILED}


def _decisive(checks: Sequence[Check], missed: Sequence[set[CheckName]]) -> list[Check]:
    """Return all checks but those without Gold that say nothing here, where the same check with Gold passed.

    These are checks of forgetting that could not be made, and failed checks whose bound every Gold misses, too. Of
    marks, which no verdict needs, it is enough that the check with Gold is open.

    Args:
        checks: all checks of the run.
        missed: what each Gold fails by itself.
    """
    states = {check.name: check.state for check in checks}
    beyond_gold = set.intersection(*missed) if missed else set()

    def settled(check: Check) -> bool:
        beside = states.get(check.name.with_gold)
        if check.state is Outcome.FAILED and check.name in beyond_gold:
            is_open = beside is Outcome.NOT_ASSESSED and check.about is About.MARKS
            return is_open or beside is Outcome.PASSED
        open_here = check.state is Outcome.NOT_ASSESSED and check.about is About.FORGETTING
        return open_here and beside is Outcome.PASSED

    return [check for check in checks if not settled(check)]


def _both(verdict: Outcome, against: Sequence[Check]) -> Outcome:
    """Return the verdict; nothing passes if the Golds turn out not to be a target."""
    void = any(check.name == GOLD_TRAINING and check.state is Outcome.NOT_ASSESSED for check in against)
    return Outcome.NOT_ASSESSED if void and verdict is Outcome.PASSED else verdict


def with_list_changes(state: MeasuredRun, original: MeasuredRun, setup: AuditSetup) -> MeasuredRun:
    """Add what a run's lists show beside those of the original: marks, bystanders, harm to neighbours."""
    mark = setup.list_changes.lists_mark(original.lists, state.lists)
    recall = {"before": original.users_recall, "after": state.users_recall}
    more = {
        "marks": state.figures.marks | ({MarkKind.LISTS: mark} if mark else {}),
        "bystanders": setup.list_changes.measure(original.lists, state.lists, recall),
        "harm": persons.harm(original.users_recall, state.users_recall, original.neighbours),
    }
    return replace(state, figures=state.figures.model_copy(update=more))


def checks_without_gold(original: MeasuredRun, unlearned: MeasuredRun, partition: Partition) -> list[Check]:
    """Make every check that needs no Gold, except the scan for residue."""
    before, after = original.figures, unlearned.figures
    error = paired_error(unlearned.recall, [UTILITY_SHARE * original.recall])
    asked = [
        *(Kind(target) for target in sorted(targets_of(partition)) if target is not Target.MODALITIES),
        *(Kind.of_features(name) for name in partition.removed_features),
    ]
    recognised = [
        recognition_check(kind, after.recognition[kind]) if kind in after.recognition else _unmeasured(kind, partition)
        for kind in asked
    ]
    who = unlearned.bystanders & ~np.isnan(original.users_recall)
    theirs = paired_error(unlearned.users_recall[who], [UTILITY_SHARE * original.users_recall[who]])
    marks = {
        kind: mark for kind, mark in after.marks.items() if kind is not MarkKind.LISTS or not partition.removed_features
    }
    return [
        utility_check(before, after, error, RECALL),
        *recognised,
        *mark_checks(marks),
        *bystander_checks(after.bystanders, theirs, features=bool(partition.removed_features)),
    ]


def _unmeasured(kind: Kind, partition: Partition) -> Check:
    if kind.modality is not None and kind.modality not in partition.retained.modalities:
        reason = f"the model has no part for '{kind.modality}' any more, so nothing can be asked of it"
        return unmeasured_check(kind, reason)
    return unmeasured_check(kind, "no held-out pair, or fewer than two training pairs, to compare with")


def likeness(
    original: MeasuredRun, unlearned: MeasuredRun, golds: Sequence[MeasuredRun]
) -> dict[LikenessKey, Likeness]:
    """Measure how similar lists and scores are to Gold's, beside Gold against Gold; empty without Gold."""
    before, after = ([list_similarity(state, gold) for gold in golds] for state in (original, unlearned))
    among = [list_similarity(first, second) for first, second in combinations(golds, 2)]
    return {
        name: Likeness(
            original=mean(found[name] for found in before),
            unlearned=mean(found[name] for found in after),
            gold=mean(found[name] for found in among) if among else None,
        )
        for name in (before[0] if golds else ())
    }


def list_similarity(first: MeasuredRun, second: MeasuredRun) -> dict[LikenessKey, float]:
    """Compute how similar two runs are.

    Mean overlap and rank-biased overlap of the lists of all, affected and unaffected users, where there are any, and
    the mean Jensen-Shannon distance of the sampled users' scores.
    """
    everybody = np.ones(len(first.affected), dtype=bool)
    groups = {Users.ALL: everybody, Users.AFFECTED: first.affected, Users.UNAFFECTED: ~first.affected}
    measures = {
        Similarity.OVERLAP: list_overlap(first.lists[:, :K], second.lists[:, :K]),
        Similarity.RANK_BIASED: similarity.rank_biased_overlap(first.lists, second.lists),
    }
    found = {
        LikenessKey.named(measure, users): float(values[mask].mean())
        for measure, values in measures.items()
        for users, mask in groups.items()
        if mask.any()
    }
    distance = similarity.jensen_shannon(first.shares, second.shares).sqrt().mean()
    return {**found, LikenessKey.named(Similarity.DISTANCE): float(distance)}


def _removed_words(partition: Partition) -> str:
    found = {"user": int(partition.removed_users.sum()), "item": int(partition.removed_items.sum())}
    return " and ".join(f"{count:,} removed {word}{'s' if count > 1 else ''}" for word, count in found.items() if count)


def _notes(partition: Partition, golds: int) -> tuple[str, ...]:
    notes = [
        "Forgotten pairs are compared with held-out pairs of the same users or items, which no model was trained on: "
        "to a model that never saw the forgotten ones the two are alike.",
        "Forget recall takes the forgotten pairs as ground truth and masks retained positives only; "
        "Gold's need not be zero, because to Gold they are held-out data.",
    ]
    if removed_row_count(partition):
        notes.append(
            f"{_removed_words(partition)} have no row any more. For forget recall each is replaced by a newcomer: "
            "an untrained row from one fixed seed, its own features, no interaction; the same in Gold."
        )
    if partition.removed_features:
        notes.append(
            "Items that lost features were treated as new, with those features alone, so that only what the shared "
            "weights learned from them counts, and not the retained pairs."
        )
    if not golds:
        notes.append("No Gold run was given: the verdict rests on comparisons within this run.")
    if golds == 1:
        notes.append("A single Gold has no spread; three or more make the gaps meaningful.")
    notes.append(BEYOND)
    return tuple(notes)

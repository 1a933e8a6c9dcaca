"""The checks that rest on Gold: each figure within tolerance, and Golds that are trained well enough."""

from collections.abc import Sequence
from itertools import combinations
from statistics import mean

from mmrecun.arrays import Bools
from mmrecun.auditing.checks import TOO_VAGUE, mark_exceeds_gold, paired_error
from mmrecun.auditing.figures import Gap
from mmrecun.auditing.gaps import values_of
from mmrecun.auditing.keys import (
    BYSTANDER_LISTS,
    BYSTANDER_PLACES,
    FORGET_RECALL,
    GOLD_TRAINING,
    UTILITY,
    CheckName,
    Figure,
    GapKey,
    Kind,
    MarkKind,
    Question,
    recognition_name,
)
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.ranked_lists import K
from mmrecun.auditing.result import About, Check
from mmrecun.evaluation.changes import list_overlap

EDGE = 0.9  # share of a tolerance from which a gap is called at the edge
TRAINED_SHARE = 0.9  # of the best validation: a Gold below is undertrained
OVERLAP_MARGIN = 0.1  # by which lists may overlap less with Gold's than those of two Golds do


def undertrained(original: MeasuredRun, golds: Sequence[MeasuredRun]) -> list[str]:
    """Describe the Golds whose validation is well below that of the original or of the best Gold.

    Well below means less than nine tenths, by more than two standard errors over the same users; a single user shows
    nothing.
    """
    found = []
    best = max((state for state in (original, *golds)), key=lambda state: state.figures.valid or 0.0)
    for gold in golds:
        error = paired_error(gold.valid_recall, [TRAINED_SHARE * best.valid_recall])
        if gold.figures.valid is None or best.figures.valid is None or error is None:
            continue
        if gold.figures.valid < TRAINED_SHARE * best.figures.valid - 2 * error:
            other = "the original" if best is original else f"Gold {best.figures.run}"
            found.append(f"{gold.figures.run} reached {gold.figures.valid:.3f}, {other} {best.figures.valid:.3f}")
    return found


def training_check(original: MeasuredRun, golds: Sequence[MeasuredRun]) -> Check:
    """Check whether the Golds are trained well enough to be a target; if not, nothing passes against them."""
    users = min(len(gold.valid_recall) for gold in golds)
    if users < 2:
        few = "only one user has a retained validation pair" if users else "no validation pair is retained"
        detail = f"{few}, so how well the Golds are trained was not measured"
        return _not_assessed(GOLD_TRAINING, About.UTILITY, detail)
    found = undertrained(original, golds)
    scores = ", ".join(f"{gold.figures.valid:.3f}" for gold in golds if gold.figures.valid is not None)
    before = original.figures.valid
    state, detail = Outcome.PASSED, f"validation recall@20 of the Golds {scores}"
    if before is not None:
        detail += f", of the original {before:.3f}"
    if found:
        state, detail = Outcome.NOT_ASSESSED, f"undertrained: {'; '.join(found)} (validation recall@20); train it again"
    return Check(name=GOLD_TRAINING, state=state, detail=detail, about=About.UTILITY, against_gold=True)


def gold_checks(
    gaps: dict[GapKey, Gap],
    original: MeasuredRun,
    unlearned: MeasuredRun,
    golds: Sequence[MeasuredRun],
    newcomers: bool,
) -> list[Check]:
    """Make every check that rests on Gold; without any Gold the main ones, as not assessed.

    Args:
        gaps: of `unlearned` to the Golds.
        original, unlearned, golds: the states.
        newcomers: whether newcomers stand for all that was forgotten; see `setup.newcomers_alone`.
    """
    if not golds:
        names = (recognition_name(kind) for kind in unlearned.figures.recognition)
        about = {UTILITY: About.UTILITY, FORGET_RECALL: About.LEVEL, **dict.fromkeys(names, About.FORGETTING)}
        return [_not_assessed(name.with_gold, of, "no Gold was given") for name, of in about.items()]
    checks = [
        training_check(original, golds),
        _utility(gaps.get(GapKey.named(Figure.RETAIN))),
        _forget_recall(gaps.get(GapKey.named(Figure.FORGET)), newcomers),
    ]
    before = values_of(original.figures)
    for kind, found in unlearned.figures.recognition.items():
        key = GapKey.named(Figure.RECOGNITION, kind)
        known = before.get(key)
        checks.append(_recognition(kind, gaps.get(key), found.known_auc if known is None else known))
        if (place := gaps.get(GapKey.named(Figure.FOLD_IN, kind))) is not None:
            checks.append(_fold_in(kind, place))
    marks = {mark: gaps.get(GapKey.named(Figure.MARKS, mark)) for mark in unlearned.figures.marks}
    checks += [_mark(mark, gap) for mark, gap in marks.items() if gap is not None]
    if (places := gaps.get(GapKey.named(Figure.PLACES))) is not None:
        checks.append(_places(places))
    if unlearned.bystanders.any():
        checks.append(_overlap(unlearned, golds))
    if undertrained(original, golds):
        checks = [_not_assessed_if_passed(check) for check in checks]
    return checks


def _not_assessed_if_passed(check: Check) -> Check:
    if check.state is not Outcome.PASSED or check.name == GOLD_TRAINING:
        return check
    return check.model_copy(
        update={"state": Outcome.NOT_ASSESSED, "detail": f"{check.detail}; but Gold is undertrained"}
    )


def _gap_in_words(gap: Gap) -> str:
    edge = ", at the edge" if EDGE * gap.tolerance < abs(gap.difference) <= gap.tolerance else ""
    return (
        f"{gap.value:.4f} against {gap.gold_mean:.4f}, gap {gap.difference:+.4f} (tolerance {gap.tolerance:.4f}{edge})"
    )


def _utility(gap: Gap | None) -> Check:
    name = UTILITY.with_gold
    if gap is None:
        return _without_figure(name, About.UTILITY)
    lower = gap.difference < -gap.tolerance
    reading = "lower" if lower else "within tolerance" if gap.difference <= gap.tolerance else "higher"
    return _gold_check(name, not lower, f"{_gap_in_words(gap)}: {reading}", About.UTILITY)


def _forget_recall(gap: Gap | None, newcomers: bool) -> Check:
    """Check that forget recall is within tolerance; no pass if untrained newcomers replace all removed rows."""
    name = FORGET_RECALL.with_gold
    if gap is None:
        return _without_figure(name, About.LEVEL)
    within = abs(gap.difference) <= gap.tolerance
    reading = "within tolerance" if within else "over-forgotten" if gap.difference < 0 else "under-forgotten"
    check = _gold_check(name, within, f"{_gap_in_words(gap)}: {reading}", About.LEVEL)
    if not (within and newcomers):
        return check
    detail = f"{_gap_in_words(gap)}: removed rows are measured by untrained ones, so it says nothing about them"
    return check.model_copy(update={"state": Outcome.NOT_APPLICABLE, "detail": detail})


def _recognition(kind: Kind, gap: Gap | None, before: float | None) -> Check:
    """Check that recognition is within tolerance; passed only if a model that forgot nothing would have failed.

    Args:
        kind: kind of forgotten data.
        gap: gap of the AUC to Gold.
        before: AUC of the original, or of pairs that the model may know.
    """
    name = recognition_name(kind).with_gold
    if gap is None:
        return _without_figure(name, About.FORGETTING)
    within = abs(gap.difference) <= gap.tolerance
    reading = "within tolerance" if within else "over-forgotten" if gap.difference < 0 else "still recognised"
    check = _gold_check(name, within, f"{_gap_in_words(gap)}: {reading}", About.FORGETTING)
    if within and (before is None or before - gap.gold_mean < 2 * gap.tolerance):
        return check.model_copy(
            update={
                "state": Outcome.NOT_ASSESSED,
                "detail": f"{_gap_in_words(gap)}: an unchanged model might look the same",
            }
        )
    return check


def _fold_in(kind: Kind, gap: Gap) -> Check:
    within = abs(gap.difference) <= gap.tolerance
    reading = "within tolerance" if within else "over-forgotten" if gap.difference < 0 else "still recognised"
    detail = f"mean place of a forgotten pair, predicted from the owner's others, {_gap_in_words(gap)}: {reading}"
    check = _gold_check(CheckName.asking(Question.FOLD_IN, kind).with_gold, within, detail, About.LEVEL)
    return _not_assessed_if_vague(check, gap)


def _mark(kind: MarkKind, gap: Gap) -> Check:
    """Check that touched rows cannot be identified better than in Gold; in lists, by places gained or lost."""
    found = mark_exceeds_gold(kind, gap)
    reading = "touched rows stand out more than in Gold" if found else "no more than in Gold"
    name = CheckName.asking(Question.MARKS, kind).with_gold
    return _not_assessed_if_vague(_gold_check(name, not found, f"{_gap_in_words(gap)}: {reading}", About.MARKS), gap)


def _not_assessed_if_vague(check: Check, gap: Gap) -> Check:
    """Return a check of an AUC or a place; it does not pass if even a large gap would have been within tolerance."""
    if check.state is not Outcome.PASSED or gap.tolerance <= TOO_VAGUE:
        return check
    detail = f"{_gap_in_words(gap)}: too few to decide"
    return check.model_copy(update={"state": Outcome.NOT_ASSESSED, "detail": detail})


def _places(gap: Gap) -> Check:
    within = abs(gap.difference) <= gap.tolerance
    reading = "as in Gold" if within else "other than in Gold"
    detail = f"places that bystanders' lists give to touched items {_gap_in_words(gap)}: {reading}"
    return _gold_check(BYSTANDER_PLACES.with_gold, within, detail, About.BYSTANDERS)


def _overlap(unlearned: MeasuredRun, golds: Sequence[MeasuredRun]) -> Check:
    """Check that bystanders' lists are as similar to Gold's as those of two Golds are to each other."""
    name = BYSTANDER_LISTS.with_gold
    who = unlearned.bystanders
    own = [_mean_overlap(unlearned, gold, who) for gold in golds]
    among = [_mean_overlap(first, second, who) for first, second in combinations(golds, 2)]
    if not among:
        detail = f"overlap {mean(own):.3f} with the one Gold; two or more show how alike Golds are"
        return _not_assessed(name, About.BYSTANDERS, detail)
    least = min(among) - OVERLAP_MARGIN
    detail = f"overlap@20 with Gold {mean(own):.3f}, of Golds {mean(among):.3f} (at least {least:.3f})"
    return _gold_check(name, mean(own) >= least, detail, About.BYSTANDERS)


def _mean_overlap(first: MeasuredRun, second: MeasuredRun, who: Bools) -> float:
    """Compute the mean overlap of the lists of twenty of the users `who`, bool [M]."""
    return float(list_overlap(first.lists[who, :K], second.lists[who, :K]).mean())


def _gold_check(name: CheckName, passed: bool, detail: str, about: About) -> Check:
    state = Outcome.PASSED if passed else Outcome.FAILED
    return Check(name=name, state=state, detail=detail, about=about, against_gold=True)


def _without_figure(name: CheckName, about: About) -> Check:
    return _not_assessed(name, about, "this run or every Gold lacks the figure")


def _not_assessed(name: CheckName, about: About, detail: str) -> Check:
    return Check(name=name, state=Outcome.NOT_ASSESSED, detail=detail, about=about, against_gold=True)

"""The checks that need no Gold. Each turns figures into an outcome, with the figure and its bound in words."""

from collections.abc import Mapping

import numpy as np

from mmrecun.arrays import Doubles
from mmrecun.auditing.figures import Bystanders, Gap, Mark, Measurements, Recognition
from mmrecun.auditing.keys import (
    BYSTANDER_PLACES,
    BYSTANDER_RECALL,
    UTILITY,
    CheckName,
    Kind,
    MarkKind,
    Question,
    recognition_name,
)
from mmrecun.auditing.membership import capped_error
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import About, Check
from mmrecun.forget.request import Target
from mmrecun.keys import MetricKey
from mmrecun.text import counted

CHANCE, ERRORS = 0.5, 3.0  # three standard errors: an audit makes many checks, and Gold should pass them all
RECOGNITION_MARGIN, MARK_MARGIN = 0.02, 0.03  # smallest difference of an AUC that counts, however small its error
KNOWN_SHARE, SURELY_KNOWN = 0.4, 0.1  # share of pairs that look known: most for its upper end, and for its lower end
LAPSED_SHARE = 0.6  # of the excess AUC of kept features: what lapsed ones may have
SPLIT_MARGIN = 0.08  # level of the data alone above chance from which the split was not random
TOO_VAGUE = 0.15  # tolerance of an AUC above which the check is not assessed
UTILITY_SHARE = 0.95  # of the recall before
PLACES_MARGIN = 0.1  # share by which touched items may gain places in bystanders' lists


def paired_error(values: Doubles, references: list[Doubles]) -> float | None:
    """Return the standard error of mean(values - mean of references), all float64 [N] over the same users.

    None for N < 2.
    """
    same = [reference for reference in references if len(reference) == len(values)]
    if len(values) < 2 or not same:
        return None
    return float((values - np.mean(same, axis=0)).std(ddof=1) / np.sqrt(len(values)))


def recognition_check(kind: Kind, found: Recognition) -> Check:
    """Check forgotten pairs against held-out pairs of the same users: alike, still recognised, or over-forgotten.

    It fails if the AUC, or that of an attack with labels, differs from chance by more than the margin and three
    standard errors. It passes only if known pairs stand out, and the band of the share that still looks known starts at
    a tenth or less and ends at four tenths or less. A model that forgot nothing, or half, would then have failed.
    Otherwise it is not assessed. If the data alone, without any model, are found to distinguish forgotten from held-out
    pairs, the split was not random: the AUC may then be off by as much, and nothing passes.
    """
    if kind.target is Target.MODALITIES:
        return lapsed_check(kind, found)
    allowed = _allowed(found)
    state, reading = _recognition_outcome(found, allowed)
    whose = "items" if kind.target is Target.ITEMS else "users"
    detail = (
        f"AUC {found.auc:.3f} of {found.pairs:,} forgotten against {found.held_out:,} held-out pairs of the same "
        f"{whose} ({CHANCE} ± {min(allowed, CHANCE):.3f})"
    )
    if found.reference_auc is not None:
        detail += f"; {found.reference_auc:.3f} by the retained pairs alone"
    if allowed <= TOO_VAGUE and found.known_auc - CHANCE >= allowed:
        detail += f"; {share_words(found)} still look known"
    if found.attack_auc is not None:
        detail += f"; attack with labels {found.attack_auc:.3f}, {_or_chance(found.attack_level):.3f} without the model"
    return Check(name=recognition_name(kind), state=state, detail=f"{detail}: {reading}", about=About.FORGETTING)


def differs_from_chance(found: Recognition) -> bool:
    """Say whether the AUC differs from chance by more than is allowed after a random split."""
    return abs(found.auc - CHANCE) > _allowed(found)


def _allowed(found: Recognition) -> float:
    return max(RECOGNITION_MARGIN, ERRORS * _capped(found.auc_error, found))


def _capped(error: float, found: Recognition) -> float:
    return capped_error(error, found.comparable or found.pairs * found.held_out / (found.pairs + found.held_out))


def lapsed_check(kind: Kind, found: Recognition) -> Check:
    """Check how well lapsed features are known, compared with features that are kept.

    Gold itself is a little above 0.5, since the pairs are kept. The check fails if the AUC is above 0.5, and not below
    that of items that keep the modality, both by three standard errors. It passes if the AUC is below theirs, and its
    excess over 0.5 at most six tenths of theirs, with its error.
    """
    kept, error = found.known_auc - CHANCE, float(np.hypot(found.auc_error, found.known_auc_error))
    share, spread = ((found.auc - CHANCE) / kept, 2 * error / kept) if kept > 0 else (1.0, 1.0)
    bounds = f" ({share:.0%} ± {spread:.0%} of their excess over {CHANCE}, at most {LAPSED_SHARE:.0%})"
    below = found.auc <= found.known_auc - max(RECOGNITION_MARGIN, ERRORS * error)
    if kept < ERRORS * found.known_auc_error:
        state, reading, bounds = (
            Outcome.NOT_ASSESSED,
            "not even features that are kept are recognised, so nothing follows",
            "",
        )
    elif below and share + spread <= LAPSED_SHARE:
        state, reading = Outcome.PASSED, "known less than features that are kept"
    elif not below and found.auc - CHANCE > ERRORS * found.auc_error:
        state, reading = Outcome.FAILED, "known as well as features that are kept"
    elif not below:
        state, reading = Outcome.NOT_ASSESSED, "neither clearly below features that are kept nor above chance"
    else:
        state, reading = Outcome.NOT_ASSESSED, "known less than features that are kept, but not clearly"
    detail = (
        f"AUC {found.auc:.3f} of {counted(found.pairs, 'pair')} against {counted(found.held_out, 'held-out pair')} of "
        f"the same items, which are shown with the lapsed features alone; {found.known_auc:.3f} for items that keep "
        f"theirs{bounds}: {reading}"
    )
    return Check(name=recognition_name(kind), state=state, detail=detail, about=About.FORGETTING)


def _recognition_outcome(found: Recognition, allowed: float) -> tuple[Outcome, str]:
    away, level = found.auc - CHANCE, _or_chance(found.attack_level)
    # an attacker without information guesses, so a level below chance counts as chance
    attack = level if found.attack_auc is None else found.attack_auc
    reference = abs(_or_chance(found.reference_auc) - CHANCE)
    if max(abs(away), reference) <= allowed:  # chance may have moved either as far
        reference = 0.0
    # nobody knows in which direction a split that is not random moves a model
    apart = max(level - CHANCE, reference)
    apart = apart if apart > SPLIT_MARGIN else 0.0
    if away < -allowed - apart:
        return Outcome.FAILED, "over-forgotten"
    if away > allowed + apart:
        return Outcome.FAILED, "still recognised"
    if apart:
        return Outcome.NOT_ASSESSED, "the data alone distinguish such pairs, so only Gold can decide"
    error = _capped(found.attack_auc_error or 0.0, found)
    if attack - max(level, CHANCE) > max(MARK_MARGIN, ERRORS * error):
        return Outcome.FAILED, "recognised by an attack with labels"
    return _if_recognised_before(found, allowed)


def _or_chance(auc: float | None) -> float:
    return CHANCE if auc is None else auc


def _if_recognised_before(found: Recognition, allowed: float) -> tuple[Outcome, str]:
    """Decide whether pairs that look alike would differ in a model that forgot nothing."""
    if allowed > TOO_VAGUE:
        return Outcome.NOT_ASSESSED, "too few pairs to decide"
    if found.known_auc - CHANCE < allowed:
        return Outcome.NOT_ASSESSED, "not even retained pairs look known, so nothing follows"
    if found.known_share_low > SURELY_KNOWN:
        return Outcome.NOT_ASSESSED, "some of them may still be known"
    if found.known_share_high > KNOWN_SHARE:
        return Outcome.NOT_ASSESSED, "too few pairs to decide"
    return Outcome.PASSED, "alike"


def share_words(found: Recognition) -> str:
    """Describe the share that still looks known.

    If it may be zero, only its upper end is given, since a share is never below 0.
    """
    if found.known_share_low <= SURELY_KNOWN:
        return f"at most {found.known_share_high:.0%}"
    return f"{found.known_share:.0%} ({found.known_share_low:.0%} to {found.known_share_high:.0%})"


def unmeasured_check(kind: Kind, reason: str) -> Check:
    """Make the check of a kind of target that could not be compared with anything."""
    return Check(name=recognition_name(kind), state=Outcome.NOT_ASSESSED, detail=reason, about=About.FORGETTING)


def utility_check(original: Measurements, unlearned: Measurements, error: float | None, headline: MetricKey) -> Check:
    """Check that recall is at least 95 % of that before, less two standard errors over test users.

    Args:
        original, unlearned: figures before and after.
        error: standard error of after - 95 % of before, over the same users; None for a single user, who shows nothing.
        headline: the metric.
    """
    before, after, slack = original.retain.get(headline), unlearned.retain.get(headline), 2 * (error or 0.0)
    if before is None or after is None or error is None:
        some = before is not None and after is not None
        detail = f"{'only one' if some else 'no'} retained user with a training pair has a test pair"
        return Check(name=UTILITY, state=Outcome.NOT_ASSESSED, detail=detail, about=About.UTILITY)
    state = Outcome.PASSED if after >= UTILITY_SHARE * before - slack else Outcome.FAILED
    allowed = f"at least {UTILITY_SHARE:.0%}, less {slack:.4f}"
    detail = f"{headline} on retained test pairs {before:.4f} before, {after:.4f} after ({allowed})"
    return Check(name=UTILITY, state=state, detail=detail, about=About.UTILITY)


def mark_checks(marks: Mapping[MarkKind, Mark]) -> list[Check]:
    """Check whether affected rows stand out and lists reveal affected items; a kind without any is left out."""
    return [_mark_check(kind, mark) for kind, mark in marks.items()]


def _mark_check(kind: MarkKind, mark: Mark) -> Check:
    allowed = max(MARK_MARGIN, ERRORS * mark.auc_error)
    state, reading = Outcome.PASSED, "they do not stand out"
    if mark.auc - mark.level > allowed:
        state, reading = Outcome.FAILED, "what was touched can be identified"
    elif ERRORS * mark.auc_error > TOO_VAGUE:
        state, reading = Outcome.NOT_ASSESSED, "too few to decide"
    what, without = "places gained in everybody's lists", ""
    if kind is not MarkKind.LISTS:
        what = f"traits of {kind.noun[:-1]} rows"
        without = f"; {mark.level:.3f} from the retained pairs alone"
    detail = (
        f"AUC {mark.auc:.3f} of {mark.rows:,} touched against {mark.others:,} other {kind.noun} of equal degree, by "
        f"{what}{without} (at most {min(mark.level + allowed, 1.0):.3f}): {reading}"
    )
    return Check(name=CheckName.asking(Question.MARKS, kind), state=state, detail=detail, about=About.MARKS)


def mark_exceeds_gold(kind: MarkKind, gap: Gap) -> bool:
    """Say whether touched rows stand out more than in Gold, beyond the tolerance.

    A classifier that is worse than chance says nothing; touched items that lose places are listed as well as by gains.
    """
    if kind is MarkKind.LISTS:
        return abs(gap.value - CHANCE) > abs(gap.gold_mean - CHANCE) + gap.tolerance
    return gap.difference > gap.tolerance


def bystander_checks(found: Bystanders | None, error: float | None, features: bool = False) -> list[Check]:
    """Check whether the users least related to the request get different recommendations, or worse ones.

    Args:
        found: how their lists changed; None if they are too few.
        error: standard error of their recall after minus 95 % of that before; None for a single user with a test pair.
        features: whether items lost features; then their places change in Gold as well, up or down.
    """
    if found is None:
        detail = "fewer than 50 users have little or nothing to do with the request"
        return [Check(name=BYSTANDER_PLACES, state=Outcome.NOT_ASSESSED, detail=detail, about=About.BYSTANDERS)]
    if features or not (found.share_before or found.share_after):
        detail = "no touched item is in their lists"
        if features:
            detail = "items that lose features lose or gain places in Gold as well; only Gold shows how many"
        return [
            Check(name=BYSTANDER_PLACES, state=Outcome.NOT_APPLICABLE, detail=detail, about=About.BYSTANDERS),
            *_their_recall(found, error),
        ]
    rise = found.share_after > (1 + PLACES_MARGIN) * found.share_before
    pushed = rise and found.gain > ERRORS * found.gain_error
    detail = (
        f"touched items hold {found.share_after:.1%} of the places in the lists of the {found.users:,} users least "
        f"related to the request, {found.share_before:.1%} before: {'pushed up' if pushed else 'no more than chance'}"
    )
    places = Check(name=BYSTANDER_PLACES, state=_failed_if(pushed), detail=detail, about=About.BYSTANDERS)
    return [places, *_their_recall(found, error)]


def _their_recall(found: Bystanders, error: float | None) -> list[Check]:
    if found.recall_before is None or found.recall_after is None:
        return []
    if error is None:
        detail = "only one of them has a test pair"
        return [Check(name=BYSTANDER_RECALL, state=Outcome.NOT_ASSESSED, detail=detail, about=About.BYSTANDERS)]
    slack = 2 * error
    worse = found.recall_after < UTILITY_SHARE * found.recall_before - slack
    detail = (
        f"their recall@20 {found.recall_before:.4f} before, {found.recall_after:.4f} after "
        f"(at least {UTILITY_SHARE:.0%}, less {slack:.4f})"
    )
    return [Check(name=BYSTANDER_RECALL, state=_failed_if(worse), detail=detail, about=About.BYSTANDERS)]


def _failed_if(bad: bool) -> Outcome:
    return Outcome.FAILED if bad else Outcome.PASSED

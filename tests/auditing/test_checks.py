import numpy as np
import pytest

from mmrecun.auditing.checks import (
    bystander_checks,
    mark_checks,
    paired_error,
    recognition_check,
    unmeasured_check,
    utility_check,
)
from mmrecun.auditing.figures import Bystanders, Mark, Measurements, Recognition
from mmrecun.auditing.keys import Kind, MarkKind
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import About, Check, conclude


def recognised(auc: float, error: float = 0.01, share: tuple[float, float] = (0.0, 0.1), **more: float) -> Recognition:
    values = {"pairs": 900, "held_out": 300, "auc": auc, "auc_error": error, "known_auc": 0.9, "place": 0.8}
    low, high = share
    shares = {"known_share": (low + high) / 2, "known_share_low": low, "known_share_high": high}
    return Recognition.of({**values, **shares, **more})


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (recognised(0.51), Outcome.PASSED, "alike"),
        (recognised(0.60, share=(0.2, 0.5)), Outcome.FAILED, "still recognised"),
        (recognised(0.40), Outcome.FAILED, "over-forgotten"),
        (recognised(0.55, error=0.02), Outcome.PASSED, "alike"),
        (recognised(0.60, error=0.05), Outcome.FAILED, "still recognised"),
        (recognised(0.51, share=(0.0, 0.7)), Outcome.NOT_ASSESSED, "too few pairs"),
        (recognised(0.51, share=(0.2, 0.4)), Outcome.NOT_ASSESSED, "may still be known"),
        (recognised(0.6, attack_auc=0.71, attack_level=0.7), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.8, attack_auc=0.71, attack_level=0.7), Outcome.FAILED, "still recognised"),
        (recognised(0.51, known_auc=0.52), Outcome.NOT_ASSESSED, "nothing follows"),
        (recognised(0.51, attack_auc=0.7, attack_auc_error=0.01), Outcome.FAILED, "attack with labels"),
        (recognised(0.51, attack_auc=0.52, attack_auc_error=0.01), Outcome.PASSED, "alike"),
        (recognised(0.51, attack_auc=0.3, attack_auc_error=0.01), Outcome.PASSED, "alike"),
        # on either side of each bound: the margin of 0.02, three errors, and at most 1.5 of those of independent pairs
        (recognised(0.519, error=0.001), Outcome.PASSED, "alike"),
        (recognised(0.521, error=0.001), Outcome.FAILED, "still recognised"),
        (recognised(0.481, error=0.001), Outcome.PASSED, "alike"),
        (recognised(0.479, error=0.001), Outcome.FAILED, "over-forgotten"),
        (recognised(0.529), Outcome.PASSED, "alike"),
        (recognised(0.531), Outcome.FAILED, "still recognised"),
        (recognised(0.5 + 4.4 * np.sqrt(1200 / (12 * 900 * 300)), error=1), Outcome.PASSED, "alike"),
        (recognised(0.5 + 4.6 * np.sqrt(1200 / (12 * 900 * 300)), error=1), Outcome.FAILED, "still recognised"),
        # the data alone: 0.08 above chance, and no less is allowed for
        (recognised(0.51, attack_level=0.579), Outcome.PASSED, "alike"),
        (recognised(0.51, attack_level=0.581), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.535, attack_level=0.579), Outcome.FAILED, "still recognised"),
        (recognised(0.610, attack_level=0.581), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.612, attack_level=0.581), Outcome.FAILED, "still recognised"),
        # the same of vectors that know the retained pairs alone, in either direction
        (recognised(0.61, reference_auc=0.579), Outcome.FAILED, "still recognised"),
        (recognised(0.610, reference_auc=0.581), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.612, reference_auc=0.581), Outcome.FAILED, "still recognised"),
        (recognised(0.390, reference_auc=0.419), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.388, reference_auc=0.419), Outcome.FAILED, "over-forgotten"),
        (recognised(0.61, reference_auc=0.585, attack_level=0.4), Outcome.NOT_ASSESSED, "only Gold can decide"),
        # where the model itself is at chance, they count beyond what chance allows so many pairs
        (recognised(0.51, reference_auc=0.581), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.51, reference_auc=0.419), Outcome.NOT_ASSESSED, "only Gold can decide"),
        (recognised(0.51, reference_auc=0.579), Outcome.PASSED, "alike"),
        (recognised(0.51, error=0.04, pairs=20, held_out=20, reference_auc=0.61), Outcome.PASSED, "alike"),
        (recognised(0.51, error=0.04, pairs=20, held_out=20, reference_auc=0.63), Outcome.NOT_ASSESSED, "only Gold"),
        # an attack with labels: 0.03, and three errors, above its level or chance
        (recognised(0.51, attack_auc=0.529, attack_auc_error=0.001), Outcome.PASSED, "alike"),
        (recognised(0.51, attack_auc=0.531, attack_auc_error=0.001), Outcome.FAILED, "attack with labels"),
        (recognised(0.51, attack_auc=0.549, attack_auc_error=0.017), Outcome.PASSED, "alike"),
        (recognised(0.51, attack_auc=0.553, attack_auc_error=0.017), Outcome.FAILED, "attack with labels"),
        (recognised(0.51, attack_auc=0.535, attack_level=0.4), Outcome.FAILED, "attack with labels"),
        (recognised(0.51, attack_auc=0.585, attack_level=0.56), Outcome.PASSED, "alike"),
        # what a pass takes: a tolerance of at most 0.15, known pairs beyond it, and a small share that looks known
        (recognised(0.51, error=0.049, pairs=10, held_out=10), Outcome.PASSED, "alike"),
        (recognised(0.51, error=0.051, pairs=10, held_out=10), Outcome.NOT_ASSESSED, "too few pairs"),
        (recognised(0.51, known_auc=0.531), Outcome.PASSED, "alike"),
        (recognised(0.51, known_auc=0.529), Outcome.NOT_ASSESSED, "nothing follows"),
        (recognised(0.51, share=(0.099, 0.3)), Outcome.PASSED, "alike"),
        (recognised(0.51, share=(0.101, 0.3)), Outcome.NOT_ASSESSED, "may still be known"),
        (recognised(0.51, share=(0.0, 0.399)), Outcome.PASSED, "alike"),
        (recognised(0.51, share=(0.0, 0.401)), Outcome.NOT_ASSESSED, "too few pairs"),
    ],
)
def test_recognition_passes_only_where_a_model_that_did_nothing_would_fail(
    found: Recognition, state: Outcome, said: str
):
    check = recognition_check(Kind("users"), found)
    assert (check.state, check.about) == (state, About.FORGETTING)
    assert said in check.detail
    assert check.name == "residual co-occurrence: users"


@pytest.mark.parametrize(
    ("auc", "known", "error", "state"),
    [
        (0.75, 0.74, 0.01, Outcome.FAILED),
        (0.55, 0.74, 0.01, Outcome.PASSED),
        (0.45, 0.74, 0.01, Outcome.PASSED),
        (0.64, 0.74, 0.01, Outcome.NOT_ASSESSED),
        (0.50, 0.51, 0.01, Outcome.NOT_ASSESSED),
        # on either side of each bound: three errors of known pairs; three of the difference, or 0.02, below them; and
        # six tenths of their excess, with two errors
        (0.45, 0.529, 0.01, Outcome.NOT_ASSESSED),
        (0.45, 0.531, 0.01, Outcome.PASSED),
        (0.74 - 3.1 * 0.01 * np.sqrt(2), 0.74, 0.01, Outcome.NOT_ASSESSED),
        (0.74 - 2.9 * 0.01 * np.sqrt(2), 0.74, 0.01, Outcome.FAILED),
        (0.719, 0.74, 0.001, Outcome.NOT_ASSESSED),
        (0.721, 0.74, 0.001, Outcome.FAILED),
        (0.5 + 0.6 * 0.24 - 2.1 * 0.01 * np.sqrt(2), 0.74, 0.01, Outcome.PASSED),
        (0.5 + 0.6 * 0.24 - 1.9 * 0.01 * np.sqrt(2), 0.74, 0.01, Outcome.NOT_ASSESSED),
        # three errors above chance, for what cannot be told from known pairs
        (0.5 + 2.9 * 0.02, 0.57, 0.02, Outcome.NOT_ASSESSED),
        (0.5 + 3.1 * 0.02, 0.57, 0.02, Outcome.FAILED),
        # as far below known pairs as chance may be, and not clearly apart from either
        (0.50, 0.60, (0.08, 0.02), Outcome.NOT_ASSESSED),
        (0.60, 0.60, (0.08, 0.02), Outcome.NOT_ASSESSED),
        (0.75, 0.60, (0.08, 0.02), Outcome.FAILED),
        # within the margin of 0.02 below known pairs nothing passes, however small the errors
        (0.50, 0.519, 0.001, Outcome.NOT_ASSESSED),
    ],
)
def test_lapsed_features_are_held_against_those_that_are_kept(
    auc: float, known: float, error: float | tuple[float, float], state: Outcome
):
    own, theirs = error if isinstance(error, tuple) else (error, error)
    found = recognised(auc, error=own, known_auc=known, known_auc_error=theirs)
    check = recognition_check(Kind("features audio"), found)
    assert (check.name, check.state) == ("membership: features audio", state)


def test_the_evidence_is_in_words():
    detail = recognition_check(Kind("items"), recognised(0.512, attack_auc=0.5, attack_auc_error=0.01)).detail
    for word in (
        "AUC 0.512",
        "900 forgotten",
        "300 held-out",
        "same items",
        "0.5 ± 0.030",
        "at most 10% still",
        "labels 0.500",
    ):
        assert word in detail


@pytest.mark.parametrize(
    ("above", "error", "state"),
    [
        (0.02, 0.01, Outcome.PASSED),
        (0.1, 0.01, Outcome.FAILED),
        (-0.2, 0.01, Outcome.PASSED),
        (0.1, 0.06, Outcome.NOT_ASSESSED),
        # on either side of each bound: a margin of 0.03, three errors, and errors from which nothing follows
        (0.029, 0.001, Outcome.PASSED),
        (0.031, 0.001, Outcome.FAILED),
        (0.059, 0.02, Outcome.PASSED),
        (0.061, 0.02, Outcome.FAILED),
        (0.02, 0.049, Outcome.PASSED),
        (0.02, 0.051, Outcome.NOT_ASSESSED),
    ],
)
@pytest.mark.parametrize(("kind", "level"), [(MarkKind.LISTS, 0.5), (MarkKind.ITEMS, 0.7)])
def test_marks(kind: MarkKind, level: float, above: float, error: float, state: Outcome):
    (check,) = mark_checks({kind: Mark(rows=9, others=90, auc=level + above, level=level, auc_error=error)})
    assert (check.name, check.state, check.about) == (f"marks: {kind}", state, About.MARKS)


def bystanders(**more: float) -> Bystanders:
    values = {"users": 80, "overlap": 0.7, "share_before": 0.1, "share_after": 0.11, "gain": 0.001, "gain_error": 0.001}
    return Bystanders.of({**values, "recall_before": 0.4, "recall_after": 0.4, **more})


def test_bystanders_are_harmed_by_other_lists_or_by_worse_ones():
    assert [check.state for check in bystander_checks(bystanders(), 0.001)] == [Outcome.PASSED, Outcome.PASSED]
    pushed = bystander_checks(bystanders(share_after=0.5, gain=0.1), 0.001)
    assert [check.state for check in pushed] == [Outcome.FAILED, Outcome.PASSED]
    by_chance = bystander_checks(bystanders(share_after=0.5, gain=0.002), 0.001)
    assert by_chance[0].state is Outcome.PASSED
    worse = bystander_checks(bystanders(recall_after=0.3), 0.001)
    assert [check.state for check in worse] == [Outcome.PASSED, Outcome.FAILED]
    assert bystander_checks(bystanders(recall_after=0.3), 0.1)[1].state is Outcome.PASSED
    (nobody,) = bystander_checks(None, None)
    assert nobody.state is Outcome.NOT_ASSESSED
    only_one = bystander_checks(bystanders(recall_after=0.39), None)  # whose difference has no error
    assert [check.state for check in only_one] == [Outcome.PASSED, Outcome.NOT_ASSESSED]
    assert only_one[1].detail == "only one of them has a test pair"


@pytest.mark.parametrize(
    ("more", "states"),
    [  # on either side of each bound: a tenth more places, three errors of the gain, a twentieth of the recall
        ({"share_after": 0.1099, "gain": 0.1}, ("passed", "passed")),
        ({"share_after": 0.1101, "gain": 0.1}, ("failed", "passed")),
        ({"share_after": 0.5, "gain": 0.0029}, ("passed", "passed")),
        ({"share_after": 0.5, "gain": 0.0031}, ("failed", "passed")),
        ({"recall_after": 0.95 * 0.4 - 0.0019}, ("passed", "passed")),
        ({"recall_after": 0.95 * 0.4 - 0.0021}, ("passed", "failed")),
    ],
)
def test_bystanders_at_the_bounds(more: dict[str, float], states: tuple[str, str]):
    assert tuple(check.state for check in bystander_checks(bystanders(**more), 0.001)) == states


def figures(recall: float | None) -> Measurements:
    retain = {} if recall is None else {"recall@20": recall}
    return Measurements(name="unlearned", run="r", seed=0, seconds=1, retain=retain)


def test_a_twentieth_of_the_utility_may_be_lost_and_what_chance_can_take():
    def state(after: float | None, error: float | None = 0.0) -> Outcome:
        return utility_check(figures(0.100), figures(after), error, "recall@20").state

    assert state(0.0951) is Outcome.PASSED
    assert state(0.0949) is Outcome.FAILED
    assert state(0.0911, 0.002) is Outcome.PASSED
    assert state(0.0909, 0.002) is Outcome.FAILED
    assert state(None) is Outcome.NOT_ASSESSED
    assert state(0.0, None) is Outcome.NOT_ASSESSED  # one test user


def test_the_error_of_a_difference_is_that_of_paired_users():
    values, first, second = np.array([0.1, 0.5, 0.9]), np.array([0.0, 0.4, 0.9]), np.array([0.2, 0.2, 0.3])
    difference = values - (first + second) / 2
    assert paired_error(values, [first, second]) == pytest.approx(np.std(difference, ddof=1) / np.sqrt(3))
    assert paired_error(values[:1], [first[:1]]) is None


def made(about: About, state: Outcome = Outcome.PASSED) -> Check:
    return Check(name="c", state=state, detail="", about=about)


NEEDED = (made(About.REMOVAL), made(About.FORGETTING), made(About.UTILITY))


@pytest.mark.parametrize("left_out", range(3))
def test_a_verdict_passes_only_what_was_measured(left_out: int):
    assert conclude(NEEDED) is Outcome.PASSED
    rest = NEEDED[:left_out] + NEEDED[left_out + 1 :]
    assert conclude(rest) is Outcome.NOT_ASSESSED
    about = NEEDED[left_out].about
    for state in (Outcome.NOT_ASSESSED, Outcome.NOT_APPLICABLE):
        assert conclude((*rest, made(about, state))) is Outcome.NOT_ASSESSED
    assert conclude((*rest, made(about, Outcome.FAILED))) is Outcome.FAILED


def test_one_failure_or_one_kind_that_was_not_measured_is_no_pass():
    for about in About:
        assert conclude((*NEEDED, made(about, Outcome.FAILED))) is Outcome.FAILED
    assert conclude((*NEEDED, unmeasured_check(Kind("items"), "nothing to compare with"))) is Outcome.NOT_ASSESSED
    assert conclude((*NEEDED, made(About.MARKS, Outcome.NOT_ASSESSED))) is Outcome.PASSED
    assert conclude((*NEEDED, made(About.REMOVAL, Outcome.NOT_ASSESSED))) is Outcome.NOT_ASSESSED
    assert conclude((*NEEDED, made(About.REMOVAL, Outcome.NOT_APPLICABLE))) is Outcome.PASSED
    assert conclude(()) is Outcome.NOT_ASSESSED


def test_places_of_items_that_lost_features_are_golds_to_say():
    checks = bystander_checks(bystanders(share_after=0.5, gain=0.1), 0.001, features=True)
    assert [check.state for check in checks] == [Outcome.NOT_APPLICABLE, Outcome.PASSED]


def test_places_that_nobody_was_shown_are_no_question():
    checks = bystander_checks(bystanders(share_before=0.0, share_after=0.0), 0.001)
    assert [check.state for check in checks] == [Outcome.NOT_APPLICABLE, Outcome.PASSED]

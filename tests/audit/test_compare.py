from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.audit.compare import alike, compare, gaps_to_gold, gold_checks, likeness, membership, paired_error, utility
from mmrecun.audit.measure import Measured
from mmrecun.audit.membership import Group, contributions, spread
from mmrecun.audit.probes import Probe, probe_of
from mmrecun.audit.verdict import Check, Figures, State, conclude
from mmrecun.data.dataset import Dataset
from mmrecun.data.forget import ForgetRequest, Partition, partition, retain

PAIRS, USERS = 400, 200


def figures(name: str, kept: float = 0.1, forget: float = 0.03, auc: float = 0.4, **more: object) -> Figures:
    values = {"name": name, "run": "r", "seed": 0, "seconds": 1, "auc": auc, "auc_matched": auc}
    return Figures.of({**values, "retain": {"recall@20": kept}, "forget": {"recall@20": forget}, **more})


def state(name: str, kept: float = 0.1, forget: float = 0.03, auc: float = 0.4, **more: object) -> Measured:
    """Users and pairs vary, and alike in every state, so that only the mean differs."""
    wave = np.sin(np.arange(USERS)) / 10
    ranks = np.linspace(0, 1, PAIRS, dtype=np.float32)
    owners, one = np.arange(PAIRS) % 40, np.ones(PAIRS, dtype=np.int64)
    rng = np.random.default_rng(len(name))
    return Measured(
        figures=figures(name, kept, forget, auc, **more),
        affected=np.arange(USERS) < 50,
        lists=np.stack([rng.permutation(60)[:50] for _ in range(USERS)]),
        recall=wave + kept,
        forget_recall=wave + forget,
        forgotten=Group(ranks, one, owners),
        controls=Group(ranks, one, owners),
        shares=torch.full((3, 4), 0.25, dtype=torch.float64),
    )


GOLDS = [state("gold", 0.10, 0.02, 0.40), state("gold", 0.12, 0.04, 0.42), state("gold", 0.11, 0.03, 0.41)]


def outcome(kept: float, forget: float, auc: float) -> list[State]:
    return [check.state for check in gold_checks(gaps_to_gold(state("unlearned", kept, forget, auc), GOLDS))]


def test_the_gap_is_signed_and_scaled_by_golds_spread():
    gap = gaps_to_gold(state("unlearned", 0.13, 0.03, 0.31), GOLDS)
    assert gap["retain_recall@20"].difference == pytest.approx(0.02)
    assert gap["retain_recall@20"].z == pytest.approx(2.0)
    assert gap["auc_matched"].difference == pytest.approx(-0.10)
    assert gap["auc_matched"].tolerance == pytest.approx(0.02)


def test_forgetting_less_and_more_than_gold_both_fail():
    assert outcome(0.11, 0.03, 0.41) == [State.PASSED] * 3
    assert outcome(0.11, 0.20, 0.60) == [State.PASSED, State.FAILED, State.FAILED]
    assert outcome(0.11, 0.03, 0.10) == [State.PASSED, State.PASSED, State.FAILED]


def test_lost_utility_fails_and_better_utility_does_not():
    assert outcome(0.05, 0.03, 0.41)[0] is State.FAILED
    assert outcome(0.20, 0.03, 0.41)[0] is State.PASSED


def test_one_gold_has_no_z():
    gap = gaps_to_gold(state("unlearned"), GOLDS[:1])
    assert gap["auc"].z is None
    assert gap["auc"].gold_std is None


def test_newcomers_have_the_tolerance_of_their_fresh_rows():
    gap = gaps_to_gold(state("unlearned", auc_newcomers=0.45), [state("gold", auc_newcomers=0.5)])["auc_newcomers"]
    assert (gap.difference, gap.tolerance) == pytest.approx((-0.05, 0.08))


def test_without_gold_nothing_is_claimed_about_gold():
    checks = gold_checks(gaps_to_gold(GOLDS[0], []))
    assert {check.state for check in checks} == {State.NOT_ASSESSED}
    assert all(check.against_gold for check in checks)


def test_the_error_of_a_difference_is_that_of_paired_users():
    values, first, second = np.array([0.1, 0.5, 0.9]), np.array([0.0, 0.4, 0.9]), np.array([0.2, 0.2, 0.3])
    difference = values - (first + second) / 2
    expected = np.std(difference, ddof=1) / np.sqrt(3)
    assert paired_error(values, [first, second]) == pytest.approx(expected)
    assert paired_error(values[:1], [first[:1]]) is None


def test_the_error_of_an_auc_gap_is_that_of_paired_pairs():
    rng = np.random.default_rng(0)
    one = state("unlearned", 0.1)
    changed = state("gold")
    moved = Group(rng.random(PAIRS), changed.forgotten.strata, changed.forgotten.owners)
    object.__setattr__(changed, "forgotten", moved)
    first, second = contributions(one.forgotten, one.controls), contributions(moved, changed.controls)
    expected = spread((first[0] - second[0], first[1] - second[1]), moved.owners, changed.controls.owners)
    gap = gaps_to_gold(one, [changed])["auc_matched"]
    assert gap.error == pytest.approx(expected)
    assert gap.tolerance == pytest.approx(max(0.02, 2 * expected))


def test_agreement_that_rests_on_a_handful_of_pairs_is_not_claimed():
    lone = state("unlearned")
    object.__setattr__(lone, "forgotten", Group(np.array([0.5, 0.6]), np.ones(2, dtype=int), np.zeros(2, dtype=int)))
    check = gold_checks(gaps_to_gold(lone, [lone]))[2]
    assert check.state is State.NOT_ASSESSED
    assert "too few pairs" in check.detail


@pytest.fixture(scope="module")
def scene(dataset: Dataset) -> tuple[Partition, Probe]:
    parts = partition(dataset, retain(dataset, ForgetRequest(users=(dataset.users.names[0],))))
    return parts, probe_of(parts)


@pytest.mark.parametrize(
    ("auc", "error", "outcome", "said"),
    [
        (0.52, 0.01, State.PASSED, "alike"),
        (0.70, 0.01, State.FAILED, "still recognised"),
        (0.63, 0.072, State.PASSED, "alike"),
        (0.60, 0.20, State.NOT_ASSESSED, "too few pairs"),
    ],
)
@pytest.mark.parametrize("which", ["auc_matched", "auc_newcomers"])
def test_membership_without_gold(
    scene: tuple[Partition, Probe], auc: float, error: float, outcome: State, said: str, which: str
):
    measured = figures("unlearned", auc=0.9, **{which: auc, f"{which}_error": error})
    check = membership(measured, scene[1])
    assert check.state is outcome
    assert said in check.detail
    assert not check.against_gold


def test_membership_of_nothing_is_not_assessed(scene: tuple[Partition, Probe]):
    nothing = Figures(name="unlearned", run="r", seed=0, seconds=1, retain={})
    assert membership(nothing, scene[1]).state is State.NOT_ASSESSED


@pytest.mark.parametrize(
    ("which", "outcome", "said"),
    [("auc_matched", State.FAILED, "over-forgotten"), ("auc_newcomers", State.PASSED, "less known")],
)
def test_pairs_can_be_marked_but_rows_that_are_gone_cannot(
    scene: tuple[Partition, Probe], which: str, outcome: State, said: str
):
    check = membership(state("unlearned", **{which: 0.30, f"{which}_error": 0.01}).figures, scene[1])
    assert (check.state, said in check.detail) == (outcome, True)


def test_a_twentieth_of_the_utility_may_be_lost_and_what_chance_can_take():
    before = state("original", 0.100)
    assert utility(before, state("unlearned", 0.096)).state is State.PASSED
    assert utility(before, state("unlearned", 0.093)).state is State.FAILED
    noisy = state("unlearned", 0.093)
    object.__setattr__(noisy, "recall", np.random.default_rng(0).permutation(noisy.recall))
    assert utility(before, noisy).state is State.PASSED


def test_the_two_verdicts_rest_on_their_own_checks(scene: tuple[Partition, Probe]):
    parts, probe = scene
    residue = (Check(name="residue: ids", state=State.PASSED, detail=""),)
    new = {"auc_newcomers": 0.5, "auc_newcomers_error": 0.01}
    names = ("m", "n", "d")
    golds = [state("gold", *values, **new) for values in ((0.10, 0.02, 0.40), (0.12, 0.04, 0.42), (0.11, 0.03, 0.41))]
    far = compare(names, parts, probe, state("original"), state("unlearned", forget=0.2, **new), golds, residue)
    assert (far.verdict_without_gold, far.verdict_against_gold, far.verdict) == ("passed", "failed", "failed")
    shifted = [state("gold", *values, **{**new, "auc_newcomers": 0.6}) for values in ((0.11, 0.03, 0.41),)]
    marked = state("unlearned", 0.11, 0.03, 0.41, **{**new, "auc_newcomers": 0.6})
    near = compare(names, parts, probe, state("original"), marked, shifted, residue)
    assert (near.verdict_without_gold, near.verdict_against_gold, near.verdict) == ("failed", "passed", "failed")
    alone = compare(names, parts, probe, state("original"), marked, [], residue)
    assert (alone.verdict_against_gold, alone.likeness) == ("not assessed", {})
    left = (Check(name="residue: ids", state=State.FAILED, detail=""),)
    dirty = compare(names, parts, probe, state("original"), state("unlearned", **new), golds, left)
    assert (dirty.verdict_without_gold, dirty.verdict_against_gold) == ("failed", "failed")


def test_likeness_has_gold_against_gold_as_its_yardstick():
    golds = [state("gold"), state("gold", auc=0.5)]
    found = likeness(state("original"), state("gold"), golds)
    assert set(found) == {
        f"{name}{suffix}" for name in ("overlap@20", "rbo") for suffix in ("", "_affected", "_unaffected")
    } | {"js_distance"}
    assert found["overlap@20"].unlearned == found["overlap@20"].gold == pytest.approx(1)
    assert found["rbo"].gold == pytest.approx(1)
    assert 0.2 < found["overlap@20"].original < 0.5
    assert found["js_distance"].unlearned == pytest.approx(0)
    assert likeness(state("original"), state("gold"), golds[:1])["rbo"].gold is None


def test_affected_users_are_compared_apart():
    first, second = state("gold"), state("gold")
    lists = second.lists.copy()
    lists[~second.affected] = lists[~second.affected][:, ::-1]
    object.__setattr__(second, "lists", lists)
    found = alike(first, second)
    assert found["overlap@20_affected"] == pytest.approx(1)
    assert found["overlap@20_unaffected"] == pytest.approx(0)
    assert found["overlap@20"] == pytest.approx(0.25)


def test_one_failed_check_fails_the_audit():
    passed, failed, unknown = (Check(name="c", state=state, detail="") for state in State)
    assert conclude((passed, failed, unknown)) is State.FAILED
    assert conclude((passed, unknown)) is State.PASSED
    assert conclude((unknown,)) is State.NOT_ASSESSED


@pytest.mark.parametrize(("auc", "outcome"), [(0.51, State.NOT_ASSESSED), (0.7, State.FAILED), (0.3, State.FAILED)])
def test_membership_of_lost_features_can_fail_but_not_pass_without_gold(dataset: Dataset, auc: float, outcome: State):
    parts = partition(dataset, retain(dataset, ForgetRequest(modalities={"audio": tuple(dataset.items.names[:9])})))
    probe, after = probe_of(parts), state("unlearned", auc_matched=auc, auc_matched_error=0.01)
    assert membership(after.figures, probe).state is outcome
    report = compare(("m", "n", "d"), parts, probe, state("original"), after, ())
    assert report.verdict is report.verdict_without_gold is outcome


def test_the_contract_names_both_verdicts_and_every_auc(scene: tuple[Partition, Probe], tmp_path: Path):
    report = compare(("m", "n", "d"), *scene, state("original"), state("unlearned"), GOLDS)
    contract = report.contract()
    assert {"retain", "forget", "membership", "gap", "checks", "verdict"} <= set(contract)
    assert {"verdict_without_gold", "verdict_against_gold", "likeness"} <= set(contract)
    assert contract["membership"]["auc_matched"] == 0.4

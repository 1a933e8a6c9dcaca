import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.auditing.membership import (
    PairGroup,
    auc,
    clustered_error,
    contributions,
    histogram,
    matched_auc,
    random_controls,
)
from mmrecun.data.dataset import Dataset
from mmrecun.evaluation.stratified import stratified_auc

shares = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=20)


@settings(deadline=None)
@given(shares, shares)
def test_auc_equals_the_loop_over_all_pairs(positives: list[float], controls: list[float]):
    wins = sum((p > c) + 0.5 * (p == c) for p in positives for c in controls)
    assert np.isclose(auc(np.array(positives), np.array(controls)), wins / (len(positives) * len(controls)))


def test_auc_of_nothing_is_not_a_number():
    assert auc(np.array([]), np.array([1.0])) is None


def group(rng: np.random.Generator, size: int, owners: int, sway: float = 0.0) -> PairGroup:
    """Percentiles that share a push per owner."""
    owner = rng.integers(owners, size=size)
    push = rng.normal(size=owners)[owner] * sway
    return PairGroup(rng.random(size) + push, rng.choice([65, 130], size), owner)


def test_the_matched_auc_is_the_stratified_one():
    rng = np.random.default_rng(0)
    forgotten, controls = group(rng, 50, 9), group(rng, 70, 9)
    expected = stratified_auc(forgotten.percentiles, forgotten.strata, controls.percentiles, controls.strata)
    assert matched_auc(forgotten, controls).value == pytest.approx(expected)
    own, theirs = contributions(forgotten, controls)
    assert own.sum() == pytest.approx(expected - 0.5)
    assert theirs.sum() == pytest.approx(0)


@pytest.mark.parametrize("sway", [0.0, 1.0])
def test_the_error_is_the_spread_over_repeated_draws(sway: float):
    rng = np.random.default_rng(1)
    drawn = [matched_auc(group(rng, 300, 40, sway), group(rng, 400, 50, sway)) for _ in range(200)]
    true = np.std([estimate.value for estimate in drawn])
    assert np.mean([estimate.error for estimate in drawn]) == pytest.approx(true, rel=0.2)


def test_pairs_of_one_user_say_little():
    rng = np.random.default_rng(2)
    lone = group(rng, 100, 1)
    others = group(rng, 100, 20)
    apart = PairGroup(others.percentiles, others.strata, others.owners + 1)
    assert matched_auc(lone, apart).error > 0.28
    assert matched_auc(lone, group(rng, 100, 1)).error < 0.05
    assert clustered_error((np.zeros(3), np.zeros(2)), np.arange(3), np.arange(2)) == 0


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_error_over_a_few_owners_is_that_of_their_sums(count: int):
    rng = np.random.default_rng(count)
    own, theirs = np.abs(rng.normal(size=5 * count)), rng.normal(size=4 * count)
    owners, control_owners = np.arange(len(own)) % count, np.arange(len(theirs)) % count
    sums = [(own - own.mean())[owners == n].sum() + theirs[control_owners == n].sum() for n in range(count)]
    sums[0] += 50 - theirs[0]
    theirs[0] = 50  # so that the owners differ by more than their pairs do
    expected = np.sqrt(np.square(sums).sum() * count / (count - 1))
    assert clustered_error((own, theirs), owners, control_owners) == pytest.approx(expected)


def test_nothing_to_match_is_no_estimate():
    rng = np.random.default_rng(3)
    empty = PairGroup(np.array([]), np.array([], dtype=int), np.array([], dtype=int))
    assert matched_auc(empty, group(rng, 5, 2)) is None
    assert matched_auc(group(rng, 5, 2), empty) is None


def test_histogram_holds_every_percentile():
    assert histogram(np.array([0.0, 0.5, 1.0]), bins=2) == (1 / 3, 2 / 3)
    assert histogram(np.array([])) == ()


def test_random_controls_were_never_seen(dataset: Dataset):
    train = dataset.train
    drawn = random_controls(train, train, len(dataset.users), len(dataset.items), np.random.default_rng(0))
    assert not train.contains(drawn.users, drawn.items, len(dataset.items)).any()
    assert set(drawn.users) <= set(train.users)


def test_a_handful_that_falls_to_one_side_proves_nothing():
    few = PairGroup(np.array([0.9, 0.95]), np.array([64, 64]), np.array([0, 0]))
    one = PairGroup(np.array([0.1]), np.array([64]), np.array([0]))
    assert matched_auc(few, one) == (1.0, pytest.approx(np.sqrt(4 / 24)))

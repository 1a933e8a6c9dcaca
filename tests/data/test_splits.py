"""Splits and cores, counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data import splits
from mmrecun.data.interactions import Split
from mmrecun.data.splits import k_core, leave_k_out, random_split, temporal_split
from mmrecun.errors import DataError
from mmrecun.rng import Seed


def counts_per_user(users, labels):
    return {u: [int(((users == u) & (labels == split)).sum()) for split in Split] for u in np.unique(users).tolist()}


@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_a_random_split_is_eight_to_one_to_one_for_each_user(counts, seed):
    users = np.repeat(np.arange(len(counts)), counts)
    labels = random_split(np.random.default_rng(seed).permutation(users), Seed(seed))
    assert labels.dtype == np.int8
    per_user = counts_per_user(np.random.default_rng(seed).permutation(users), labels)
    for user, total in enumerate(counts):
        held_out = 0 if total < 3 else max(1, round(total * 0.1))
        assert per_user[user] == [total - 2 * held_out, held_out, held_out]


def test_a_random_split_follows_its_seed_and_spares_no_place():
    users = np.repeat(np.arange(400), 10)
    assert (random_split(users, Seed(1)) == random_split(users, Seed(1))).all()
    assert (random_split(users, Seed(1)) != random_split(users, Seed(2))).any()
    tested = (random_split(users, Seed(1)).reshape(400, 10) == Split.TEST).sum(axis=0)
    assert tested.sum() == 400
    assert tested.min() > 15


@given(seed=st.integers(0, 10**6), users=st.sampled_from([3, 40, 2000]), rows=st.sampled_from([1, 30, 3000]))
@settings(max_examples=30)
def test_a_random_split_holds_out_the_largest_draws_of_each_user(seed, users, rows):
    of = (np.random.default_rng(seed).random(rows) ** 3 * users).astype(np.int64)
    draws, labels = Seed(seed).numpy().random(rows), random_split(of, Seed(seed))
    for user in np.unique(of):
        mine = np.flatnonzero(of == user)
        held = 0 if len(mine) < 3 else max(1, round(len(mine) * 0.1))
        last = mine[np.argsort(draws[mine])]
        expected = [Split.TRAIN] * (len(mine) - 2 * held) + [Split.VALID] * held + [Split.TEST] * held
        assert labels[last].tolist() == expected


def test_draws_that_differ_in_late_digits_alone_are_told_apart():
    """Many users and rows leave few bits for a draw; equal leading ones are followed by the others."""
    users = np.array([7, 2**40, 2**40, 2**40, 2**40])
    draws = np.array([0.1, 0.5 + 2e-9, 0.5, 0.5 + 1e-9, 0.2])
    assert splits._by_user(users, draws).tolist() == [0, 4, 2, 3, 1]


def test_a_split_of_nothing_is_empty_and_times_that_are_no_number_are_the_last():
    assert len(random_split(np.zeros(0, dtype=np.int64), Seed(0))) == 0
    times = np.where(np.arange(100) % 10 == 3, np.nan, np.arange(100.0))
    labels = leave_k_out(np.repeat(np.arange(10), 10), times).reshape(10, 10)
    assert (labels[:, 3] == Split.TEST).all()
    assert (labels[:, 9] == Split.VALID).all()


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 10**6)), min_size=1, max_size=40, unique=True),
    k=st.integers(1, 3),
)
def test_leave_k_out_takes_the_last_of_each_user(rows, k):
    users, order = (np.array(column) for column in zip(*rows, strict=True))
    labels = leave_k_out(users, order, k)
    for user in np.unique(users):
        mine = labels[users == user][np.argsort(order[users == user])].tolist()
        train = len(mine) - 2 * k
        expected = (
            [Split.TRAIN] * train + [Split.VALID] * k + [Split.TEST] * k if train > 0 else [Split.TRAIN] * len(mine)
        )
        assert mine == expected


def test_a_temporal_split_never_learns_from_the_future():
    timestamps = np.random.default_rng(0).permutation(1000)
    labels = temporal_split(timestamps)
    times = [timestamps[labels == split] for split in Split]
    assert times[0].max() < times[1].min()
    assert times[1].max() < times[2].min()
    assert [len(part) for part in times] == pytest.approx([800, 100, 100], abs=2)


def test_equal_timestamps_stay_together():
    timestamps = np.repeat(np.arange(10), 10)
    labels = temporal_split(timestamps).reshape(10, 10)
    assert (labels == labels[:, :1]).all()


@pytest.mark.parametrize("timestamps", [np.zeros(20), np.repeat([0, 1], [2, 18]), np.repeat([0, 1], [18, 2])])
def test_too_few_moments_are_refused(timestamps):
    with pytest.raises(DataError, match="timestamps"):
        temporal_split(timestamps)


def brute_core(pairs, k):
    pairs = set(pairs)
    while True:
        weak = {(u, i) for u, i in pairs if sum(p[0] == u for p in pairs) < k or sum(p[1] == i for p in pairs) < k}
        if not weak:
            return pairs
        pairs -= weak


@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), unique=True, min_size=1, max_size=35),
    k=st.integers(1, 4),
)
@settings(deadline=None)
def test_a_core_agrees_with_brute_force(pairs, k):
    users, items = (np.array(column) for column in zip(*pairs, strict=True))
    expected = brute_core(pairs, k)
    if not expected:
        with pytest.raises(DataError, match=f"{k}-core"):
            k_core(users, items, k)
        return
    kept = k_core(users, items, k)
    assert {pair for pair, keep in zip(pairs, kept, strict=True) if keep} == expected


def test_the_core_of_nothing_is_refused():
    nothing = np.empty(0, dtype=np.int64)
    with pytest.raises(DataError, match="no interaction is left"):
        k_core(nothing, nothing, 1)

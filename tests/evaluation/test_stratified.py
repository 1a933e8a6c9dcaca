import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError
from mmrecun.evaluation.stratified import degree_bins, degrees, nearest_free, strata, stratified_auc


def pairs(*entries: tuple[int, int]) -> Interactions:
    users, items = np.array(entries, dtype=np.int64).reshape(-1, 2).T
    return Interactions(users, items, np.zeros(len(users), dtype=np.int8))


group = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([65, 66, 130, 3])), min_size=1)


@settings(deadline=None)
@given(group, group)
def test_the_auc_equals_a_loop_over_strata_with_its_two_fallbacks(
    forgotten: list[tuple[float, int]], controls_: list[tuple[float, int]]
):
    total, weights = 0.0, 0.0
    in_common = {s for _, s in forgotten} & {s for _, s in controls_}
    for value, stratum in forgotten:
        own = [v for v, s in controls_ if s == stratum]
        rivals = own or [v for v, s in controls_ if s // 64 == stratum // 64] or [v for v, _ in controls_]
        weight = len(own) / (len(own) + sum(s == stratum for _, s in forgotten)) if in_common else 1.0
        total += weight * np.mean([(value > rival) + 0.5 * (value == rival) for rival in rivals])
        weights += weight
    (values, where), (controls, there) = (map(np.array, zip(*rows, strict=True)) for rows in (forgotten, controls_))
    assert stratified_auc(values, where, controls, there) == pytest.approx(total / weights)


def test_many_pairs_that_share_one_control_do_not_outweigh_the_others():
    """A thousand pairs below the one control of their stratum, among two hundred that are like their controls."""
    rng = np.random.default_rng(0)
    where, there = np.repeat([64, 128], [1000, 200]), np.repeat([64, 128], [1, 200])
    forgotten, controls = rng.random(1200) * 0.9, np.append(1.0, rng.random(200) * 0.9)
    assert stratified_auc(forgotten, where, controls, there) == pytest.approx(0.5, abs=0.05)


def test_popularity_alone_is_no_membership():
    """Popular pairs rank high and are forgotten more often; within a stratum nothing tells them apart."""
    rng = np.random.default_rng(0)
    where, there = rng.choice([64, 128], 4000, p=[0.2, 0.8]), rng.choice([64, 128], 4000, p=[0.8, 0.2])
    forgotten, controls = (rng.random(4000) * 0.5 + 0.5 * (s == 128) for s in (where, there))
    same = np.zeros(4000, dtype=np.int64)
    assert stratified_auc(forgotten, same, controls, same) > 0.75
    assert stratified_auc(forgotten, where, controls, there) == pytest.approx(0.5, abs=0.03)


def test_nothing_to_compare_is_no_number():
    none, one = np.array([]), np.array([0.5])
    assert stratified_auc(none, none.astype(int), one, np.array([1])) is None
    assert stratified_auc(one, np.array([1]), none, none.astype(int)) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 6))
def test_bins_rise_with_the_degree_and_share_the_pairs(counts: list[int], bins: int):
    degree = np.array(counts)
    found = degree_bins(degree, bins)
    assert ((found == 0) == (degree == 0)).all()
    assert found.max() <= bins
    order = np.argsort(degree)
    assert (np.diff(found[order]) >= 0).all()
    assert all(len(set(found[degree == value])) == 1 for value in counts)


def test_a_stratum_joins_both_degrees_or_one():
    train = pairs((0, 0), (0, 1), (0, 2), (1, 0), (2, 0))
    users, items = degrees(train, 4, 4)
    assert (users.tolist(), items.tolist()) == ([3, 1, 1, 0], [3, 1, 1, 0])
    asked = pairs((0, 0), (1, 1), (3, 3))
    assert strata(asked, users, items, bins=2).tolist() == [2 + 64 * 2, 1 + 64 * 1, 0]
    assert strata(asked, users, items, bins=2, by="users").tolist() == [2, 1, 0]
    assert strata(asked, users, items, bins=2, by="items").tolist() == [128, 64, 0]
    with pytest.raises(ConfigError, match="63 bins"):
        strata(asked, users, items, bins=63)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.data())
def test_each_target_has_a_row_of_its_own_and_the_nearest_above_where_there_is_one(
    values: list[int], data: st.DataObject
):
    ascending = np.sort(values)
    asked = st.lists(st.integers(0, 12), min_size=1, max_size=len(values))
    targets = np.sort(data.draw(asked))
    found = nearest_free(ascending, targets)
    assert len(set(found.tolist())) == len(targets)
    assert set(found.tolist()) <= set(range(len(values)))
    free = list(range(len(values)))
    for turn, (target, row) in enumerate(zip(targets.tolist(), found.tolist(), strict=True)):
        above = [other for other in free if ascending[other] >= target]
        last = len(values) - len(targets) + turn  # the later targets need the rows behind it
        assert row == min(above[0] if above else len(values), last)
        free = free[free.index(row) + 1 :]

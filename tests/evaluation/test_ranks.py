import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from mmrecun.evaluation.ranks import average_ranks, average_ranks_within


@given(arrays(np.float32, st.integers(0, 20), elements=st.sampled_from([-np.inf, -1, -0.0, 0, 0.25, 3, np.inf])))
def test_ranks_are_those_of_scipy(values: np.ndarray):
    assert average_ranks(values).tolist() == rankdata(values).tolist()


@pytest.mark.parametrize("size", [1, 1000])
def test_ranks_of_different_values_are_all_places(size: int):
    values = np.random.default_rng(0).permutation(size)
    np.testing.assert_array_equal(average_ranks(values), values + 1)


@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.25, np.inf]), st.integers(0, 3)), max_size=30))
def test_ranks_within_groups_are_those_of_each_group_alone(seen: list[tuple[float, int]]):
    values, groups = np.array(seen, dtype=np.float64).reshape(-1, 2).T
    groups = groups.astype(np.int64)
    found = average_ranks_within(values, groups, np.bincount(groups, minlength=4))
    for group in range(4):
        inside = groups == group
        assert found[inside].tolist() == rankdata(values[inside]).tolist()

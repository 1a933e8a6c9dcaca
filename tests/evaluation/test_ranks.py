import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from mmrecun.evaluation.ranks import average_ranks


@given(arrays(np.float32, st.integers(0, 20), elements=st.sampled_from([-np.inf, -1, -0.0, 0, 0.25, 3, np.inf])))
def test_ranks_are_those_of_scipy(values: np.ndarray):
    assert average_ranks(values).tolist() == rankdata(values).tolist()


@pytest.mark.parametrize("size", [1, 1000])
def test_ranks_of_different_values_are_all_places(size: int):
    values = np.random.default_rng(0).permutation(size)
    np.testing.assert_array_equal(average_ranks(values), values + 1)

import numpy as np
import pytest

from mmrecun.auditing.bands import mean_bands, sum_band


def test_the_band_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, (4000, 2))
    for low, high in mean_bands(values, np.random.default_rng(1)):
        assert (high - low) / 2 == pytest.approx(1.96 * 2 / np.sqrt(4000), rel=0.25)
        assert (high + low) / 2 == pytest.approx(3, abs=0.1)
    assert mean_bands(np.empty((0, 2)), np.random.default_rng(1)) == []
    alone = mean_bands(np.array([[0.0, 0.3]]), np.random.default_rng(1))  # a draw may leave out whoever there is
    assert alone == [(0.0, 0.0), (pytest.approx(0.3), pytest.approx(0.3))]


def test_parts_of_one_owner_are_drawn_together():
    rng = np.random.default_rng(2)
    parts = np.repeat(rng.normal(size=50), 20) / 1000
    apart = sum_band(0.5, parts, np.arange(1000), np.random.default_rng(0))
    together = sum_band(0.5, parts, np.repeat(np.arange(50), 20), np.random.default_rng(0))
    assert together[1] - together[0] > 3 * (apart[1] - apart[0])

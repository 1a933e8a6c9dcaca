import numpy as np
import pytest

from mmrecun.unlearning.mmrecun.share_effect import without_effect


def test_a_planted_effect_of_the_share_is_taken_out():
    rng = np.random.default_rng(5)
    context, shares = rng.normal(size=(20_000, 2)), np.where(rng.random(20_000) < 0.5, rng.random(20_000), 0)
    clean = context @ np.array([[0.5, -0.2], [0.1, 0.4]]) + rng.normal(size=(20_000, 2))
    effect = shares[:, None] * (np.array([0.8, -0.5]) + 0.3 * context[:, :1])
    found = without_effect(clean + effect, shares, context)
    np.testing.assert_array_equal(found[shares == 0], clean[shares == 0])
    assert np.abs(found - clean)[shares > 0].mean() < 0.05
    assert np.abs(effect)[shares > 0].mean() > 0.3


def test_a_spread_that_grows_with_the_share_is_taken_out():
    rng = np.random.default_rng(6)
    shares = np.where(rng.random(40_000) < 0.5, rng.random(40_000), 0)
    scores = rng.normal(size=(40_000, 2)) * np.sqrt(1 + 3 * shares)[:, None]
    found = without_effect(scores, shares, np.empty((40_000, 0)))
    assert scores[shares > 0.5].std() > 1.6
    assert found[shares > 0.5].std() == pytest.approx(1, abs=0.05)


def test_a_few_rows_whose_spread_cannot_be_fitted_stay_finite():
    rng = np.random.default_rng(9)
    shares = np.array([0.0, 0.0, 0.0, 0.9, 0.8, 0.7])
    scores = rng.normal(size=(6, 3)) * np.where(shares > 0, 0.01, 3)[:, None]
    assert np.isfinite(without_effect(scores, shares, rng.normal(size=(6, 2)))).all()
    assert np.isfinite(without_effect(np.zeros((6, 3)), shares, np.zeros((6, 2)))).all()


def test_a_row_that_lost_one_pair_of_hundreds_stays_nearly_as_it_was():
    rng = np.random.default_rng(7)
    shares = np.where(rng.random(9000) < 0.5, 0, rng.choice([0.002, 0.1, 0.2, 0.3], 9000))
    scores = rng.normal(size=(9000, 1)) + (shares >= 0.1)[:, None]
    change = without_effect(scores, shares, np.empty((9000, 0))) - scores
    assert np.abs(change[shares == 0.002]).mean() < 0.1
    assert change[shares >= 0.1].mean() < -0.9

import numpy as np
import pytest

from mmrecun.unlearning.mmrecun.step_scale import StepScale, fit_lean, fit_step_scale

EVERY = np.array([0.01, 0.01, 0.01])


def falling(users: float, items: float, errors=EVERY / 100):
    """Excesses of rare, middling and popular items; all are 0 where the two scales are as given."""
    slopes = np.array([[0.05, 0.3], [0.2, 0.2], [0.3, 0.05]])

    def excess(scale: StepScale):
        away = np.array([scale.users - users, scale.items - items])
        return -0.3 * np.tanh(slopes @ away / 0.3), errors

    return excess


@pytest.mark.parametrize(("users", "items"), [(1.2, 1.2), (0.8, 1.4), (1.7, 1.1)])
def test_each_side_goes_until_nothing_exceeds(users: float, items: float):
    assert fit_step_scale(falling(users, items), 1.2) == pytest.approx((users, items, 0), abs=0.05)


def test_what_errors_leave_open_is_as_expected():
    assert fit_step_scale(falling(2.0, 2.0, 1e3 * EVERY), 1.2) == pytest.approx((1.2, 1.2, 0), abs=0.01)


def test_without_much_to_go_by_the_two_sides_stay_near_each_other():
    found = fit_step_scale(falling(0.7, 1.7, 10 * EVERY), 1.2)
    assert abs(found.users - found.items) < 0.5


def test_a_side_that_no_pair_tells_of_follows_the_other():
    found = fit_step_scale(lambda scale: (np.array([-0.3 * (scale.items - 0.9)]), np.array([0.001])), 1.2)
    assert found.items == pytest.approx(0.9, abs=0.03)
    assert 0.85 < found.users < 1.15


def test_without_pairs_to_compare_both_are_as_expected():
    assert fit_step_scale(lambda _: (np.empty(0), np.empty(0)), 1.2) == StepScale(1.2, 1.2)


def test_the_best_scale_is_kept_where_pairs_are_recognised_again_beyond_it():
    """Of the most active users of CiteULike and MGCN: steps went to twice the scale, and back to where they began."""

    def excess(scale: StepScale):
        return np.array([0.05 + 0.16 * (np.mean(scale) - 1.5) ** 2]), np.array([0.011])

    assert np.mean(fit_step_scale(excess, 1.95)) == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize(("without", "whole", "share"), [(0.1, -0.1, 0.5), (0.1, 0.02, 1.0), (-0.1, -0.3, 0.0)])
def test_as_much_of_the_lean_is_taken_as_leaves_no_excess(without: float, whole: float, share: float):
    def excess(scale: StepScale):
        assert (scale.users, scale.items) == (1, 1)
        return without + scale.lean * (whole - without) * np.ones(2), np.full(2, 1e-3)

    assert fit_lean(excess) == pytest.approx(share, abs=1e-3)


def test_the_whole_lean_is_taken_where_errors_leave_it_open():
    nothing = np.empty(0)
    assert fit_lean(lambda _: (nothing, nothing)) == 1
    assert fit_lean(lambda scale: (np.array([0.1 - 0.2 * scale.lean]), np.array([10.0]))) == pytest.approx(1, abs=1e-3)


def test_scales_are_fitted_with_the_lean_that_is_taken():
    found = fit_step_scale(
        lambda scale: (np.array([0.3 * (2 - scale.users - scale.lean)]), np.array([0.001])), 1.0, 0.3
    )
    assert found.lean == 0.3
    assert found.users == pytest.approx(1.7, abs=0.1)


def test_steps_that_went_past_the_least_auc_are_shortened():
    """An AUC that falls to 0.02 too little at 0.9 and rises again is as expected at 0.64, and at 1.16."""

    def excess(scale: StepScale):
        return np.array([0.3 * ((scale.users + scale.items) / 2 - 0.9) ** 2 - 0.02]), np.array([0.001])

    assert fit_step_scale(excess, 1.0)[:2] == pytest.approx((0.64, 0.64), abs=0.03)

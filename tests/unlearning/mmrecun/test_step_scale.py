import numpy as np
import pytest

from mmrecun.unlearning.mmrecun.restoring import StepScale
from mmrecun.unlearning.mmrecun.step_scale import fit_step_scale

EVERY = np.array([0.01, 0.01, 0.01])


def falling(users: float, items: float):
    """AUCs of rare, middling and popular items; all are at chance where the two stretches are as given."""
    slopes = np.array([[0.05, 0.3], [0.2, 0.2], [0.3, 0.05]])

    def aucs(scale: StepScale):
        away = np.array([scale.users - users, scale.items - items])
        return 0.5 - 0.3 * np.tanh(slopes @ away / 0.3), EVERY

    return aucs


@pytest.mark.parametrize(("users", "items"), [(1.2, 1.2), (0.8, 1.4), (1.4, 0.8)])
def test_each_side_goes_until_pairs_are_at_chance(users: float, items: float):
    found = fit_step_scale(falling(users, items), expected=1.2, spread=10)
    assert found == pytest.approx((users, items), abs=0.05)


def test_what_errors_leave_open_is_as_expected():
    found = fit_step_scale(lambda scale: (falling(2.0, 2.0)(scale)[0], 1e3 * EVERY), expected=1.2, spread=0.25)
    assert found == pytest.approx((1.2, 1.2), abs=0.01)


def test_a_side_that_no_pair_tells_of_goes_as_far_as_expected():
    found = fit_step_scale(lambda scale: (np.array([0.5 - 0.3 * (scale.items - 0.9)]), np.array([0.01])), 1.2, 0.25)
    assert found.users == pytest.approx(1.2)
    assert found.items == pytest.approx(0.9, abs=0.03)


def test_without_pairs_to_compare_both_are_as_expected():
    assert fit_step_scale(lambda _: (np.empty(0), np.empty(0)), 1.2, 0.25) == StepScale(1.2, 1.2)

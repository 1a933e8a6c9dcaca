"""Logistic matrix factorisation: optima against SciPy's own minimiser, and files as implicit lays them out."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mmrecun import ForgetRequest
from mmrecun.adapters import implicit
from mmrecun.adapters.logistic import RowObjective
from mmrecun.errors import ConfigError

RIDGE, DIM = 0.7, 4


@pytest.fixture
def rows(dataset):
    """Users [p, 1, b_u] and items [q, b_i, 1]."""
    rng = np.random.default_rng(5)
    users, items = (
        rng.normal(0, 0.5, (len(ids), DIM + 2)).astype(np.float32) for ids in (dataset.users, dataset.items)
    )
    users[:, -2], items[:, -1] = 1, 1
    return users, items


@pytest.fixture
def path(rows, tmp_path):
    np.savez(tmp_path / "lmf.npz", user_factors=rows[0], item_factors=rows[1], regularization=RIDGE, neg_prop=30)
    return tmp_path / "lmf.npz"


def by_scipy(start, pairs, weights, others, share, fixed):
    """The row of the greatest likelihood, with the column `fixed` at 1."""
    free = np.delete(np.arange(len(start)), fixed)

    def value(moved):
        row = np.ones(len(start))
        row[free] = moved
        met, missed = pairs @ row, others @ row
        likely = (weights * (met - np.logaddexp(0, met))).sum() - share * np.logaddexp(0, missed).sum()
        return RIDGE / 2 * (moved**2).sum() - likely

    found = np.ones(len(start))
    found[free] = minimize(value, start[free], method="BFGS", options={"gtol": 1e-9}).x
    return found


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_optimum_of_a_row_is_that_of_scipy(scale):
    """Also from far away, where whole Newton steps lead astray."""
    rng = np.random.default_rng(1)
    pairs, others = rng.normal(size=(7, 5)), rng.normal(size=(20, 5))
    weights, start = rng.random(7) + 0.5, scale * rng.normal(size=5)
    start[3] = 1
    objective = RowObjective(pairs, weights, others, 0.3, RIDGE, np.array([0, 1, 2, 4]))
    expected = by_scipy(start, pairs, weights, others, 0.3, 3)
    np.testing.assert_allclose(objective.optimum(start), expected, atol=1e-4)


def test_a_row_moves_by_what_its_lost_pairs_mean_to_its_optimum(rows, path, dataset):
    """All users stand for the negatives of an item in proportion to their pairs, as many as the row is long."""
    train = dataset.train
    pairs = [(train.users[n], train.items[n]) for n in np.flatnonzero(train.items == 4)[:2]]
    named = [(dataset.users.names[int(user)], dataset.items.names[int(item)]) for user, item in pairs]
    less = implicit.load(path, dataset).unlearn(ForgetRequest(pairs=named), settings={"negatives": 40_000})
    users, items = less.artifact.arrays["user_factors"], less.artifact.arrays["item_factors"]
    np.testing.assert_array_equal(np.delete(items, 4, axis=0), np.delete(rows[1], 4, axis=0))
    touched = [int(user) for user, _ in pairs]
    np.testing.assert_array_equal(np.delete(users, touched, axis=0), np.delete(rows[0], touched, axis=0))
    weights = train.attributes["weight"].to_numpy()

    def optimum(side, kept):
        met = kept & (train.items == 4)
        shares = np.bincount(train.users, minlength=len(dataset.users)) / len(train)
        count = min(DIM + 2, 30 * met.sum())
        others = np.repeat(side, np.round(shares * len(train)).astype(int), axis=0)
        return by_scipy(rows[1][4].astype(float), side[train.users[met]], weights[met], others, count / len(train), -1)

    gone = np.isin(train.users, touched) & (train.items == 4)
    shift = optimum(users.astype(float), ~gone) - optimum(rows[0].astype(float), gone | True)
    assert np.abs(shift).max() > 0.02
    np.testing.assert_allclose(items[4] - rows[1][4], shift, atol=0.1 * np.abs(shift).max())


def test_a_file_keeps_its_layout_and_the_forgotten_come_last(rows, path, dataset, tmp_path):
    less = implicit.load(path, dataset).unlearn(ForgetRequest(users=["user-3"], items=["item-8"]))
    less.save(tmp_path / "less.npz")
    with np.load(tmp_path / "less.npz", allow_pickle=False) as file:
        users, items = file["user_factors"], file["item_factors"]
        assert (float(file["regularization"]), int(file["neg_prop"])) == (RIDGE, 30)
    assert (users.shape, items.shape) == (rows[0].shape, rows[1].shape)
    assert (users[:, -2] == 1).all()
    assert (items[:, -1] == 1).all()
    assert ((users @ items.T).argmin(axis=1) == 8).all()
    assert not users[3, [0, 1, 2, 3, 5]].any()
    assert implicit.load(tmp_path / "less.npz", less.dataset, *less.row_map.order(less.dataset)).exact is not None


def test_settings_of_the_file_are_checked(rows, dataset, tmp_path):
    np.savez(tmp_path / "bad.npz", user_factors=rows[0], item_factors=rows[1], regularization=-1.0, neg_prop=30)
    with pytest.raises(ConfigError, match=r"bad.npz: regularization = -1.0"):
        implicit.load(tmp_path / "bad.npz", dataset)

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrecun.rng import Seed
from mmrecun.unlearning.mmrecun.balance import (
    Balance,
    DecayByDegree,
    RowsAndGradient,
    other_rows,
    pairs_kept,
    share_left,
)


def rows(count: int = 40, width: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=Seed(seed).torch())


def balance(rows: torch.Tensor, gradient: torch.Tensor, before: np.ndarray, after: np.ndarray, share: float) -> Balance:
    law = DecayByDegree.fitted(RowsAndGradient.of(rows, gradient).decay(), before)
    return Balance.of(rows, gradient, law, before, after, share)


def test_rows_that_their_pairs_taught_alone_are_explained():
    values, degree = rows(), np.ones(40, dtype=np.int64)
    assert RowsAndGradient.of(values, -3 * values).mean_cosine(degree) == pytest.approx(1)
    assert RowsAndGradient.of(values, values).mean_cosine(degree) == pytest.approx(-1)
    degree[:] = 0
    assert RowsAndGradient.of(values, -values).mean_cosine(degree) == 0


def test_a_row_whose_pairs_all_stay_is_in_balance():
    values, gradient = rows(), rows(seed=1)
    degree = np.arange(1, 41)
    found = balance(values, gradient, degree, degree, 1.0)
    torch.testing.assert_close(found.imbalance(values, gradient), torch.zeros_like(values))


def test_where_everybody_loses_as_much_nobody_has_to_move():
    """A tenth fewer pairs all over is a tenth less of everything."""
    degree = np.arange(10, 50) * 10
    decay = torch.from_numpy(0.01 * degree).float()[:, None]
    values = rows()
    gradient = -decay * values
    found = balance(values, gradient, degree, degree * 9 // 10, 0.9)
    torch.testing.assert_close(found.imbalance(values, 0.9 * gradient), torch.zeros_like(values), atol=0.05, rtol=0.05)


def test_a_row_taught_by_pairs_alone_goes_where_the_others_hold_it():
    """decay * row = what three pairs taught; without one of them, what two taught, at the decay of two."""
    taught = torch.stack([rows(seed=seed) for seed in range(3)])
    degree, decay = np.full(40, 3), 0.5
    values = taught.sum(dim=0) / decay
    found = balance(values, -taught.sum(dim=0), degree, np.full(40, 2), 2 / 3)
    wanted = taught[:2].sum(dim=0)
    torch.testing.assert_close(found.imbalance(torch.zeros_like(values), -wanted), wanted, atol=1e-5, rtol=1e-5)
    assert found.decay.unique().numel() == 1
    assert float(found.decay[0]) == pytest.approx(decay * 2 / 3)


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(-1, 5)), min_size=1, max_size=60))
def test_decay_is_positive_whatever_was_seen(seen: list[tuple[int, float]]):
    degree, decay = (np.array(column) for column in zip(*seen, strict=True))
    found = DecayByDegree.fitted(decay.astype(float), degree.astype(np.int64))(np.array([0, 1, 17, 10_000]))
    assert np.isfinite(found).all()
    assert (found > 0).all()


def test_a_few_rows_with_far_more_pairs_have_a_decay_of_their_own():
    degree = np.repeat([1, 2, 300, 500], [400, 300, 6, 6])
    law = DecayByDegree.fitted(0.1 + 0.01 * degree, degree)
    np.testing.assert_allclose(law(np.array([1, 2, 300, 500])), [0.11, 0.12, 3.1, 5.1], rtol=0.05)


def test_the_decay_never_falls_with_the_degree():
    degree = np.repeat([1, 4, 16, 64], 50)
    law = DecayByDegree.fitted(np.repeat([1.0, 3.0, 2.0, 0.5], 50), degree)
    found = law(np.arange(1, 100))
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx((3 + 2 + 0.5) / 3)


def test_the_decay_never_rises_faster_than_the_degree():
    degree = np.repeat([10, 36, 37, 38, 39, 40], 20)
    law = DecayByDegree.fitted(np.where(degree < 36, 0.1, (degree / 36.0) ** 4 * 0.2), degree)
    at = np.unique(degree)
    assert (np.diff(law(at) / at) <= 1e-12).all()
    assert law(np.array([10]))[0] < law(np.array([36]))[0] < law(np.array([40]))[0]


def test_rows_of_fewer_pairs_than_any_was_trained_with_decay_less():
    law = DecayByDegree.fitted(np.repeat([0.5, 0.6, 0.7], 50), np.repeat([5, 6, 7], 50))
    np.testing.assert_allclose(law(np.array([1, 3, 4, 5])), [0.25, 0.3, 0.4, 0.5])


def test_the_share_that_is_left_is_read_off_the_gradient_within_bounds():
    gradient = rows(4)
    across = torch.randn(4, 8, generator=Seed(3).torch())
    across -= (across * gradient).sum(dim=1, keepdim=True) / gradient.square().sum(dim=1, keepdim=True) * gradient
    after = torch.tensor([1.0, 0.4, -0.5, 3.0])[:, None] * gradient + across
    torch.testing.assert_close(share_left(gradient, after), torch.tensor([[1.0], [0.4], [0.0], [1.0]]))


def test_of_what_nothing_explains_stays_what_is_said_to_be_left():
    values, gradient, degree = rows(), rows(seed=1), np.full(40, 4)
    law = DecayByDegree.fitted(RowsAndGradient.of(values, gradient).decay(), degree)
    left = torch.linspace(0, 1, 40)[:, None]
    whole = Balance.of(values, gradient, law, degree, degree, 1.0)
    torch.testing.assert_close(Balance.of(values, gradient, law, degree, degree, 1.0, left).rest, left * whole.rest)


def test_a_fixed_row_is_in_balance_where_it_is():
    values, gradient, degree = rows(), rows(seed=1), np.full(40, 4)
    found = balance(values, gradient, degree, np.full(40, 3), 0.75).with_fixed(np.array([2, 7]), values)
    step = found.imbalance(values, rows(seed=2)) / found.decay
    assert step[[2, 7]].abs().max() < 1e-2
    assert step[[1, 3]].abs().min() > 1e-2


def test_a_share_of_the_rest_is_that_of_another_row_at_ones_own_length():
    rest, others = rows(count=6), np.array([3, 0, 1, 5, 4, 2])
    found = Balance(torch.ones(6, 1), rest).with_other_rest(rest[others], 0.36).rest.double().numpy()
    own = rest.double().numpy()
    for row, other in enumerate(others):
        drawn = own[other] / np.linalg.norm(own[other]) * np.linalg.norm(own[row])
        assert found[row] == pytest.approx(0.8 * own[row] + 0.6 * drawn, rel=1e-5)


def test_a_row_without_pairs_loses_none():
    kept = pairs_kept(np.array([0, 4, 4]), np.array([0, 4, 1]), torch.zeros(3, 2))
    assert kept[:, 0].tolist() == [1, 1, 0.25]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 99))
def test_every_row_gets_that_of_another_of_its_stratum(strata: list[int], seed: int):
    where = np.array(strata)
    others = other_rows(where, np.random.default_rng(seed))
    assert sorted(others) == list(range(len(where)))
    assert (where[others] == where).all()
    alone = np.bincount(where)[where] == 1
    assert ((others == np.arange(len(where))) == alone).all()


def test_a_row_without_a_gradient_keeps_its_remainder():
    """Such as that of a user without a pair."""
    gradient, rest = rows(), rows(seed=1)
    gradient[3] = 0
    assert share_left(gradient, gradient)[:, 0].tolist() == [1] * 40
    found = Balance(torch.ones(40, 1), rest).with_other_rest(gradient, 1.0).rest
    assert torch.equal(found[3], rest[3])
    assert not torch.isclose(found[4], rest[4]).any()

import numpy as np
import pytest
import torch

from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.left_out import RIDGE, LeaveOneOut


@pytest.fixture
def asked() -> LeaveOneOut:
    """Owners with 2 to 40 pairs of 50 partners; three pairs of each are asked about, one of which was held out."""
    rng = np.random.default_rng(0)
    owned = [np.sort(rng.permutation(50)[:count]) for count in (2, 3, 9, 12, 40)]
    pairs = [(owner, item) for owner, items in enumerate(owned) for item in items]
    queries = [
        (owner, item)
        for owner, items in enumerate(owned)
        for item in (*items[:2], np.setdiff1d(np.arange(50), items)[0])
    ]

    def interactions(found: list[tuple[int, int]]) -> Interactions:
        users, items = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
        return Interactions(users, items, np.zeros(len(found), dtype=np.int8))

    return LeaveOneOut.of(interactions(pairs), interactions(queries), interactions(pairs), rng)


def test_rows_are_those_of_the_normal_equations_without_the_pair(asked: LeaveOneOut):
    partners = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    found = asked.rows(partners).double().numpy()
    table = partners.double().numpy()
    common = table.T @ table / 50
    common += RIDGE * np.diag(common).mean() * np.eye(6)
    for number, (owner, left) in enumerate(zip(asked.queries.users, asked.left_out, strict=True)):
        items = asked.trained.items[asked.trained.users == owner]
        assert left in items
        known = table[items[items != left]]
        wanted = np.linalg.solve(common + known.T @ known, known.sum(axis=0))
        np.testing.assert_allclose(found[number], wanted, rtol=1e-5, atol=1e-6)


def test_partners_of_zeros_give_rows_of_zeros(asked: LeaveOneOut):
    assert not asked.rows(torch.zeros(50, 6)).any()


def pairs(users: list[int], items: list[int]) -> Interactions:
    return Interactions(np.array(users), np.array(items), np.zeros(len(users), dtype=np.int8))


def test_a_trained_pair_that_is_asked_about_is_the_one_left_out():
    trained = pairs([0, 0, 0, 2, 2], [1, 3, 5, 0, 7])
    found = LeaveOneOut.of(trained, trained, trained, np.random.default_rng(0))
    assert found.left_out.tolist() == trained.items.tolist()


def test_owners_of_a_single_pair_are_not_asked():
    trained = pairs([0, 1, 1], [0, 1, 2])
    assert LeaveOneOut.of(trained, trained, trained, np.random.default_rng(0)).queries.users.tolist() == [1, 1]


def test_places_are_among_what_the_owner_never_had():
    table = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [0.8, 0.0]])
    trained = pairs([0, 0, 0], [0, 1, 4])
    found = LeaveOneOut.of(trained, trained, trained, np.random.default_rng(0)).percentiles(table)
    assert found.tolist() == [1.0, 1.0, 1.0]

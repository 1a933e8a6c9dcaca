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

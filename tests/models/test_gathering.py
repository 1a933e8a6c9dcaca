"""Rows for a batch and the sums of their gradients, against torch's own indexing in double precision."""

import torch

from mmrecun.models.gathering import add_up, gather

HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def test_rows_and_gradients_are_those_of_indexing():
    rng = torch.Generator().manual_seed(0)
    table = torch.randn(30, 5, generator=rng).to(HERE).requires_grad_()
    rows = torch.randint(0, 20, (500,), generator=rng).to(HERE)
    weights = torch.randn(500, 5, generator=rng).to(HERE)
    found = gather(rows, table)
    assert torch.equal(found, table[rows])
    (found * weights).sum().backward()
    right = torch.zeros(30, 5, dtype=torch.float64, device=HERE).index_add_(0, rows, weights.double())
    torch.testing.assert_close(table.grad.double(), right, rtol=1e-5, atol=1e-5)
    assert not table.grad[20:].any()


def test_sums_are_the_same_each_time():
    rows = torch.randint(0, 3, (4000,), generator=torch.Generator().manual_seed(1)).to(HERE)
    values = torch.randn(4000, 8, generator=torch.Generator().manual_seed(2)).to(HERE)
    assert all(torch.equal(add_up(rows, values, 3), add_up(rows, values, 3)) for _ in range(5))

"""Row-wise Adam against torch's own over the whole table."""

import torch
from torch import nn

from mmrecun.unlearning.row_adam import RowAdam


def test_chosen_rows_move_as_under_adam_and_no_other_moves():
    rng = torch.Generator().manual_seed(0)
    table = nn.Parameter(torch.randn(7, 3, generator=rng))
    twin = nn.Parameter(table.detach().clone())
    rows = torch.tensor([1, 4, 6])
    before = table.detach().clone()
    ours, theirs = RowAdam({table: rows}), torch.optim.Adam([twin], lr=0.1)
    for rate in (0.1, 0.05, 0.02):
        weight = torch.randn(7, 3, generator=rng)
        (table * weight).square().sum().backward()
        (twin * weight).square().sum().backward()
        theirs.param_groups[0]["lr"] = rate
        ours.step(rate)
        assert table.grad is None
        theirs.step()
        theirs.zero_grad()
        torch.testing.assert_close(table[rows], twin[rows])
    others = torch.tensor([0, 2, 3, 5])
    assert torch.equal(table[others], before[others])


def test_a_table_without_a_gradient_is_passed_over():
    table = nn.Parameter(torch.ones(2, 2))
    RowAdam({table: torch.tensor([0])}).step(0.1)
    assert torch.equal(table, torch.ones(2, 2))


def test_a_table_may_move_slower():
    fast, slow = (nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    rows = {table: torch.tensor([1]) for table in (fast, slow)}
    ours = RowAdam(rows, {slow: 0.25})
    for _ in range(3):
        (fast.square().sum() + slow.square().sum()).backward()
        ours.step(1e-3)
    torch.testing.assert_close(1 - slow[1], (1 - fast[1]) / 4, rtol=1e-2, atol=0)

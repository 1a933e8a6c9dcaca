"""InfoNCE against a loop, against itself in parts, and against cross-entropy of the whole matrix."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from mmrecun.models.info_nce import info_nce


def test_it_equals_a_loop():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 5, 3))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (one, other)]
    total = 0.0
    for row in range(5):
        similar = np.exp(unit[0][row] @ unit[1].T / 0.2)
        total -= np.log(similar[row] / similar.sum())
    found = info_nce(torch.tensor(one), torch.tensor(other), torch.arange(5), 0.2).item()
    np.testing.assert_allclose(found, total / 5, rtol=5e-3)


def test_among_fewer_rivals_it_is_the_mean_of_its_parts():
    one, other = torch.randn(2, 10, 3, generator=torch.Generator().manual_seed(0))
    whose = torch.arange(10)
    parts = [
        info_nce(one[at], other[at], whose[at], 0.2) * len(one[at]) for at in (slice(0, 4), slice(4, 8), slice(8, 10))
    ]
    torch.testing.assert_close(info_nce(one, other, whose, 0.2, negatives_per_block=4), sum(parts) / 10)


@pytest.mark.parametrize("people", [1500, 90])
def test_loss_and_gradients_are_those_of_cross_entropy(people):
    rng = torch.Generator().manual_seed(0)
    whose = torch.randint(people, (1300,), generator=rng)
    ours = [torch.randn(people, 8, generator=rng).requires_grad_() for _ in range(2)]
    plain = [table.detach().clone().requires_grad_() for table in ours]
    one, other = (normalize(table[whose], dim=1) for table in plain)
    reference = cross_entropy(one @ other.T / 0.2, torch.arange(1300))
    loss = info_nce(ours[0][whose], ours[1][whose], whose, 0.2)
    torch.testing.assert_close(loss, reference, rtol=1e-3, atol=0)
    (3 * loss).backward()
    (3 * reference).backward()
    for table, expected in zip(ours, plain, strict=True):
        assert (table.grad - expected.grad).norm() < 1e-2 * expected.grad.norm()

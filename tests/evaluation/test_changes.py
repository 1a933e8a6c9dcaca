import numpy as np
import pytest
import torch

from mmrecun.evaluation.changes import list_overlap, lists_with, moved, same_lists


def test_overlap_by_sets():
    rng = np.random.default_rng(0)
    before, after = (np.array([rng.permutation(12)[:5] for _ in range(30)]) for _ in range(2))
    before[3, 2:] = -1
    after[3, 1:] = -1
    before[4] = after[4] = -1
    for row, share in enumerate(list_overlap(before, after)):
        one, two = ({item for item in lists[row] if item >= 0} for lists in (before, after))
        assert share == pytest.approx(len(one & two) / max(len(one), len(two)) if one | two else 1)


def test_overlap_of_many_lists_is_that_of_each():
    rng = np.random.default_rng(0)
    before, after = (np.stack([rng.permutation(30)[:20] for _ in range(1100)]) for _ in range(2))
    expected = [len(set(a) & set(b)) / 20 for a, b in zip(before, after, strict=True)]
    assert list_overlap(before, after).tolist() == pytest.approx(expected)


def test_same_lists_look_at_the_order():
    before, after = np.array([[1, 2], [1, 2], [1, 2], [3, -1]]), np.array([[1, 2], [2, 1], [1, 3], [3, -1]])
    assert same_lists(before, after).tolist() == [True, False, False, True]


def test_lists_with_counts_lists():
    assert lists_with(np.array([[0, 2], [2, -1], [9, 2]]), 4).tolist() == [1, 0, 3, 0]


def test_a_rotation_moves_nothing():
    rng = torch.Generator().manual_seed(0)
    before = torch.randn(30, 6, generator=rng)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=rng)).Q
    users, items = moved(before, before @ turn, 10)
    assert (len(users), len(items)) == (10, 20)
    assert max(users.max(), items.max()) < 1e-6


def test_what_moved_is_told_from_what_stayed():
    before = torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    after = before.clone()
    after[7] *= 1.5
    users, items = moved(before, after, 100)
    assert users.argmax() == 7
    assert users[7] == pytest.approx(0.5, abs=0.05)
    assert items.max() < 0.05

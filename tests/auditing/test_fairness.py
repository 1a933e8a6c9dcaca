import numpy as np
import pytest

from mmrecun.auditing.fairness import group_gaps, top_share
from mmrecun.data.interactions import Interactions


def pairs(*entries: tuple[int, int]) -> Interactions:
    users, items = np.array(entries, dtype=np.int64).T
    return Interactions(users, items, np.zeros(len(users), dtype=np.int8))


def test_gaps_of_a_hand_made_case():
    """User 0 is the most active of twenty, item 0 the most popular of five."""
    train = pairs((0, 0), (0, 1), (0, 2), *((user, 0) for user in range(1, 20)))
    rows = np.array([0, 3, 5])
    truth, found = pairs((0, 3), (3, 1), (5, 0)), np.array([True, False, True])
    gaps = group_gaps(np.array([0.9, 0.2, 0.4]), rows, found, truth, train, 20, 5)
    assert gaps["active_users"] == pytest.approx(0.9)
    assert gaps["other_users"] == pytest.approx(0.3)
    assert gaps["a_igf"] == pytest.approx(0.6)
    assert (gaps["popular_items"], gaps["other_items"], gaps["item_gap"]) == (1.0, 0.5, 0.5)
    worse = group_gaps(np.array([0.1, 0.2, 0.4]), rows, ~found, truth, train, 20, 5)
    assert (worse["a_igf"], worse["item_gap"]) == (pytest.approx(0.2), 0.5)


def test_a_group_that_was_not_tested_has_no_gap():
    gaps = group_gaps(np.array([0.2]), np.array([3]), np.array([True]), pairs((3, 1)), pairs((0, 0), (3, 0)), 20, 5)
    assert gaps == {}


def test_the_share_is_never_empty():
    assert top_share(np.array([2, 7, 1]), 0.01).tolist() == [False, True, False]

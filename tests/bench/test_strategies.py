"""Draws against brute force over plain lists."""

import numpy as np
import pytest

from mmrecun.bench.strategies import largest_rows, quarters, random_rows, sensitive_pairs, share, smallest_rows
from mmrecun.rng import Seed

COUNTS = np.random.default_rng(5).integers(0, 9, 60)
CANDIDATES = np.flatnonzero(COUNTS)


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_ranked_draws_take_the_extremes_and_draw_ties(ratio: float, seed: int):
    size = share(len(CANDIDATES), ratio)
    for pick, order in ((largest_rows, sorted), (smallest_rows, lambda values: sorted(values)[::-1])):
        rows = pick(CANDIDATES, COUNTS, ratio, Seed(seed))
        assert rows.tolist() == sorted(set(rows.tolist()))
        assert set(rows) <= set(CANDIDATES)
        assert sorted(COUNTS[rows]) == sorted(order(COUNTS[CANDIDATES].tolist())[-size:])


def test_ties_are_drawn_not_taken_in_row_order():
    equal = np.ones(50, dtype=np.int64)
    drawn = {tuple(largest_rows(np.arange(50), equal, 0.1, Seed(seed))) for seed in range(20)}
    assert len(drawn) > 15


def test_random_rows_are_uniform_distinct_and_seeded():
    times = np.zeros(20)
    for seed in range(2000):
        rows = random_rows(np.arange(20), 0.25, Seed(seed))
        assert len(set(rows)) == 5
        times[rows] += 1
    assert np.abs(times / 2000 - 0.25).max() < 0.05
    assert random_rows(np.arange(20), 0.25, Seed(3)).tolist() == random_rows(np.arange(20), 0.25, Seed(3)).tolist()


def test_sensitive_pairs_are_all_or_nothing_per_user():
    rng = np.random.default_rng(2)
    pairs = sorted({(int(u), int(i)) for u, i in zip(rng.integers(0, 30, 300), rng.integers(0, 15, 300), strict=True)})
    users, items = (np.array(side) for side in zip(*pairs, strict=True))
    listed = np.zeros(15, dtype=bool)
    listed[[2, 7]] = True
    chosen = sensitive_pairs(users, items, listed, 0.5, Seed(1))
    having = {u for u, i in pairs if i in (2, 7)}
    withdrawing = {u for (u, _), taken in zip(pairs, chosen, strict=True) if taken}
    assert len(withdrawing) == round(len(having) / 2)
    assert list(chosen) == [u in withdrawing and i in (2, 7) for u, i in pairs]
    assert not sensitive_pairs(users, items, np.zeros(15, dtype=bool), 0.5, Seed(1)).any()


@pytest.mark.parametrize("count", range(1, 30))
def test_quarters_end_with_the_last_request_and_do_not_repeat(count: int):
    found = quarters(count)
    assert found[-1] == count
    assert list(found) == sorted(set(found))
    assert len(found) == min(count, 4)

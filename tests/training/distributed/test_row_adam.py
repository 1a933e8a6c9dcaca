"""Rows that are caught up against torch's Adam over whole tables."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.training.distributed.row_adam import RowAdam, RowStates, catch_up
from mmrecun.training.distributed.row_exchange import RowExchange, Shard, SharedRows

RATE = 2e-3


def states(values):
    records = np.zeros((len(values), 3, values.shape[1]), dtype=np.float32)
    records[:, 0] = values
    return RowStates(records, np.zeros(len(values), dtype=np.int32))


def missed_in_float64(state, last, missed):
    """Values after steps without a gradient, one by one, as the paper writes them."""
    values, mean, square = (state[:, part].astype(np.float64) for part in range(3))
    for row in range(len(values)):
        for step in range(last[row] + 1, last[row] + missed[row] + 1):
            mean[row] *= 0.9
            square[row] *= 0.999
            corrected = np.sqrt(square[row] / (1 - 0.999**step)) + 1e-8
            values[row] -= RATE * mean[row] / (1 - 0.9**step) / corrected
    return np.stack([values, mean, square], axis=1)


@given(
    seed=st.integers(0, 2**32 - 1),
    gaps=st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 2000)), min_size=1, max_size=6),
    scale=st.sampled_from([1.0, 1e-4, 1e-8]),
)
@settings(deadline=None, max_examples=40)
def test_missed_steps_are_those_of_the_paper(seed, gaps, scale):
    rng = np.random.default_rng(seed)
    state = rng.normal(size=(len(gaps), 3, 2)).astype(np.float32)
    state[:, 1] *= scale
    state[:, 2] = (state[:, 2] * scale) ** 2
    last, missed = (np.array(column) for column in zip(*gaps, strict=True))
    wanted = missed_in_float64(state, last, missed)
    found = torch.from_numpy(state.copy())
    catch_up(found, last, missed, RATE)
    np.testing.assert_allclose(found[:, 0], wanted[:, 0], rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(found[:, 1], wanted[:, 1], rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(found[:, 2], wanted[:, 2], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("used", [1.0, 0.3, 0.01])
def test_rows_move_as_in_dense_adam_over_whole_tables(used):
    """600 steps, in which each row has a gradient in a share of `used` of them, and some rows never."""
    rng = np.random.default_rng(1)
    start = rng.normal(size=(12, 4)).astype(np.float32)
    dense = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.Adam([dense], lr=RATE, fused=True)
    rows = SharedRows(RowAdam({"table": states(start)}, RATE), RowExchange(Shard()))
    wanted = torch.from_numpy(rng.normal(size=(12, 4)).astype(np.float32))
    for _ in range(600):
        at = np.flatnonzero(rng.random(12) < used * (np.arange(12) < 10))
        places = torch.from_numpy(at)
        optimizer.zero_grad()
        loss = (dense[places] - wanted[places]).square().sum()
        loss.backward()
        optimizer.step()
        other = rows.step({"table": at}, lambda given, to=places: (given["table"] - wanted[to]).square().sum())
        torch.testing.assert_close(other, loss.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(rows.rows("table", np.arange(12)), dense.detach(), rtol=0, atol=1e-5)
    assert rows.adam.steps == 600


def test_asking_for_rows_changes_none_of_them():
    rng = np.random.default_rng(2)
    table = states(rng.normal(size=(5, 3)).astype(np.float32))
    rows = SharedRows(RowAdam({"table": table}, RATE), RowExchange(Shard()))
    rows.step({"table": np.array([1, 3])}, lambda given: given["table"].square().sum())
    rows.step({"table": np.array([0])}, lambda given: given["table"].square().sum())
    before = table.records.copy(), table.last.copy()
    moved = rows.rows("table", np.arange(5))
    assert not np.array_equal(moved[1].numpy(), before[0][1, 0])
    np.testing.assert_array_equal(table.records, before[0])
    np.testing.assert_array_equal(table.last, before[1])

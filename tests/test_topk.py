"""The best of each row, against sorting."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.topk import top_k_per_row


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 6),
    columns=st.integers(1, 90),
    k=st.integers(0, 9),
    spread=st.sampled_from([0, 3, 1000]),
    hidden=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=200, deadline=None)
def test_the_best_are_those_that_sorting_finds(seed, rows, columns, k, spread, hidden):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-spread, spread + 1, (rows, columns)).astype(np.float32)
    scores[rng.random((rows, columns)) < hidden] = -np.inf
    k = min(k, columns)
    values, found = top_k_per_row(torch.from_numpy(scores), k)
    np.testing.assert_array_equal(values.numpy(), -np.sort(-scores, axis=1)[:, :k])
    real = values.numpy() > -np.inf
    np.testing.assert_array_equal(np.take_along_axis(scores, found.numpy(), axis=1)[real], values.numpy()[real])
    for row, kept in zip(found.numpy(), real, strict=True):
        assert len(set(row[kept])) == kept.sum()


@pytest.mark.parametrize("k", [1, 20, 50])
def test_long_rows_of_distinct_scores_give_what_topk_gives(k):
    scores = torch.randn(3, 5000, generator=torch.Generator().manual_seed(k))
    values, found = top_k_per_row(scores, k)
    assert torch.equal(found, scores.topk(k, dim=1).indices)
    assert torch.equal(values, scores.topk(k, dim=1).values)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_with_a_bound_the_best_that_reach_it_are_found(share):
    """Scores of rows whose k-th best exceeds the bound are all found; of others, those that reach it."""
    scores = torch.randn(4, 900, generator=torch.Generator().manual_seed(0))
    best = scores.sort(dim=1, descending=True).values
    bound = best[:, [int(30 * share)]]
    values, found = top_k_per_row(scores, 20, bound)
    for row in range(4):
        wanted = best[row, :20][best[row, :20] >= bound[row]]
        assert torch.equal(values[row, : len(wanted)], wanted)
        assert torch.equal(scores[row, found[row, : len(wanted)]], wanted)
        assert (values[row, len(wanted) :] == -torch.inf).all()

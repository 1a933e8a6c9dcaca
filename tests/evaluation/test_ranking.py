"""Lists and percentiles against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data.interactions import Interactions
from mmrecun.errors import ConfigError, DivergedError, ShapeError
from mmrecun.evaluation import ranking


def pairs_of(mask):
    users, items = np.nonzero(mask)
    return Interactions(users, items, np.zeros(len(users), dtype=np.int8))


def whole_numbers(rng, rows, width):
    """Vectors of whole numbers: their dot products are exact in float32 whatever the order of summation."""
    return torch.from_numpy(rng.integers(-40, 41, (rows, width)).astype(np.float32))


def loop_top_k(users, items, seen, rows, k):
    lists = []
    for user in rows:
        scores = [(-float(users[user] @ items[item]), item) for item in range(len(items)) if not seen[user, item]]
        best = [item for _, item in sorted(scores)[:k]]
        lists.append(best + [-1] * (k - len(best)))
    return np.array(lists).reshape(len(rows), k)


def loop_percentiles(users, items, seen, pairs):
    shares = []
    for user, item in zip(pairs.users, pairs.items, strict=True):
        own = users[user] @ items[item]
        others = [users[user] @ items[other] for other in range(len(items)) if other != item and not seen[user, other]]
        better = sum(1.0 if score < own else 0.5 if score == own else 0.0 for score in others)
        shares.append(better / len(others) if others else 0.5)
    return np.array(shares)


def loop_ranks(users, items, seen, pairs):
    places = []
    for user, item in zip(pairs.users, pairs.items, strict=True):
        own = users[user] @ items[item]
        others = [users[user] @ items[other] for other in range(len(items)) if other != item and not seen[user, other]]
        places.append(sum(score >= own for score in others))
    return np.array(places, dtype=np.int64)


def scores_at(users, items, rows, lists):
    return np.where(lists >= 0, np.take_along_axis((users @ items.T).numpy()[rows], lists.clip(min=0), axis=1), -np.inf)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 4)),
    density=st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    k=st.integers(1, 15),
    block=st.sampled_from([1, 100, 1 << 20]),
)
@settings(max_examples=120, deadline=None)
def test_lists_agree_with_a_loop_whatever_the_block(seed, shape, density, k, block):
    rng = np.random.default_rng(seed)
    users, items = whole_numbers(rng, shape[0], shape[2]), whole_numbers(rng, shape[1], shape[2])
    seen = rng.random((shape[0], shape[1])) < density
    rows = rng.integers(0, shape[0], 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_BLOCK_BYTES", block)
        patch.setattr(ranking, "_FEWEST", 1)
        lists = ranking.top_k(users, items, pairs_of(seen), rows, k)
    expected = loop_top_k(users, items, seen, rows, k)
    assert lists.dtype == np.int64
    # Items of equal score may stand in either order, so the scores are compared, and the items as far as they say.
    np.testing.assert_array_equal(scores_at(users, items, rows, lists), scores_at(users, items, rows, expected))
    for user, row in zip(rows, lists, strict=True):
        real = row[row >= 0]
        assert len(set(real)) == len(real)
        assert not seen[user, real].any()


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 3)),
    density=st.sampled_from([0.0, 0.4, 1.0]),
    spread=st.sampled_from([1, 40]),
    block=st.sampled_from([1, 80, 1 << 20]),
    head=st.sampled_from([1, 3, 9]),
    within=st.sampled_from([1, 3, 100]),
)
@settings(max_examples=120, deadline=None)
def test_places_and_percentiles_agree_with_a_loop_whatever_the_block(seed, shape, density, spread, block, head, within):
    rng = np.random.default_rng(seed)
    users = torch.from_numpy(rng.integers(-spread, spread + 1, (shape[0], shape[2])).astype(np.float32))
    items = torch.from_numpy(rng.integers(-spread, spread + 1, (shape[1], shape[2])).astype(np.float32))
    seen = rng.random((shape[0], shape[1])) < density
    pairs = pairs_of(rng.random((shape[0], shape[1])) < 0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_BLOCK_BYTES", block)
        patch.setattr(ranking, "_FEWEST", 1)
        patch.setattr(ranking, "_HEAD", head)
        places = ranking.ranks(users, items, pairs_of(seen), pairs, within)
        shares = ranking.percentiles(users, items, pairs_of(seen), pairs)
        drawn = np.flatnonzero(rng.random(shape[1]) < 0.7)
        among = ranking.PairsAmong(pairs_of(seen), pairs, drawn, shape[1], users.device)
        estimated, again = among.percentiles(users, items), among.percentiles(-users, items)
    np.testing.assert_array_equal(places, np.minimum(loop_ranks(users, items, seen, pairs), within))
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, loop_percentiles(users, items, seen, pairs), rtol=1e-6)
    ignored = seen | ~np.isin(np.arange(shape[1]), drawn)
    np.testing.assert_allclose(estimated, loop_percentiles(users, items, ignored, pairs), rtol=1e-6)
    np.testing.assert_allclose(again, loop_percentiles(-users, items, ignored, pairs), rtol=1e-6)


def test_unseen_items_with_negative_scores_come_before_nothing():
    users, items = torch.tensor([[1.0]]), torch.tensor([[-3.0], [-1.0], [-2.0], [5.0]])
    seen = pairs_of(np.array([[False, False, False, True]]))
    lists = ranking.top_k(users, items, seen, np.array([0]), 5)
    assert lists.tolist() == [[1, 2, 0, -1, -1]]


def test_a_user_who_has_seen_everything_gets_an_empty_list():
    seen = pairs_of(np.ones((1, 3), dtype=bool))
    lists = ranking.top_k(torch.ones(1, 2), torch.ones(3, 2), seen, np.array([0]), 2)
    assert lists.tolist() == [[-1, -1]]


def test_a_seen_pair_is_placed_among_the_unseen():
    users, items = torch.tensor([[1.0]]), torch.tensor([[4.0], [3.0], [2.0], [1.0]])
    seen = pairs_of(np.array([[True, True, False, False]]))
    assert ranking.percentiles(users, items, seen, seen).tolist() == [1.0, 1.0]


def test_equal_scores_are_in_the_middle():
    nothing = pairs_of(np.zeros((1, 5), dtype=bool))
    pair = pairs_of(np.array([[False, True, False, False, False]]))
    assert ranking.percentiles(torch.ones(1, 1), torch.ones(5, 1), nothing, pair).tolist() == [0.5]


def test_scores_of_pairs_are_dot_products():
    rng = np.random.default_rng(0)
    users, items = whole_numbers(rng, 4, 3), whole_numbers(rng, 5, 3)
    u_rows, i_rows = np.array([3, 0, 3]), np.array([4, 1, 0])
    expected = (users @ items.T).numpy()[u_rows, i_rows]
    assert ranking.score_pairs(users, items, u_rows, i_rows).numpy().tolist() == expected.tolist()


def test_vectors_that_require_gradients_can_be_ranked():
    users, items = torch.ones(2, 2, requires_grad=True), torch.ones(3, 2, requires_grad=True)
    nothing = pairs_of(np.zeros((2, 3), dtype=bool))
    assert ranking.top_k(users, items, nothing, np.array([0, 1]), 3).shape == (2, 3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("whose", ["user", "item"])
def test_vectors_that_are_not_finite_are_refused(bad, whose):
    users, items = torch.ones(2, 2), torch.ones(3, 2)
    (users if whose == "user" else items)[1, 0] = bad
    nothing = pairs_of(np.zeros((2, 3), dtype=bool))
    pair = pairs_of(np.eye(2, 3) > 0)
    for call in (
        lambda: ranking.top_k(users, items, nothing, np.array([0]), 2),
        lambda: ranking.ranks(users, items, nothing, pair, 2),
        lambda: ranking.percentiles(users, items, nothing, pair),
        lambda: ranking.score_pairs(users, items, np.array([0]), np.array([0])),
    ):
        with pytest.raises(DivergedError, match=f"{whose} row 1"):
            call()


def test_finite_vectors_whose_sum_is_not_can_be_ranked():
    users, items = torch.full((2, 1), 3e38), torch.tensor([[0.5], [1.0]])
    nothing = pairs_of(np.zeros((2, 2), dtype=bool))
    assert ranking.top_k(users, items, nothing, np.array([1]), 2).tolist() == [[1, 0]]


def test_other_widths_and_lengths_are_refused():
    nothing = pairs_of(np.zeros((2, 3), dtype=bool))
    with pytest.raises(ShapeError, match="item vectors"):
        ranking.top_k(torch.ones(2, 2), torch.ones(3, 4), nothing, np.array([0]), 2)
    with pytest.raises(ShapeError, match="item rows"):
        ranking.score_pairs(torch.ones(2, 2), torch.ones(3, 2), np.array([0]), np.array([0, 1]))
    with pytest.raises(ConfigError, match="1 or more"):
        ranking.top_k(torch.ones(2, 2), torch.ones(3, 2), nothing, np.array([0]), 0)

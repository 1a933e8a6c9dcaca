"""Negatives: never a positive, each other item equally likely."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.errors import DataError


def pairs_of(mask):
    users, items = np.nonzero(mask)
    return Interactions(users, items, np.zeros(len(users), dtype=np.int8))


@given(seed=st.integers(0, 2**32 - 1), users=st.integers(1, 6), items=st.integers(2, 9), density=st.floats(0, 1))
@settings(deadline=None)
def test_no_negative_is_a_positive(seed, users, items, density):
    rng = np.random.default_rng(seed)
    known = rng.random((users, items)) < density
    known[:, -1] = False
    rows = rng.integers(0, users, 200)
    drawn = NegativeSampler(pairs_of(known), users, items).draw(rows, rng)
    assert drawn.dtype == np.int64
    assert not known[rows, drawn].any()


def test_negatives_are_uniform_over_the_allowed_items():
    known = np.zeros((2, 8), dtype=bool)
    known[0, [0, 3]] = True
    known[1, 1:7] = True
    draws = 30_000
    sampler, rng = NegativeSampler(pairs_of(known), 2, 8), np.random.default_rng(0)
    for user in (0, 1):
        counts = np.bincount(sampler.draw(np.full(draws, user), rng), minlength=8)
        share = 1 / (~known[user]).sum()
        spread = 5 * np.sqrt(draws * share * (1 - share))
        assert np.abs(counts[~known[user]] - draws * share).max() < spread


def test_only_candidates_are_drawn():
    known = np.zeros((1, 6), dtype=bool)
    known[0, 2] = True
    sampler = NegativeSampler(pairs_of(known), 1, 6, candidates=np.array([2, 4, 5]))
    assert set(sampler.draw(np.zeros(200, dtype=np.int64), np.random.default_rng(0)).tolist()) == {4, 5}


def test_a_user_who_knows_every_candidate_stops_nobody():
    known = np.zeros((3, 4), dtype=bool)
    known[1] = True
    known[[0, 2], [3, 0]] = True
    pairs, candidates = pairs_of(known), np.array([0, 2])
    for sampler in (NegativeSampler(pairs, 3, 4), NegativeSampler(pairs, 3, 4, candidates)):
        assert sampler.has_negative(np.arange(3)).tolist() == [True, False, True]
        (batch,) = bpr_batches(pairs, sampler, 10, np.random.default_rng(0))
        assert sorted(batch.users.tolist()) == [0, 2]
        assert not known[batch.users, batch.negatives].any()
        drawn = sampler.draw(np.array([1, 1, 0]), np.random.default_rng(0))
        assert set(drawn) <= set(sampler.candidates)
        assert not known[0, drawn[2]]


def test_those_who_know_everything_are_drawn_for_where_there_is_nobody_else():
    known = np.ones((2, 3), dtype=bool)
    known[1, 2] = False
    pairs = pairs_of(known)
    theirs = pairs.select(pairs.users == 0)
    (batch,) = bpr_batches(theirs, NegativeSampler(pairs, 2, 3), 10, np.random.default_rng(0))
    assert sorted(batch.positives.tolist()) == [0, 1, 2]


def test_users_of_a_dataset_without_a_pair_have_negatives():
    known = np.eye(5, 3, dtype=bool)
    data = Dataset("d", IdMap.of("user", "abcde"), IdMap.of("item", "xyz"), pairs_of(known))
    sampler = NegativeSampler.of_dataset(data)
    assert sampler.has_negative(np.arange(5)).all()
    assert not known[np.arange(5), sampler.draw(np.arange(5), np.random.default_rng(0))].any()


def test_where_everybody_knows_everything_nothing_can_be_drawn():
    with pytest.raises(DataError, match="everybody has every item"):
        NegativeSampler(pairs_of(np.ones((2, 3), dtype=bool)), 3, 3)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
def test_an_epoch_has_every_pair_once(batch_size):
    known = np.random.default_rng(1).random((5, 9)) < 0.4
    pairs = pairs_of(known)
    batches = list(bpr_batches(pairs, NegativeSampler(pairs, 5, 9), batch_size, np.random.default_rng(2)))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 0 < len(batches[-1]) <= batch_size
    users = torch.cat([batch.users for batch in batches]).numpy()
    positives = torch.cat([batch.positives for batch in batches]).numpy()
    negatives = torch.cat([batch.negatives for batch in batches]).numpy()
    assert sorted(zip(users, positives, strict=True)) == sorted(zip(pairs.users, pairs.items, strict=True))
    assert not known[users, negatives].any()


def test_an_epoch_follows_its_generator():
    pairs = pairs_of(np.random.default_rng(1).random((5, 9)) < 0.4)
    sampler = NegativeSampler(pairs, 5, 9)
    first, again, other = (next(bpr_batches(pairs, sampler, 100, np.random.default_rng(seed))) for seed in (3, 3, 4))
    assert torch.equal(first.positives, again.positives)
    assert torch.equal(first.negatives, again.negatives)
    assert not torch.equal(first.positives, other.positives)
    assert torch.equal(first.to(torch.device("cpu")).users, first.users)

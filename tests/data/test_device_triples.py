"""Triples drawn on a device, here on the CPU: exact, uniform, and the same for the same seed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.interactions import Interactions
from tests.data.test_bpr_sampling import pairs_of

HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def drawn(known: np.ndarray, candidates=None, pairs: Interactions | None = None) -> DeviceTriples:
    positives = pairs_of(known)
    sampler = NegativeSampler(positives, *known.shape, candidates=candidates)
    return DeviceTriples(positives if pairs is None else pairs, sampler, HERE)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator(HERE).manual_seed(seed)


@given(seed=st.integers(0, 2**32 - 1), users=st.integers(1, 6), items=st.integers(2, 9), density=st.floats(0, 1))
def test_no_negative_is_a_positive(seed, users, items, density):
    dice = np.random.default_rng(seed)
    known = dice.random((users, items)) < density
    known[:, -1], known[0, 0] = False, True
    candidates = np.flatnonzero((dice.random(items) < 0.7) | (np.arange(items) == items - 1))
    rows = dice.integers(0, int(np.flatnonzero(known.any(axis=1)).max()) + 1, 200)
    found = drawn(known, candidates).negatives(torch.tensor(rows, device=HERE), rng(seed)).cpu().numpy()
    assert not known[rows, found].any()
    assert set(found) <= set(candidates)


@pytest.mark.parametrize("user", [0, 1, 2])
def test_negatives_are_uniform(user):
    known = np.zeros((3, 40), dtype=bool)
    known[0, [0, 3, 39]] = True
    known[1, 1:37] = True
    known[2, ::2] = True
    found = drawn(known).negatives(torch.full((40_000,), user, device=HERE), rng(1)).cpu().numpy()
    counts = np.bincount(found, minlength=40)[~known[user]]
    assert counts.sum() == 40_000
    assert chisquare(counts).pvalue > 0.01


def test_an_epoch_has_every_pair_in_an_order_of_its_own():
    known = np.random.default_rng(0).random((30, 20)) < 0.3
    triples = drawn(known)
    first, again, other = (
        torch.cat([torch.stack(batch.columns()) for batch in triples.epoch(16, rng(seed))], dim=1) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first[:2], other[:2])
    cells = np.zeros_like(known)
    cells[first[0].cpu(), first[1].cpu()] = True
    pairs, batches = known.sum(), -(-known.sum() // 16)
    assert pairs <= first.shape[1] < pairs + batches  # a few come twice, so that batches are of one length
    assert (cells == known).all()
    assert not known[first[0].cpu(), first[2].cpu()].any()
    assert [len(batch) for batch in triples.epoch(16, rng())] == [-(-pairs // batches)] * batches


def test_a_user_who_knows_every_candidate_is_passed_over():
    known = np.zeros((3, 4), dtype=bool)
    known[1] = True
    known[[0, 2], [3, 0]] = True
    for candidates in (None, np.array([0, 2])):
        triples = drawn(known, candidates)
        (batch,) = triples.epoch(10, rng())
        assert sorted(batch.users.tolist()) == [0, 2]
        asked = triples.negatives(torch.ones(50, dtype=torch.int64, device=HERE), rng())
        assert set(asked.tolist()) == (set(range(4)) if candidates is None else {0, 2})

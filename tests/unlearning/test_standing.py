import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Interactions
from mmrecun.unlearning.standing import (
    MOST_PAIRS,
    Compared,
    Contest,
    at_standing,
    chance,
    standing,
    unlearned_standing,
)


def test_scores_and_standing_equal_a_loop(dataset: Dataset):
    rng = np.random.default_rng(0)
    users, items = (
        torch.from_numpy(rng.integers(-2, 3, size=(count, 3)).astype(np.float32))
        for count in (len(dataset.users), len(dataset.items))
    )
    drawn = rng.permutation(len(dataset.items))[:20]
    pairs = dataset.train.select(np.arange(len(dataset.train)) % 40 == 0)
    compared = Compared.of(pairs, drawn, dataset.train.matrix(len(users), len(items)))
    own, _ = compared.scores((users, items), np.arange(len(pairs)))
    places = compared.standing((users, items))
    had = set(zip(dataset.train.users.tolist(), dataset.train.items.tolist(), strict=True))
    for row, (user, item) in enumerate(zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)):
        mine = float(users[user] @ items[item])
        rivals = [
            float(users[user] @ items[other]) for other in drawn if (user, int(other)) not in had and other != item
        ]
        expected = np.mean([1.0 if rival < mine else 0.5 if rival == mine else 0.0 for rival in rivals])
        assert own[row].item() == mine
        assert places[row] == np.float32(expected)


def test_a_pair_without_rivals_stands_in_the_middle():
    assert standing(np.float32([1]), np.full((1, 3), -np.inf, dtype=np.float32), np.zeros(1, int)).tolist() == [0.5]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_unlearned_pairs_are_spread_like_the_controls(forgotten: list[float], controls: list[float]):
    ours, theirs = np.array(forgotten), np.array(controls)
    wanted = unlearned_standing(ours, np.zeros(len(ours), int), theirs, np.zeros(len(theirs), int))
    order = np.argsort(ours, kind="stable")
    assert (np.diff(wanted[order]) >= 0).all()
    assert theirs.min() <= wanted.min() <= wanted.max() <= theirs.max()
    np.testing.assert_allclose(
        wanted[order], [np.quantile(theirs, (place + 0.5) / len(ours)) for place in range(len(ours))]
    )


def test_each_stratum_has_its_own_controls():
    wanted = unlearned_standing(np.array([0.9, 0.9]), np.array([64, 129]), np.array([0.2, 0.7]), np.array([64, 128]))
    assert wanted.tolist() == [0.2, 0.7]


def test_the_candidate_at_a_standing_outranks_that_share():
    others = np.tile(np.float32([0.3, -np.inf, 0.1, 0.2, 0.4]), (5, 1))
    assert at_standing(others, np.full(5, 4), np.array([0.0, 0.25, 0.5, 0.75, 1.0])).tolist() == [2, 3, 0, 4, 4]


def test_the_standard_error_of_chance_is_that_of_a_simulation():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2000, 30)), rng.random((2000, 50))
    found = (ours[:, :, None] > theirs[:, None, :]).mean(axis=(1, 2))
    assert chance(30, 50) == pytest.approx(found.std(), rel=0.05)


def test_a_contest_names_those_above_their_quantile_and_who_stands_there():
    """Eight candidates score 0 to 7; held-out pairs outrank 2 and 6 of them, forgotten ones 5 and 8."""
    users, items = torch.ones(2, 1), torch.tensor([*range(8), 1.5, 5.5, 4.5, 7.5]).unsqueeze(1)
    candidates = np.arange(8)

    def compared(rows: list[int]) -> Compared:
        pairs = Interactions(np.array([0, 1]), np.array(rows), np.zeros(2, dtype=np.int8))
        return Compared(pairs, candidates, sp.csr_array((2, 8)))

    contest = Contest(compared([10, 11]), compared([8, 9]), (np.zeros(2, int), np.zeros(2, int)))
    found = contest.too_high((users, items), (users, items))
    assert found.places.tolist() == [0, 1]
    assert found.rivals.tolist() == [3, 5]  # the quarter and three quarters of 2/8 and 6/8 are 3/8 and 5/8
    assert found.auc == 0.75
    assert contest.comparable


def test_many_pairs_are_compared_in_pieces(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    users, items = (torch.randn(len(ids), 3) for ids in (dataset.users, dataset.items))
    known = dataset.train.matrix(len(users), len(items))
    compared = Compared.of(dataset.train, np.arange(0, len(items), 2), known)
    at = np.arange(0, len(dataset.train), 3)
    wanted = np.linspace(0, 1, len(at))
    whole = compared.standing((users, items)), compared.rivals((users, items), at, wanted)
    monkeypatch.setattr("mmrecun.unlearning.standing.MOST_PAIRS", 50)
    assert np.array_equal(compared.standing((users, items)), whole[0])
    assert np.array_equal(compared.rivals((users, items), at, wanted), whole[1])


def test_of_many_pairs_some_are_drawn(dataset: Dataset):
    rng = np.random.default_rng(0)
    rows = np.arange(MOST_PAIRS + 5)
    pairs = Interactions(rows, rows, np.zeros(len(rows), dtype=np.int8))
    drawn = pairs.sample(MOST_PAIRS, rng)
    assert len(drawn) == MOST_PAIRS
    assert (drawn.users == drawn.items).all()
    assert dataset.train.sample(MOST_PAIRS, rng) is dataset.train

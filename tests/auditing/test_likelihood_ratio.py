import numpy as np
import pytest
from scipy.stats import norm

from mmrecun.auditing.likelihood_ratio import Attack, check_number, halves, likelihood, logits, shadow_attack, summarise
from mmrecun.errors import ConfigError


def drawn(centre: float, count: int, pairs: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-rng.normal(centre, 0.5, (count, pairs))))


def mixed(inside: float, outside: float, count: int, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Shadows whose learned pairs lie around one centre, and the others around another."""
    learned = halves(pairs, count, np.random.default_rng(4))
    return np.where(learned, drawn(inside, count, pairs, 0), drawn(outside, count, pairs, 1)), learned


def test_the_probability_is_that_of_two_normal_curves():
    """Pair by pair, with scipy's densities; the halves are uneven."""
    rng = np.random.default_rng(5)
    learned = rng.random((7, 40)) < 0.5
    learned[0], learned[1] = True, False
    shadows, scores = np.where(learned, drawn(1, 7, 40, 0), drawn(-1, 7, 40, 1)), drawn(1, 1, 40, 2)[0]
    spreads, free = {True: 0.0, False: 0.0}, {True: 0, False: 0}
    for side in (True, False):
        for pair in range(40):
            values = logits(shadows[learned[:, pair] == side, pair])
            spreads[side] += ((values - values.mean()) ** 2).sum()
            free[side] += len(values) - 1
    expected = []
    for pair in range(40):
        density = {
            side: norm.pdf(
                logits(scores[pair]),
                logits(shadows[learned[:, pair] == side, pair]).mean(),
                np.sqrt((spreads[side] / free[side] + 1e-6) * (1 + 1 / (learned[:, pair] == side).sum())),
            )
            for side in (True, False)
        }
        expected.append(density[True] / sum(density.values()))
    assert likelihood(scores, shadows, learned) == pytest.approx(expected)


def test_what_was_unlearned_badly_is_detected_and_gold_is_not():
    marked, gold = shadow_attack([drawn(2, 1, 500, 9)[0], drawn(0, 1, 500, 8)[0]], *mixed(2, 0, 6, 500))
    assert marked.detected > 0.95
    assert gold.detected < 0.05
    assert marked.worst > marked.score > 0.9


def test_shadows_that_agree_detect_nothing():
    (found,) = shadow_attack([drawn(0, 1, 2000, 9)[0]], *mixed(0, 0, 8, 2000))
    assert found.score == pytest.approx(0.5, abs=0.03)


def test_the_worst_tenth_is_kept_in_sight():
    assert summarise(np.array([0.1] * 9 + [0.9])).worst == pytest.approx(0.9)


def test_a_pair_that_no_shadow_learned_is_left_out():
    shadows, learned = mixed(2, 0, 4, 3)
    learned[:, 1] = False
    found = likelihood(np.array([0.5, 0.5, 0.5]), shadows, learned)
    assert np.isnan(found).tolist() == [False, True, False]
    assert summarise(found).score == pytest.approx(np.nanmean(found))
    assert summarise(np.array([np.nan])) is None
    assert summarise(np.array([0.25, np.nan])) == Attack(0.25, 0.0, 0.25)


@pytest.mark.parametrize("units", [1, 2, 9])
def test_everything_is_learned_by_every_second_shadow(units: int):
    learned = halves(units, 6, np.random.default_rng(0))
    assert learned.sum(axis=0).tolist() == [3] * units
    assert np.ptp(learned.sum(axis=1)) <= 1
    assert (learned[::2] ^ learned[1::2]).all()
    if units > 2:
        assert len(np.unique(learned, axis=0)) > 2


@pytest.mark.parametrize(
    ("shadows", "said"),
    [(1, "even number of 4 or more"), (2, "of 4 or more"), (5, "even number"), (10_002, "10,000 at most")],
)
def test_a_number_that_cannot_be_shared_out_is_refused(shadows: int, said: str):
    with pytest.raises(ConfigError, match=said):
        check_number(shadows)
    assert check_number(4) is check_number(10_000) is None

import numpy as np
import pytest
from scipy.stats import norm

from mmrecun.audit.attack import likelihood, logits, shadow_attack, summarise
from mmrecun.errors import ConfigError


def shadows(centre: float, count: int, pairs: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-rng.normal(centre, 0.5, (count, pairs))))


def test_the_probability_is_that_of_two_normal_curves():
    inside, outside = shadows(1, 6, 40, 0), shadows(-1, 6, 40, 1)
    scores = shadows(1, 1, 40, 2)[0]
    densities = []
    for group in (inside, outside):
        spread = np.sqrt(logits(group).var(axis=0, ddof=1).mean() + 1e-6)
        densities.append(norm.pdf(logits(scores), logits(group).mean(axis=0), spread))
    assert likelihood(scores, inside, outside) == pytest.approx(densities[0] / sum(densities))


def test_what_was_unlearned_badly_is_detected_and_gold_is_not():
    marked, gold = shadow_attack(
        [shadows(2, 1, 500, 9)[0], shadows(0, 1, 500, 8)[0]],
        unlearned=lambda number: shadows(2, 1, 500, number)[0],
        never=lambda number: shadows(0, 1, 500, 100 + number)[0],
        shadows=6,
    )
    assert marked.detected > 0.95
    assert gold.detected < 0.05
    assert marked.worst > marked.score > 0.9


def test_shadows_that_agree_detect_nothing():
    (found,) = shadow_attack(
        [shadows(0, 1, 2000, 9)[0]],
        unlearned=lambda number: shadows(0, 1, 2000, number)[0],
        never=lambda number: shadows(0, 1, 2000, 100 + number)[0],
        shadows=8,
    )
    assert found.score == pytest.approx(0.5, abs=0.03)


def test_the_worst_tenth_is_kept_in_sight():
    assert summarise(np.array([0.1] * 9 + [0.9])).worst == pytest.approx(0.9)
    with pytest.raises(ConfigError, match="no spread"):
        shadow_attack([], lambda _: np.ones(1), lambda _: np.ones(1), shadows=1)

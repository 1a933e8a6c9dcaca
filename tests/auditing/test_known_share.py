import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from mmrecun.auditing.known_share import BINS, known_share, mixture_share


def mixed(rng: np.random.Generator, size: int, share: float) -> np.ndarray:
    """Even places, of which a share is drawn like known ones: towards the top."""
    known = rng.random(size) < share
    return np.where(known, rng.beta(6, 1, size), rng.random(size))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_planted_share_lies_in_its_band(share: float):
    rng = np.random.default_rng(5)
    owners = np.repeat(np.arange(200), 10)
    found = known_share(mixed(rng, 2000, share), owners, mixed(rng, 2000, 1.0), owners, np.random.default_rng(0))
    assert found.low - 0.01 <= share <= found.high + 0.01
    assert found.value == pytest.approx(share, abs=0.06)
    assert found.high - found.low < 0.2


@given(st.integers(0, 1000))
def test_it_is_the_most_likely_share(seed: int):
    rng = np.random.default_rng(seed)
    counts, known = rng.integers(0, 30, (1, BINS)).astype(float), np.sort(rng.integers(1, 60, (1, BINS))).astype(float)
    density = (known[0] + 0.5) / (known[0] + 0.5).mean()

    def loss(share: float) -> float:
        return -float(counts[0] @ np.log(share * density + 1 - share))

    best = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
    assert (
        loss(mixture_share(counts, known)[0]) <= best.fun + 0.1
    )  # nats; near an end of the range the steps grow short


def test_few_pairs_have_a_wide_band():
    rng = np.random.default_rng(6)
    found = known_share(rng.random(6), np.arange(6), mixed(rng, 500, 1.0), np.arange(500), np.random.default_rng(0))
    assert found.high > 0.3
    lone = known_share(rng.random(60), np.zeros(60), mixed(rng, 500, 1.0), np.arange(500), np.random.default_rng(0))
    assert lone.high > lone.low

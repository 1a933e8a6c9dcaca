"""The share of forgotten pairs that still look known: a mixture proportion with its band, without shadow models.

The rank percentiles of forgotten pairs among held-out ones are a mixture: pairs still known are distributed like pairs
the model was trained on, the others like held-out pairs, that is uniformly. The share of the former is estimated by
maximum likelihood (expectation maximisation; the idea of SMI, arXiv 2602.01150), its band by a bootstrap over owners.
"""

from typing import NamedTuple

import numpy as np

from mmrecun.arrays import Doubles, Ints

BINS, DRAWS, STEPS = 20, 200, 300
BAND = (0.025, 0.975)


class KnownShare(NamedTuple):
    """A share from 0 to 1 and its 95 % band."""

    value: float
    low: float
    high: float


def mixture_share(mixed: Doubles, known: Doubles) -> Doubles:
    """Estimate the share of `known` in `mixed`, the rest being uniform: float64 [B].

    Args:
        mixed: float64 [B, bins], counts.
        known: float64 [B, bins], counts; half a count is added to each bin, so that none is impossible.
    """
    smooth = known + 0.5
    ratio = smooth / smooth.mean(axis=1, keepdims=True)  # density of the known pairs over the uniform density
    share = np.full((len(mixed), 1), 0.5)
    for _ in range(STEPS):
        chance = share * ratio / (share * ratio + 1 - share)
        share = (mixed * chance).sum(axis=1, keepdims=True) / np.maximum(mixed.sum(axis=1, keepdims=True), 1)
    return share[:, 0]


def known_share(
    mixed: Doubles, owners: Ints, known: Doubles, known_owners: Ints, rng: np.random.Generator
) -> KnownShare:
    """Estimate how many of N pairs are still known.

    Args:
        mixed: float64 [N], places of the forgotten pairs among held-out ones, from 0 to 1.
        owners: int64 [N]; the pairs of one owner are drawn together, those of a single owner one by one.
        known: float64 [M], places of pairs that the model was trained on.
        known_owners: int64 [M].
        rng: generator of the bootstrap.
    """
    first, second = _by_owner(mixed, owners), _by_owner(known, known_owners)
    value = mixture_share(first.sum(axis=0)[None], second.sum(axis=0)[None])[0]
    drawn = [_resampled(counts, rng) for counts in (first, second)]
    low, high = np.quantile(mixture_share(*drawn), BAND)
    return KnownShare(float(value), float(min(low, value)), float(max(high, value)))


def _by_owner(places: Doubles, owners: Ints) -> Doubles:
    """Return counts of each owner in each bin, float64 [O, bins]."""
    _, whose = np.unique(owners, return_inverse=True)
    if not len(whose) or not whose.any():
        whose = np.arange(len(places))
    bins = np.minimum((places * BINS).astype(np.int64), BINS - 1)
    cells = np.bincount(whose * BINS + bins, minlength=BINS * (int(whose.max(initial=0)) + 1))
    return cells.reshape(-1, BINS).astype(np.float64)


def _resampled(counts: Doubles, rng: np.random.Generator) -> Doubles:
    """Return sums over owners drawn with replacement, float64 [DRAWS, bins]."""
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=DRAWS)
    drawn: Doubles = times @ counts
    return drawn

"""Can forgotten pairs be told apart from pairs the model never saw? Rank percentiles against matched controls."""

import numpy as np
from scipy.stats import rankdata

from mmrecun.data.interactions import Interactions
from mmrecun.data.triples import NegativeSampler
from mmrecun.shapes import Floats, Ints


def auc(positives: Floats, controls: Floats) -> float | None:
    """Chance that a random entry of `positives` [N] exceeds one of `controls` [M], ties half (Mann-Whitney).

    None when either is empty.

    >>> auc(np.array([0.9, 0.5]), np.array([0.1, 0.5]))
    0.875
    """
    if not len(positives) or not len(controls):
        return None
    ranks = rankdata(np.concatenate([positives, controls]))[: len(positives)]
    above = ranks.sum() - len(positives) * (len(positives) + 1) / 2
    return float(above / (len(positives) * len(controls)))


def random_controls(
    forgotten: Interactions, known: Interactions, users: int, items: int, rng: np.random.Generator
) -> Interactions:
    """For each forgotten pair one random pair of the same user that is not in `known`; repetitions are dropped."""
    drawn: Ints = NegativeSampler(known, users, items).draw(forgotten.users, rng)
    keys = np.unique(forgotten.users * items + drawn)
    return Interactions(keys // items, keys % items, np.zeros(len(keys), dtype=np.int8))


def histogram(percentiles: Floats, bins: int = 20) -> tuple[float, ...]:
    """Shares of [N] percentiles in equal bins from 0 to 1; empty for N = 0."""
    if not len(percentiles):
        return ()
    counts, _ = np.histogram(percentiles, bins=bins, range=(0, 1))
    return tuple((counts / len(percentiles)).tolist())

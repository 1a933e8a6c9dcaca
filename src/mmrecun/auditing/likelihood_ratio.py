"""Likelihood-ratio attack on each forgotten pair, with shadow models (RULI, arXiv 2506.13009).

Every shadow model learned a random half of what was forgotten and then unlearned it; it never had the other half. So
each pair was unlearned in some shadows and never seen in the others, and its score in the audited model is more likely
under one of the two. If the attacker is right more often than for Gold, the unlearning can be detected.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np

from mmrecun.arrays import Bools, Floats
from mmrecun.errors import ConfigError

_MOST = 10_000  # the attack's paper trains 256


class Attack(NamedTuple):
    """The outcome of the attack on N pairs.

    Attributes:
        score: mean probability that a pair was trained on and unlearned, with equal prior odds; 0.5 is a guess.
        detected: share of pairs whose probability is above one half.
        worst: mean probability of the tenth of pairs that are most exposed.
    """

    score: float
    detected: float
    worst: float


def check_number(shadows: int) -> None:
    """Refuse a number of shadows that does not share out evenly, leaves no spread on either side, or is never reached.

    Raises:
        ConfigError: for an odd number, fewer than four, or more than ten thousand.
    """
    if not isinstance(shadows, Integral):
        raise ConfigError(f"{shadows!r} shadow models: give a whole number")
    if shadows > _MOST:
        raise ConfigError(f"{shadows:,} shadow models: each is a training; take {_MOST:,} at most")
    if shadows < 4 or shadows % 2:
        raise ConfigError(
            f"{shadows} shadow models: take an even number of 4 or more, so that all that was forgotten is learned by "
            "at least two of them and left out by as many"
        )


def halves(units: int, shadows: int, rng: np.random.Generator) -> Bools:
    """Draw which units each shadow learns, bool [K, units]; of every two shadows, one has what the other lacks.

    A lone unit is learned by every second shadow.

    >>> learned = halves(5, 4, np.random.default_rng(0))
    >>> learned.sum(axis=0).tolist(), bool((learned[0] ^ learned[1]).all())
    ([2, 2, 2, 2, 2], True)
    """
    check_number(shadows)
    learned = np.zeros((shadows, units), dtype=bool)
    for number in range(0, shadows, 2):
        learned[number, rng.permutation(units)[: (units + 1) // 2]] = True
        learned[number + 1] = ~learned[number]
    return learned


def logits(percentiles: Floats) -> np.ndarray:
    """Transform rank percentiles to the logit scale, on which they are nearly normal; float64 of the given shape."""
    clipped = np.clip(np.asarray(percentiles, dtype=np.float64), 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))


def likelihood(scores: Floats, shadows: Floats, learned: Bools) -> np.ndarray:
    """Compute the probability of "trained and unlearned" of each pair; float64 [N], NaN without either kind of shadow.

    Each side is a normal distribution per pair, with the variance pooled over pairs, since shadows are few (Carlini et
    al., "Membership inference attacks from first principles", 2022, section IV-C), and widened by that of the mean.

    Args:
        scores: percentiles [N] in the model under attack.
        shadows: percentiles [K, N] in K shadow models.
        learned: [K, N], whether the shadow learned and unlearned the pair, or never had it.
    """
    value, drawn = logits(scores), logits(shadows)
    inside, outside = (_log_density(value, drawn, side) for side in (learned, ~learned))
    ratio: np.ndarray = 1 / (1 + np.exp(np.clip(outside - inside, -500, 500)))
    return ratio


def _log_density(value: np.ndarray, drawn: np.ndarray, side: Bools) -> np.ndarray:
    """Compute the log of the normal density of [N] values, up to a constant, fitted to one side of [K, N] draws."""
    counts = side.sum(axis=0)
    mean = np.where(counts, (drawn * side).sum(axis=0) / np.maximum(counts, 1), np.nan)
    squares = np.where(side, (drawn - mean) ** 2, 0).sum()
    variance = squares / max(1, int(np.maximum(counts - 1, 0).sum())) + 1e-6
    variance = variance * (1 + 1 / np.maximum(counts, 1))  # the mean of a few is uncertain, too
    density: np.ndarray = -0.5 * ((value - mean) ** 2 / variance + np.log(variance))
    return density


def summarise(probabilities: np.ndarray) -> Attack | None:
    """Average over N pairs, and over the most exposed tenth; NaN is left out; None if nothing else is left."""
    ranked = np.sort(probabilities[~np.isnan(probabilities)])
    if not len(ranked):
        return None
    worst = ranked[-max(1, len(ranked) // 10) :]
    return Attack(float(ranked.mean()), float((ranked > 0.5).mean()), float(worst.mean()))


def shadow_attack(models: Sequence[Floats], shadows: Floats, learned: Bools) -> list[Attack | None]:
    """Attack several models (the unlearned one, each Gold) with the same shadows.

    Args:
        models: percentiles [N] of the same forgotten pairs in each.
        shadows: percentiles [K, N] in K shadow models.
        learned: [K, N], whether the shadow learned and unlearned the pair, or never had it.
    """
    return [summarise(likelihood(scores, shadows, learned)) for scores in models]

"""Likelihood-ratio attack on each forgotten pair, with shadow models (RULI, arXiv 2506.13009).

The attacker has trained shadow models that learned the pairs and then unlearned them, and others that never had them.
Each pair's score in the audited model is more likely under one of the two; where the attacker guesses right more often
than for Gold, the unlearning can be told.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mmrecun.errors import ConfigError
from mmrecun.shapes import Floats

Scores = Callable[[int], Floats]


class Attack(NamedTuple):
    """What the attack says of N pairs.

    Attributes:
        score: mean probability that a pair was trained on and unlearned, equal odds beforehand; 0.5 cannot tell.
        detected: share of pairs whose probability is above one half.
        worst: mean probability of the tenth of pairs that are most exposed.
    """

    score: float
    detected: float
    worst: float


def logits(percentiles: Floats) -> np.ndarray:
    """Rank percentiles on a scale on which they are nearly normal; float64, as the shape given."""
    clipped = np.clip(np.asarray(percentiles, dtype=np.float64), 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))


def likelihood(scores: Floats, unlearned: Floats, never: Floats) -> np.ndarray:
    """Probability of "trained and unlearned" for each pair; float64 [N].

    Each side is a normal distribution per pair, with the variance pooled over pairs, since shadows are few (Carlini et
    al., "Membership inference attacks from first principles", 2022, section IV-C).

    Args:
        scores: percentiles [N] in the model under attack.
        unlearned, never: percentiles [K, N] in K shadow models of each kind.
    """
    value = logits(scores)
    densities = []
    for shadows in (logits(unlearned), logits(never)):
        ddof = 1 if len(shadows) > 1 else 0
        variance = shadows.var(axis=0, ddof=ddof).mean() + 1e-6
        densities.append(-0.5 * ((value - shadows.mean(axis=0)) ** 2 / variance + np.log(variance)))
    ratio: np.ndarray = 1 / (1 + np.exp(np.clip(densities[1] - densities[0], -500, 500)))
    return ratio


def summarise(probabilities: np.ndarray) -> Attack:
    """Means over N pairs, and over the most exposed tenth."""
    worst = np.sort(probabilities)[-max(1, len(probabilities) // 10) :]
    return Attack(float(probabilities.mean()), float((probabilities > 0.5).mean()), float(worst.mean()))


def shadow_attack(models: Sequence[Floats], unlearned: Scores, never: Scores, shadows: int = 4) -> list[Attack]:
    """Attack several models (the unlearned one, each Gold) with the same shadows.

    Args:
        models: percentiles [N] of the same forgotten pairs in each.
        unlearned: given a number, trains a shadow on everything, unlearns the pairs, and returns their percentiles.
        never: given a number, trains a shadow without the pairs, and returns their percentiles.
        shadows: of each kind; numbers 0 to shadows - 1 are passed on.

    Raises:
        ConfigError: for fewer than two shadows, which have no spread.
    """
    if shadows < 2:
        raise ConfigError(f"{shadows} shadow models have no spread; take two or more of each kind")
    inside, outside = (np.stack([train(number) for number in range(shadows)]) for train in (unlearned, never))
    return [summarise(likelihood(scores, inside, outside)) for scores in models]

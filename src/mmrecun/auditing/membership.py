"""Rank percentiles of forgotten pairs against those of matched controls, which the model never saw."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmrecun.arrays import Doubles, Floats, Ints
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranks import average_ranks
from mmrecun.evaluation.stratified import comparable_pairs, matched, placements, stratum_weights

FEW = 30  # pairs or rows of either group: fewer are too few to estimate an error from
_CAP = 1.5


def auc(positives: Floats, controls: Floats) -> float | None:
    """Compute the chance that a random entry of `positives` [N] exceeds one of `controls` [M], ties half.

    It is the Mann-Whitney statistic; None when either is empty.

    >>> auc(np.array([0.9, 0.5]), np.array([0.1, 0.5]))
    0.875
    """
    if not len(positives) or not len(controls):
        return None
    ranks = average_ranks(np.concatenate([positives, controls]))[: len(positives)]
    above = ranks.sum() - len(positives) * (len(positives) + 1) / 2
    return float(above / (len(positives) * len(controls)))


@dataclass(frozen=True)
class PairGroup:
    """Pairs whose ranks are compared with those of another group.

    Attributes:
        percentiles: float32 [N], rank percentiles or any other scores.
        strata: int64 [N], as of `mmrecun.evaluation.stratified.strata`.
        owners: int64 [N], the user or item whose pairs are one draw.
    """

    percentiles: Floats
    strata: Ints
    owners: Ints


Groups = tuple[PairGroup, PairGroup]


class Estimate(NamedTuple):
    """A figure and its standard error."""

    value: float
    error: float


def matched_auc(forgotten: PairGroup, controls: PairGroup) -> Estimate | None:
    """Compute the AUC within strata of popularity, weighted by `stratum_weights`, and its error over owners.

    The error is at least that of as many pairs from one distribution, and of as many that can be compared within
    strata, since a few pairs may all fall on one side. None when either group is empty.
    """
    if not len(forgotten.percentiles) or not len(controls.percentiles):
        return None
    parts = contributions(forgotten, controls)
    error = max(
        clustered_error(parts, forgotten.owners, controls.owners),
        auc_standard_error(len(parts[0]), len(parts[1])),
        independent_error(comparable_pairs(forgotten.strata, controls.strata)),
    )
    return Estimate(0.5 + float(parts[0].sum()), error)


def auc_beside(groups: Groups, level: Groups) -> tuple[Estimate, float]:
    """Compute a matched AUC and its level, which is that of the same pairs by other scores.

    Args:
        groups: pairs under test and controls; neither is empty.
        level: the same with the scores that the level rests on.

    Returns:
        The AUC with the standard error of its difference to the level, and the level. The error does not know how far
        both would differ with other rows to learn from; of few rows it is therefore that of two independent samples.
    """
    estimate, other = matched_auc(*groups), matched_auc(*level)
    assert estimate is not None
    assert other is not None
    parts = contributions(*groups), contributions(*level)
    own, theirs = (first - second for first, second in zip(*parts, strict=True))
    error = error_of_few(clustered_error((own, theirs), groups[0].owners, groups[1].owners), len(own), len(theirs))
    return Estimate(estimate.value, error), other.value


def independent_error(comparable: float) -> float:
    """Return the standard error of a matched AUC of independent pairs from one distribution.

    Args:
        comparable: `stratified.comparable_pairs` of the two groups.
    """
    return float(1 / np.sqrt(12 * comparable))


def error_of_few(error: float, first: int, second: int) -> float:
    """Return a standard error of an AUC; of two small samples at least the one of samples from one distribution."""
    return max(error, auc_standard_error(first, second)) if min(first, second) < FEW else error


def capped_error(error: float, comparable: float) -> float:
    """Return the standard error of an AUC, at most one and a half times that of independent pairs, all alike.

    Otherwise, where half of the owners are still known and half are not, the error over owners would grow with the very
    difference that a check looks for.

    Args:
        error: over owners.
        comparable: `stratified.comparable_pairs` of the two groups.
    """
    return min(error, _CAP * independent_error(comparable))


def auc_standard_error(first: int, second: int) -> float:
    """Return the standard deviation of the AUC of two samples of these sizes from one distribution (Mann-Whitney).

    >>> round(auc_standard_error(2, 1), 3), round(auc_standard_error(900, 300), 3)
    (0.408, 0.019)
    """
    return float(np.sqrt((first + second + 1) / (12 * first * second)))


def contributions(forgotten: PairGroup, controls: PairGroup) -> tuple[Doubles, Doubles]:
    """Return what each forgotten pair adds to the matched AUC above 0.5, and how far each control moves it.

    The first-order projections of the U statistic (Sen 1960; DeLong et al. 1988). Both groups hold at least one pair.

    Returns:
        float64 [N], which sums to AUC - 0.5, and float64 [M], which sums to 0.
    """
    shares = placements(forgotten.percentiles, forgotten.strata, controls.percentiles, controls.strata)
    weights = stratum_weights(forgotten.strata, controls.strata)
    value = weights @ shares
    theirs = np.zeros(len(controls.percentiles))
    for stratum in np.unique(forgotten.strata[weights > 0]):
        inside, comparable = forgotten.strata == stratum, matched(stratum, controls.strata)
        ranked = np.sort(forgotten.percentiles[inside])
        left, right = (np.searchsorted(ranked, controls.percentiles[comparable], side) for side in ("left", "right"))
        above = 1 - (left + right) / (2 * len(ranked))
        theirs[comparable] += weights[inside].sum() / len(comparable) * (above - shares[inside].mean())
    return weights * (shares - value) + (value - 0.5) / len(shares), theirs


def clustered_error(parts: tuple[Doubles, Doubles], owners: Ints, control_owners: Ints) -> float:
    """Return the standard error of a matched AUC, or of the difference of two, from its or their `contributions`.

    Forgotten pairs and controls of one owner are one draw, since they share a vector: what raises both cancels. With
    few owners this estimate is poor, so the error is at least that of independent pairs. A single owner who is compared
    with the controls of others counts as one uniform percentile.
    """
    own, theirs = parts
    deviations = np.concatenate([own - own.mean(), theirs])
    together = _clustered(deviations, np.concatenate([owners, control_owners]))
    alone = 1 / 12 if len(np.unique(owners)) == 1 and not np.isin(owners[0], control_owners) else 0.0
    return float(np.sqrt(max(together, (deviations**2).sum(), alone)))


def _clustered(deviations: Doubles, owners: Ints) -> float:
    """Compute the variance of the sum of `deviations` [N]; those of one owner are one draw. 0 for a single owner."""
    _, place = np.unique(owners, return_inverse=True)
    groups = int(place.max()) + 1
    sums = np.bincount(place, weights=deviations)
    return float((sums**2).sum() * groups / max(1, groups - 1)) if groups > 1 else 0.0


def random_controls(
    forgotten: Interactions, known: Interactions, users: int, items: int, rng: np.random.Generator
) -> Interactions:
    """Draw for each forgotten pair one of the same user that is not in `known`.

    Repetitions are dropped, and so are users who have every item.
    """
    sampler = NegativeSampler(known, users, items)
    asked = forgotten.users[sampler.has_negative(forgotten.users)]
    keys = np.unique(asked * items + sampler.draw(asked, rng))
    return Interactions(keys // items, keys % items, np.zeros(len(keys), dtype=np.int8))


def histogram(percentiles: Floats, bins: int = 20) -> tuple[float, ...]:
    """Compute the shares of [N] percentiles in equal bins from 0 to 1; empty for N = 0."""
    if not len(percentiles):
        return ()
    counts, _ = np.histogram(percentiles, bins=bins, range=(0, 1))
    return tuple((counts / len(percentiles)).tolist())

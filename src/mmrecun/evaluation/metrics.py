"""Metrics of ranked lists, one number per user, as in RecBole and MMRec.

All take `hits`, bool [M, K] (whether the k-th recommended item is relevant), and `relevant`, int64 [M] (the user's
number of relevant items), and return float64 [M]. A user without a relevant item gets 0.
"""

import numpy as np
import numpy.typing as npt

from mmrecun.arrays import Bools, Ints

PerUser = npt.NDArray[np.float64]


def recall(hits: Bools, relevant: Ints) -> PerUser:
    """Compute the share of relevant items in the list (Manning et al., Introduction to Information Retrieval, 8.3).

    >>> recall(np.array([[True, False], [True, True]]), np.array([4, 2])).tolist()
    [0.25, 1.0]
    """
    shares: PerUser = hits.sum(axis=1) / np.maximum(relevant, 1)
    return shares


def precision(hits: Bools, relevant: Ints) -> PerUser:  # noqa: ARG001
    """Compute the share of the list that is relevant (Manning et al., Introduction to Information Retrieval, 8.3).

    The list counts with its full length K, even if it could not be filled.

    >>> precision(np.array([[True, False], [True, True]]), np.array([4, 2])).tolist()
    [0.5, 1.0]
    """
    shares: PerUser = hits.sum(axis=1) / hits.shape[1]
    return shares


def ndcg(hits: Bools, relevant: Ints) -> PerUser:
    """Compute the normalised discounted cumulative gain with binary gain (Järvelin and Kekäläinen, 2002).

    The ideal list has min(relevant, K) relevant items on top.

    >>> ndcg(np.array([[True, False], [False, True]]), np.array([4, 1])).round(4).tolist()
    [0.6131, 0.6309]
    """
    discounts = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(relevant, hits.shape[1]).clip(min=1) - 1]
    gains: PerUser = (hits * discounts).sum(axis=1) / ideal
    return gains


def average_precision(hits: Bools, relevant: Ints) -> PerUser:
    """Sum the precision at each hit, over min(relevant, K) (as RecBole does; the mean over users is MAP@K).

    >>> average_precision(np.array([[True, False], [False, True]]), np.array([4, 1])).tolist()
    [0.5, 0.5]
    """
    places = np.arange(1, hits.shape[1] + 1)
    at_hits = hits * (hits.cumsum(axis=1) / places)
    averages: PerUser = at_hits.sum(axis=1) / np.minimum(relevant, hits.shape[1]).clip(min=1)
    return averages


def hit_rate(hits: Bools, relevant: Ints) -> PerUser:  # noqa: ARG001
    """Return 1 if the list holds a relevant item, else 0 (Deshpande and Karypis, 2004).

    >>> hit_rate(np.array([[True, False], [False, False]]), np.array([4, 1])).tolist()
    [1.0, 0.0]
    """
    found: PerUser = np.asarray(hits.any(axis=1), dtype=np.float64)
    return found


def coverage(lists: Ints, items: int) -> float:
    """Compute the share of items that are recommended to anybody (Ge et al., Beyond Accuracy, 2010).

    Args:
        lists: int64 [M, K] item rows; -1 marks an empty place.
        items: I.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    listed = np.zeros(items, dtype=bool)
    listed[lists[lists >= 0]] = True
    return int(listed.sum()) / items

"""Traits of each row that a holder of model and data can see: its length, and how it agrees with its neighbourhood."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import ndtri
from torch import Tensor
from torch.nn.functional import cosine_similarity

from mmrecun.arrays import Doubles, Ints
from mmrecun.data.sparse import product, square_diagonal
from mmrecun.evaluation.ranks import average_ranks_within

_TINY = 1e-12
_FEWEST = 40


class RowTraits(NamedTuple):
    """Traits of users float64 [U, F] and of items float64 [I, F].

    `row_traits` gives seven, in this order: the log length of the trained row; its cosines with the mean of its
    partners and with that of the rows two hops away; the log lengths of those two means; the log length of the served
    vector; and the agreement of the served vector with the mean vector of the other side.
    """

    users: Doubles
    items: Doubles


@torch.no_grad()
def row_traits(trained: tuple[Tensor, Tensor], served: tuple[Tensor, Tensor], adjacency: Tensor) -> RowTraits:
    """Measure every row of a model.

    Args:
        trained: float32 [U, D] and [I, D], the model's tables of users and items.
        served: float32 [U, D'] and [I, D'], the vectors whose dot products are the scores.
        adjacency: CSR [U + I, U + I], the normalised graph of its training pairs.
    """
    own = torch.cat(trained)
    near = product(adjacency, own)
    far = product(adjacency, near) - square_diagonal(adjacency)[:, None] * own
    users, items = served
    middle = torch.cat([users @ items.mean(dim=0), items @ users.mean(dim=0)])
    vectors = torch.cat(served)
    columns = (
        _log_length(own),
        cosine_similarity(own, near),
        cosine_similarity(own, far),
        _log_length(near),
        _log_length(far),
        _log_length(vectors),
        middle / vectors.norm(dim=1).clamp(min=_TINY),
    )
    traits = torch.stack(columns, dim=1).cpu().double().numpy()
    return RowTraits(traits[: len(users)], traits[len(users) :])


def structure(adjacency: Tensor, users: int) -> RowTraits:
    """Return traits that the retained pairs alone show: a row's degree, and the degrees of its partners and of theirs.

    They can identify a request that is not a random draw, such as the most active users, without any model.

    Args:
        adjacency: CSR [U + I, U + I], the normalised graph.
        users: U.

    Returns:
        float64 [U, 7] and [I, 7]: log degree, mean and variance of the log degrees of its partners, mean degree of its
        partners and of theirs, and a constant after one and after three hops over the graph.
    """
    starts, partners = adjacency.crow_indices().cpu().numpy(), adjacency.col_indices().cpu().numpy()
    normalised = sp.csr_array((adjacency.values().cpu().double().numpy(), partners, starts), shape=adjacency.shape)
    binary = sp.csr_array((np.ones(len(partners)), partners, starts), shape=adjacency.shape)
    degree = np.diff(starts).astype(np.float64)
    few, logs = np.maximum(degree, 1), np.log1p(degree)
    mean_log, near = binary @ logs / few, binary @ degree / few
    variance = binary @ logs**2 / few - mean_log**2
    hop = normalised @ np.ones(len(degree))
    traits = np.column_stack(
        [logs, mean_log, variance, near, binary @ near / few, hop, normalised @ (normalised @ hop)]
    )
    return RowTraits(traits[:users], traits[users:])


def _log_length(rows: Tensor) -> Tensor:
    lengths: Tensor = rows.norm(dim=1)
    return lengths.clamp(min=_TINY).log()


def degree_strata(degree: Ints) -> Ints:
    """Group rows of nearly equal degree: 0 for degree 0, then groups from 1 on, each of 40 rows or more.

    The groups are much finer than `stratified.degree_bins`, because a row's traits follow its degree closely.

    >>> degree_strata(np.repeat([0, 1, 2, 3], [5, 60, 30, 20]))[[0, 5, 65, 95]].tolist()
    [0, 1, 2, 2]
    """
    values, inverse, counts = np.unique(degree, return_inverse=True, return_counts=True)
    stratum = np.zeros(len(values), dtype=np.int64)
    number, held = 1, 0
    for place, count in enumerate(counts):
        if values[place] > 0:
            stratum[place] = number
            held += count
            if held >= _FEWEST:
                number, held = number + 1, 0
    if held and number > 1:
        stratum[stratum == number] = number - 1
    found: Ints = stratum[inverse]
    return found


def normal_scores(values: Doubles, strata: Ints) -> Doubles:
    """Replace each column by the normal quantiles of its ranks within each stratum (van der Waerden scores).

    This removes what depends on the stratum alone, such as popularity.

    Args:
        values: float64 [N, F].
        strata: int64 [N].

    Returns:
        float64 [N, F]; 0 throughout a stratum of equal values.
    """
    _, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    within = [average_ranks_within(column, stratum, sizes) for column in values.T]
    scores: Doubles = ndtri((np.column_stack(within) - 0.5) / sizes[stratum, None])
    return scores

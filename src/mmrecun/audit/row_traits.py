"""What anybody who holds a model and its data sees of each row: lengths, and how it agrees with its neighbourhood."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from mmrecun.audit.classifier import Weights
from mmrecun.data.sparse import product
from mmrecun.shapes import Ints

UserItemVectors = tuple[Tensor, Tensor]
_TINY = 1e-12
_FEWEST = 40


class RowTraits(NamedTuple):
    """Traits of users float64 [U, 7] and of items float64 [I, 7].

    In this order: log length of the trained row, its cosine with the mean of its partners, its cosine with the rows two
    hops away, the log lengths of those two, the log length of the served vector, and how well the served vector agrees
    with the mean vector of the other side.
    """

    users: Weights
    items: Weights


@torch.no_grad()
def row_traits(trained: UserItemVectors, served: UserItemVectors, adjacency: Tensor) -> RowTraits:
    """Measure every row of a model.

    Args:
        trained: float32 [U, D] and [I, D], its tables of users and items.
        served: float32 [U, D'] and [I, D'], the vectors whose products are scores.
        adjacency: CSR [U + I, U + I], the normalised graph of the pairs it knows.
    """
    own = torch.cat(trained)
    near = product(adjacency, own)
    far = product(adjacency, near) - _ways_back(adjacency)[:, None] * own
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


def _log_length(rows: Tensor) -> Tensor:
    lengths: Tensor = rows.norm(dim=1)
    return lengths.clamp(min=_TINY).log()


def _ways_back(adjacency: Tensor) -> Tensor:
    """The diagonal of the square of a symmetric CSR matrix [N, N]: float32 [N]."""
    counts = adjacency.crow_indices().diff()
    whose = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    return adjacency.values().new_zeros(len(counts)).index_add_(0, whose, adjacency.values().square())


def degree_strata(degree: Ints) -> Ints:
    """Group rows of nearly equal degree: 0 for degree 0, else numbers from 1, each of 40 rows or more.

    Much finer than `evaluation.matching.degree_bins`, because a row's traits follow its degree closely.

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

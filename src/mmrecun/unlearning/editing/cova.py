"""COVA: one joint factorisation of observed, permitted and predicted preference (OpenReview nhuYNaAhL4).

It reads only the trained model's scores, so any two-tower model will do, and gives plain vectors. The three stacked [U,
I] matrices are never held: two are a constant per row plus a sparse matrix, the third is a product of vectors, and a
randomised factorisation needs only their products.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor

from mmrecun.data.graph import build_inputs
from mmrecun.data.interactions import Interactions
from mmrecun.data.sparse import SparseMatrix
from mmrecun.forget.request import Target
from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult
from mmrecun.unlearning.vector_model import blocks, pair_scores, retained_vector_model

_OVERSAMPLING = 10


class COVAConfig(UnlearnConfig):
    """Settings of COVA; the defaults are those its authors report for Yelp with 1 % forgotten."""

    rank: PositiveInt = Field(default=48, description="size of the new vectors")
    alpha: NonNegativeFloat = Field(
        default=35.0,
        description="how far users move away from what their forgotten pairs add; choose it for each dataset",
    )
    beta: NonNegativeFloat = Field(
        default=0.9, description="how far users move from predicted towards observed preference"
    )
    iterations: NonNegativeInt = Field(default=10, description="power iterations of the randomised factorisation")


@dataclass(frozen=True)
class Stack:
    """The matrix [R_o; R_i; P], float32 [3 U, I], as products with dense arrays.

    Attributes:
        base: float32 [U], m-, the value of R_o and R_i outside of their entries.
        observed, ideal: sparse [U, I], entries of R_o and R_i minus m-.
        users, items: [U, D] and [I, D], with P = users @ items.T.
    """

    base: Tensor
    observed: SparseMatrix
    ideal: SparseMatrix
    users: Tensor
    items: Tensor

    def times(self, dense: Tensor) -> Tensor:
        """Multiply by `dense` [I, R]: [3 U, R]."""
        level = torch.outer(self.base, dense.sum(dim=0))
        predicted = self.users @ (self.items.T @ dense)
        return torch.cat([level + self.observed @ dense, level + self.ideal @ dense, predicted])

    def transposed_times(self, dense: Tensor) -> Tensor:
        """Multiply the transpose by `dense` [3 U, R]: [I, R]."""
        observed, ideal, predicted = dense.chunk(3)
        entries = self.observed.transposed @ observed + self.ideal.transposed @ ideal
        return entries + self.base @ (observed + ideal) + self.items @ (self.users.T @ predicted)


class COVA(Unlearner):
    """Reads the scores of the trained model on the original graph, with forgotten edges."""

    Config = COVAConfig
    summary = "joint factorisation of observed, permitted and predicted preference; gives plain vectors"
    source = "OpenReview nhuYNaAhL4"
    config: COVAConfig
    forgets = frozenset({Target.USERS, Target.ITEMS, Target.INTERACTIONS})

    @torch.no_grad()
    def run(self, task: Task) -> UnlearnResult:
        """Factorise, correct the user vectors, keep the retained rows."""
        self.check(task.partition)
        original = task.partition.original
        vectors = task.model.vectors(build_inputs(original, task.model.required_inputs(), task.device))
        stack = stack_of(vectors.users, vectors.items, original.train, task.partition.forgotten)
        rng = task.seed.child("factorisation").torch()
        left, values, right = truncated_svd(stack, self.config.rank, self.config.iterations, rng)
        observed, ideal, predicted = left.chunk(3)
        towards = self.config.alpha * (observed - ideal) + self.config.beta * (predicted - observed)
        scale = values.sqrt()
        model = retained_vector_model(task.partition, (predicted - towards) * scale, right * scale)
        return UnlearnResult(model, f"one factorisation of rank {len(values)}", [])


def stack_of(users: Tensor, items: Tensor, train: Interactions, forgotten: Interactions) -> Stack:
    """Build the stack from the vectors [U, D] and [I, D] of a trained model.

    In R_o training pairs have the user's mean predicted score of training pairs, and other pairs that of other pairs.
    R_i is the same, but forgotten pairs have the user's lowest predicted score.
    """
    counts = np.bincount(train.users, minlength=len(users))
    count = torch.from_numpy(counts).to(users)
    rows = torch.tensor(train.users, device=users.device)
    inside = torch.zeros(len(users), device=users.device).index_add_(0, rows, pair_scores(users, items, train))
    outside = users @ items.sum(dim=0) - inside
    liked, base = inside / count.clamp(min=1), outside / (len(items) - count).clamp(min=1)
    above = (liked - base).cpu().numpy()[train.users]
    gone = forgotten.contains(train.users, train.items, len(items))
    lowest = np.zeros(len(users), dtype=np.float32)
    affected = np.unique(forgotten.users)
    lowest[affected] = lowest_scores(users[torch.from_numpy(affected).to(users.device)], items).cpu().numpy()
    allowed = np.where(gone, (lowest - base.cpu().numpy())[train.users], above)
    observed, ideal = (
        sp.csr_array((values, (train.users, train.items)), shape=(len(users), len(items)))
        for values in (above, allowed)
    )
    device = users.device
    return Stack(base, SparseMatrix.of(observed, device), SparseMatrix.of(ideal, device), users, items)


def lowest_scores(users: Tensor, items: Tensor) -> Tensor:
    """Compute the lowest score over all items of each of `users` [B, D], in blocks: float32 [B]."""
    parts = [(users[part] @ items.T).amin(dim=1) for part in blocks(len(users), len(items))]
    return torch.cat(parts) if parts else users.new_empty(0)


def truncated_svd(stack: Stack, rank: int, iterations: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the leading singular triples by subspace iteration (Halko et al., 2011, algorithms 4.4 and 5.1).

    Returns:
        left [3 U, R], values [R] in descending order, right [I, R]; R is `rank`, or I where that is less.
    """
    items = len(stack.items)
    width = min(rank + _OVERSAMPLING, items, 3 * len(stack.users))
    basis = torch.randn(items, width, generator=rng).to(stack.users.device)
    basis = _orthonormal(stack.times(basis))
    for _ in range(iterations):
        basis = _orthonormal(stack.times(_orthonormal(stack.transposed_times(basis))))
    left, values, right = torch.linalg.svd(stack.transposed_times(basis).T, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank], right[:rank].T


def _orthonormal(columns: Tensor) -> Tensor:
    basis: Tensor = torch.linalg.qr(columns).Q
    return basis

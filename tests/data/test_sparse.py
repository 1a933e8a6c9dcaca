"""Sparse products against dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from mmrecun.data.sparse import SparseMatrix
from mmrecun.rng import Seed

CPU = torch.device("cpu")


@pytest.mark.parametrize(("shape", "symmetric"), [((4, 4), True), ((4, 4), False), ((5, 3), False), ((3, 5), False)])
@pytest.mark.parametrize("width", [1, 2, 64])
def test_products_and_gradients_are_those_of_the_dense_matrix(shape, symmetric, width):
    rng = np.random.default_rng(0)
    dense = (rng.random(shape) * (rng.random(shape) < 0.5)).astype(np.float32)
    if symmetric:
        dense = dense + dense.T
    matrix = SparseMatrix.of(sp.csr_array(dense), CPU, symmetric)
    generator = Seed(0).torch()
    ours = torch.randn(shape[1], width, generator=generator, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weight = torch.randn(shape[0], width, generator=generator)
    (matrix @ ours * weight).sum().backward()
    (torch.from_numpy(dense) @ theirs * weight).sum().backward()
    torch.testing.assert_close(matrix @ ours, torch.from_numpy(dense) @ ours)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_gradient_passes_gradcheck():
    dense = np.random.default_rng(1).random((4, 3)) * np.eye(4, 3)
    matrix = SparseMatrix(torch.from_numpy(dense).to_sparse_csr(), torch.from_numpy(dense.T.copy()).to_sparse_csr())
    entry = torch.randn(3, 2, dtype=torch.float64, generator=Seed(1).torch(), requires_grad=True)
    assert torch.autograd.gradcheck(lambda vectors: matrix @ vectors, (entry,))


def test_empty_rows_and_empty_matrices_give_zeros():
    matrix = SparseMatrix.of(sp.csr_array((3, 2), dtype=np.float32), CPU)
    assert not (matrix @ torch.ones(2, 5)).any()

"""Constant sparse matrices: products with dense arrays, forward and backward in autograd."""

import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

_HALF_FROM = 1 << 22  # from this many entries on, products on a CUDA device read rows in bfloat16


@dataclass(frozen=True)
class SparseMatrix:
    """A constant sparse matrix [R, C] and its transpose [C, R], both CSR float32, for products in both directions."""

    forward: Tensor
    transposed: Tensor

    @classmethod
    def of(cls, matrix: sp.sparray, device: torch.device, symmetric: bool = False) -> "SparseMatrix":
        """Build a matrix from any SciPy sparse array; a `symmetric` one is its own transpose."""
        csr = sp.csr_array(matrix)
        forward = _torch_csr(csr, device)
        return cls(forward, forward if symmetric else _torch_csr(sp.csr_array(csr.T), device))

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Return the product with `dense` float32 [C, D], differentiable in `dense`."""
        result: Tensor = _Product.apply(self.forward, self.transposed, dense)  # type: ignore[no-untyped-call]
        return result

    def times(self, dense: Tensor) -> Tensor:
        """Return the product with `dense` float32 [C, D], outside autograd."""
        return product(self.forward, dense)


class _Product(torch.autograd.Function):
    """Sparse-dense product whose backward reuses a stored transpose, which torch would build anew each time."""

    @staticmethod
    def forward(ctx: Any, forward: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        ctx.transposed = transposed
        return product(forward, dense)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, product(ctx.transposed, gradient)


def product(matrix: Tensor, dense: Tensor) -> Tensor:
    """Compute `matrix` (CSR [R, C]) times `dense` (float [C, D]), outside autograd.

    On a CPU each row of the result is a weighted bag of rows of `dense`: the gather kernel behind `embedding_bag` is
    several times faster there than torch's sparse product. On CUDA our own kernel is used if Triton is installed.
    """
    if has_kernel(dense.device):
        from mmrecun.data.sparse_kernel import weighted_sum

        return weighted_sum(matrix, as_read(matrix, dense))
    if dense.device.type != "cpu":
        return matrix @ dense.contiguous()
    return embedding_bag(
        matrix.col_indices(),
        dense.contiguous(),
        matrix.crow_indices(),
        mode="sum",
        per_sample_weights=matrix.values(),
        include_last_offset=True,
    )


def horner(
    matrix: Tensor, rows: Tensor, layers: int, wanted: Tensor | None = None, filled: Tensor | None = None
) -> Tensor:
    """Compute (x + A (x + A (x + ...))) / (layers + 1) for x = `rows` (float32 [N, D]) on a device that has the kernel.

    The result equals one product and one sum for each layer, but the kernel adds within the product.

    Args:
        matrix: A, [N, N].
        rows: x.
        layers: how many times A is applied.
        wanted: bool [N], the rows of the result to compute; the others are undefined.
        filled: bool [N], the rows of x that are not zero.
    """
    from mmrecun.data.sparse_kernel import weighted_sum

    total, based = as_read(matrix, rows), filled
    for _ in range(layers - 1):
        total = weighted_sum(matrix, total, rows, dtype=total.dtype, filled=filled, based=based)
        filled = None
    return weighted_sum(matrix, total, rows, 1 / (layers + 1), wanted=wanted, filled=filled, based=based)


@cache
def has_kernel(device: torch.device) -> bool:
    """Say whether our own kernel can compute products on `device`: on CUDA, if Triton is installed."""
    return device.type == "cuda" and find_spec("triton") is not None


def as_read(matrix: Tensor, dense: Tensor) -> Tensor:
    """Return `dense` as the kernel reads it: bfloat16 for large graphs, where reading rows is the bottleneck."""
    return dense.bfloat16() if matrix.values().numel() >= _HALF_FROM else dense


def square_diagonal(adjacency: Tensor) -> Tensor:
    """Compute the diagonal of the square of a symmetric CSR matrix [N, N]: float32 [N]."""
    starts, squares = adjacency.crow_indices(), adjacency.values().square()
    if squares.device.type != "cpu":  # in a fixed order, and no host waits
        return embedding_bag(
            torch.arange(len(squares), dtype=starts.dtype, device=squares.device),
            squares[:, None],
            starts,
            mode="sum",
            include_last_offset=True,
        )[:, 0]
    counts = starts.diff()
    whose = torch.repeat_interleave(torch.arange(len(counts)), counts)
    return squares.new_zeros(len(counts)).index_add_(0, whose, squares)


def halves(adjacency: Tensor, users: int) -> SparseMatrix:
    """Cut the upper right block [U, N - U] of a symmetric bipartite adjacency [N, N], and its transpose, out of it.

    The first half of the entries is the block, the second its transpose. They share the weights, without a transfer.
    """
    rows, columns, values = adjacency.crow_indices(), adjacency.col_indices(), adjacency.values()
    half, others = values.numel() // 2, len(adjacency) - users
    upper = csr_tensor(rows[: users + 1], columns[:half] - users, values[:half], (users, others))
    return SparseMatrix(upper, csr_tensor(rows[users:] - half, columns[half:], values[half:], (others, users)))


def _torch_csr(matrix: sp.csr_array, device: torch.device) -> Tensor:
    matrix.sort_indices()
    index = np.int32 if matrix.nnz < np.iinfo(np.int32).max else np.int64
    rows, columns, values = (
        torch.from_numpy(part.astype(dtype, copy=False)).to(device)
        for part, dtype in ((matrix.indptr, index), (matrix.indices, index), (matrix.data, np.float32))
    )
    return csr_tensor(rows, columns, values, matrix.shape)


def csr_tensor(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a CSR tensor of parts that fit together, without torch's warning and its pass over all entries."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (CSR tensor support|invariant checks)", UserWarning)
        return torch.sparse_csr_tensor(rows, columns, values, size=shape, check_invariants=False)

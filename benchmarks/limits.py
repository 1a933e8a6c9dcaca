"""What this machine can do at all, measured in the same run: dense products, copies, sparse products."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.timing import Spread, interleaved
from mmrecun.data.sparse import SparseMatrix

_SIDE, _WIDTH, _DEGREE = 2048, 64, 8


@dataclass(frozen=True)
class Limits:
    """Each the median over the rounds.

    Attributes:
        dense_fp32, dense_bf16: GFLOP/s of the product of two square matrices of 2048 rows.
        copy: GB/s read and written when an array of float32 [nodes, 64] is copied.
        sparse: GFLOP/s of torch's CSR product of a random matrix [nodes, nodes] with 8 entries a row and such an array.
    """

    dense_fp32: float
    dense_bf16: float
    copy: float
    sparse: float

    def as_row(self) -> dict[str, float]:
        """For a table."""
        return {
            "dense fp32, GFLOP/s": self.dense_fp32,
            "dense bf16, GFLOP/s": self.dense_bf16,
            "copy, GB/s": self.copy,
            "sparse CSR x dense, GFLOP/s": self.sparse,
        }

    def as_json(self) -> dict[str, float]:
        """By attribute."""
        return asdict(self)


def dense() -> Callable[[], object]:
    """One product of square float32 matrices."""
    square = torch.randn(_SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    out = torch.empty_like(square)
    return lambda: torch.mm(square, square, out=out)


def dense_flops() -> int:
    """Of one call of `dense()`."""
    return 2 * _SIDE**3


def measure(nodes: int, rounds: int = 9) -> Limits:
    """The limits for tables of `nodes` rows."""
    generator = torch.Generator().manual_seed(0)
    halved = torch.randn(_SIDE, _SIDE, generator=generator).bfloat16()
    table = torch.randn(nodes, _WIDTH, generator=generator)
    room = torch.empty_like(table)
    graph = _graph(nodes)
    actions: dict[str, Callable[[], object]] = {
        "fp32": dense(),
        "bf16": lambda: halved @ halved,
        "copy": lambda: room.copy_(table),
        "sparse": lambda: graph @ table,
    }
    seconds = {name: Spread.of(values).median for name, values in interleaved(actions, rounds, warm=2).items()}
    return Limits(
        1e-9 * dense_flops() / seconds["fp32"],
        1e-9 * dense_flops() / seconds["bf16"],
        2e-9 * 4 * table.numel() / seconds["copy"],
        2e-9 * graph.values().numel() * _WIDTH / seconds["sparse"],
    )


def _graph(nodes: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(0, nodes, (nodes, _DEGREE)), axis=1).ravel()
    starts = np.arange(0, len(columns) + 1, _DEGREE)
    matrix = sp.csr_array((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(nodes, nodes))
    return SparseMatrix.of(matrix, torch.device("cpu")).forward

"""What this machine can do at all, measured in the same run: dense products, copies, sparse products."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.timing import Spread, interleaved, on_device
from mmrecun.data.sparse import SparseMatrix

CPU = torch.device("cpu")
_SIDE, _SIDE_ON_DEVICE, _WIDTH, _DEGREE = 2048, 8192, 64, 8


@dataclass(frozen=True)
class Limits:
    """Each the median over the rounds.

    Attributes:
        dense_fp32, dense_bf16: GFLOP/s of the product of two square matrices of 2048 rows (8192 on a device).
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


def dense(device: torch.device = CPU) -> Callable[[], object]:
    """One product of square float32 matrices."""
    side = _SIDE if device.type == "cpu" else _SIDE_ON_DEVICE
    square = torch.randn(side, side, generator=torch.Generator().manual_seed(0)).to(device)
    out = torch.empty_like(square)
    return lambda: torch.mm(square, square, out=out)


def dense_flops(device: torch.device = CPU) -> int:
    """Of one call of `dense(device)`."""
    return 2 * (_SIDE if device.type == "cpu" else _SIDE_ON_DEVICE) ** 3


def measure(nodes: int, rounds: int = 9, device: torch.device = CPU) -> Limits:
    """Return the limits of `device` for tables of `nodes` rows."""
    generator = torch.Generator().manual_seed(0)
    side = _SIDE if device.type == "cpu" else _SIDE_ON_DEVICE
    halved = torch.randn(side, side, generator=generator).bfloat16().to(device)
    table = torch.randn(nodes, _WIDTH, generator=generator).to(device)
    room = torch.empty_like(table)
    graph = _graph(nodes, device)
    actions: dict[str, Callable[[], object]] = {
        "fp32": dense(device),
        "bf16": lambda: halved @ halved,
        "copy": lambda: room.copy_(table),
        "sparse": lambda: graph @ table,
    }
    if device.type == "cpu":
        timed = interleaved(actions, rounds, warm=2)
    else:
        timed = {name: on_device(action, rounds) for name, action in actions.items()}
    seconds = {name: Spread.of(values).median for name, values in timed.items()}
    flops = dense_flops(device)
    return Limits(
        1e-9 * flops / seconds["fp32"],
        1e-9 * flops / seconds["bf16"],
        2e-9 * 4 * table.numel() / seconds["copy"],
        2e-9 * graph.values().numel() * _WIDTH / seconds["sparse"],
    )


def _graph(nodes: int, device: torch.device) -> torch.Tensor:
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(0, nodes, (nodes, _DEGREE)), axis=1).ravel()
    starts = np.arange(0, len(columns) + 1, _DEGREE)
    matrix = sp.csr_array((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(nodes, nodes))
    return SparseMatrix.of(matrix, device).forward

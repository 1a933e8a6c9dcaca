"""The kernel for sparse products against a dense product: on the card, or in Triton's interpreter."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from mmrecun.data.sparse import SparseMatrix

HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


def skewed(rows: int, columns: int) -> np.ndarray:
    """Some rows without an entry, many with a few, two with nearly all."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.02)
    dense[3], dense[-1], dense[5] = rng.normal(size=columns), rng.normal(size=columns), 0
    return dense.astype(np.float32)


def compare() -> None:
    from mmrecun.data.sparse_kernel import add_up, weighted_sum

    dense = skewed(40, 700)
    matrix = SparseMatrix.of(sp.csr_array(dense), HERE).forward
    rng = np.random.default_rng(1)
    for width in (1, 24, 64, 100):
        rows = torch.from_numpy(rng.normal(size=(700, width)).astype(np.float32)).to(HERE)
        base = torch.from_numpy(rng.normal(size=(40, width)).astype(np.float32)).to(HERE)
        right = torch.from_numpy(dense).double() @ rows.cpu().double()
        found = weighted_sum(matrix, rows)
        torch.testing.assert_close(found.cpu().double(), right, rtol=1e-5, atol=1e-4)
        assert torch.equal(found, weighted_sum(matrix, rows))
        found = weighted_sum(matrix, rows, base, 0.25)
        torch.testing.assert_close(found.cpu().double(), (right + base.cpu()) / 4, rtol=1e-5, atol=1e-4)
        found = weighted_sum(matrix, rows.bfloat16(), dtype=torch.bfloat16)
        torch.testing.assert_close(found.cpu().double(), right, rtol=3e-2, atol=0.3)
    wanted, filled = (torch.from_numpy(rng.random(size) < 0.4).to(HERE) for size in (40, 700))
    rows[~filled] = 0
    found = weighted_sum(matrix, rows, base, 0.25, wanted=wanted, filled=filled)
    assert torch.equal(found[wanted], weighted_sum(matrix, rows, base, 0.25)[wanted])
    based = torch.from_numpy(rng.random(40) < 0.4).to(HERE)
    base[~based] = 0
    assert torch.equal(weighted_sum(matrix, rows, base, based=based), weighted_sum(matrix, rows, base))
    ids = torch.from_numpy(rng.choice([0, 3, 4, 29], size=500)).to(HERE)
    values = torch.from_numpy(rng.normal(size=(500, 20)).astype(np.float32)).to(HERE)
    right = torch.zeros(31, 20, dtype=torch.float64, device=HERE).index_add_(0, ids, values.double())
    torch.testing.assert_close(add_up(ids, values, 31).double(), right, rtol=1e-5, atol=1e-5)


@needs_triton
def test_it_equals_a_dense_product():
    if HERE.type == "cuda":
        compare()
        return
    code = "from tests.data.test_sparse_kernel import compare; compare()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

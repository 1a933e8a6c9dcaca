"""A small run in chunks, and the same model in memory."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun.chunked import chunks, lists, rows
from mmrecun.data import files
from mmrecun.data.dataset import Dataset


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("chunked") / "data"
    files.save(Dataset.synthetic(users=200, items=90, interactions=3000), out)
    return out


@pytest.fixture
def small(monkeypatch):
    """Chunks of a few rows, so that a small run has many."""
    for module in (chunks, rows, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 1024)


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {side: rng.normal(size=(size, 8)).astype(np.float32) for side, size in (("users", 200), ("items", 90))}

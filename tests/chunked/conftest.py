"""A small run in chunks, and the same model in memory."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun.atomic import staged_folder
from mmrecun.chunked import chunks, lists, run
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.mapped_import import open_mapped
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.rng import Seed
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.train import fit_distributed
from mmrecun.training.fit import TrainConfig


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("chunked") / "data"
    files.save(Dataset.synthetic(users=200, items=90, interactions=3000), out)
    return out


@pytest.fixture
def small(monkeypatch):
    """Chunks of a few rows, so that a small run has many."""
    for module in (chunks, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 1024)


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {side: rng.normal(size=(size, 8)).astype(np.float32) for side, size in (("users", 200), ("items", 90))}


@pytest.fixture(scope="session")
def trained(folder: Path, tmp_path_factory) -> dict[str, np.ndarray]:
    work = tmp_path_factory.mktemp("work")
    config, training = BPRMFConfig(dim=16), TrainConfig(epochs=60, batch_size=128)
    best = fit_distributed(ShardTask(BPRMF, config, open_mapped(folder), training, Seed(0), work)).best
    return {name.split(".")[0]: np.array(values) for name, values in best.items()}


@pytest.fixture
def parent(folder: Path, trained, small, tmp_path: Path) -> run.MappedRun:
    with staged_folder(tmp_path / "parent") as staging:
        run.write(staging, open_mapped(folder), trained, model="bprmf", settings={}, training={}, seed=0)
    return run.read(tmp_path / "parent")

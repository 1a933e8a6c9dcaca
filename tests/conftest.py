import os
from functools import partial
from pathlib import Path

# What the command line sets, and one thread, which is fastest for small matrices; torch reads both when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from mmrecun import jobs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

SMALL = SyntheticConfig(users=80, items=50, interactions=1200, groups=4, width=6, missing=0.1)
TRAINING = {"epochs": 8, "batch_size": 128, "learning_rate": 0.02, "dim": 8}


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return make(SMALL, Seed(3))[0]


@pytest.fixture(scope="session")
def data_folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "small"
    files.save(dataset, folder)
    return folder


@pytest.fixture(scope="session")
def run_folder(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "original"
    jobs.train(data_folder, "mgcn", folder, TRAINING)
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """The command line: takes its words, and returns exit code, standard output and standard error."""
    from tests.cli.calling import call

    return partial(call, capsys, monkeypatch)

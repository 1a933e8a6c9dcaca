"""Trainings on disk as a job: one process, two, killed in the middle; the same run each time."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mmrecun import Dataset, jobs
from mmrecun.chunked import run as mapped
from mmrecun.data import files
from mmrecun.errors import ConfigError, DivergedError
from mmrecun.jobs import Workers

SETTINGS = {"dim": 8, "epochs": 6, "batch_size": 400}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("job") / "data"
    files.save(Dataset.synthetic(users=151, items=70, interactions=2000), out)
    return out


@pytest.fixture(scope="module")
def one(data: Path) -> mapped.MappedRun:
    jobs.train_mapped(data, "bprmf", data.parent / "one", SETTINGS)
    return mapped.read(data.parent / "one")


def vectors(run: mapped.MappedRun) -> list[np.ndarray]:
    return [run.vectors(side, np.arange(run.size(side))).numpy() for side in mapped.SIDES]


def test_two_processes_of_this_machine_make_the_run_of_one(data: Path, one: mapped.MappedRun, tmp_path: Path):
    made = jobs.train_mapped(data, "bprmf", tmp_path / "two", SETTINGS, workers=Workers(2))
    assert (made.best_epoch, made.epochs) == (one.manifest.best_epoch, one.manifest.epochs)
    for found, wanted in zip(vectors(mapped.read(tmp_path / "two")), vectors(one), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


def test_a_training_that_is_killed_goes_on_to_the_same_bits(data: Path, one: mapped.MappedRun, tmp_path: Path):
    code = (
        "import sys; from mmrecun import jobs\n"
        "def held(done, total, note):\n"
        "    if done == 3: print('held', flush=True); sys.stdin.read()\n"
        f"jobs.train_mapped({str(data)!r}, 'bprmf', {str(tmp_path / 'run')!r}, {SETTINGS}, 0, held, every_seconds=0)"
    )
    broken = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert broken.stdout.readline() == b"held\n"
    broken.send_signal(signal.SIGKILL)
    broken.communicate()
    assert not (tmp_path / "run").exists()
    epochs = []
    jobs.train_mapped(data, "bprmf", tmp_path / "run", SETTINGS, progress=lambda done, *_: epochs.append(done))
    assert epochs == [4, 5, 6]
    assert mapped.read(tmp_path / "run").manifest.digest == one.manifest.digest
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_process_that_is_killed_is_begun_again(data: Path, tmp_path: Path):
    """All are begun again from the newest checkpoint; the run is that of two that nobody disturbed."""
    workers, killed = Workers(2), []
    jobs.train_mapped(data, "bprmf", tmp_path / "calm", SETTINGS, workers=workers)
    shelf = jobs.training_folder(tmp_path / "run") / "checkpoints"

    def kill() -> None:
        while not list(shelf.glob("training-*/epoch-*/1-of-2/state.json")):
            time.sleep(0.01)
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
                facts = (place / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"mmrecun.scale.sharded_training" in words and b"RANK=1" in facts and str(shelf) in words[3].decode():
                os.kill(int(place.name), signal.SIGKILL)
                killed.append(int(place.name))

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    jobs.train_mapped(data, "bprmf", tmp_path / "run", SETTINGS, workers=workers, every_seconds=0)
    killer.join(timeout=5)
    assert len(killed) == 1
    digests = [mapped.read(tmp_path / name).manifest.digest for name in ("calm", "run")]
    assert digests[0] == digests[1]


def test_an_error_of_the_training_is_its_own(data: Path, tmp_path: Path):
    wild = {**SETTINGS, "learning_rate": 1e30}
    with pytest.raises(DivergedError, match="lower learning_rate"):
        jobs.train_mapped(data, "bprmf", tmp_path / "run", wild, workers=Workers(2))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "workers", "text"),
    [
        ("lightgcn", Workers(), "reads whole tables"),
        ("bprmf", Workers(2, "ray"), "--on ray needs --store"),
        ("bprmf", Workers(2, store="file:///x"), "are about a cluster"),
        ("bprmf", Workers(2, "rya"), "write here, ray"),
    ],
)
def test_what_cannot_be_is_refused(data: Path, tmp_path: Path, model: str, workers: Workers, text: str):
    with pytest.raises(ConfigError, match=text):
        jobs.train_mapped(data, model, tmp_path / "run", workers=workers)

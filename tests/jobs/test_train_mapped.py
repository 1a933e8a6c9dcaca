"""Trainings on disk as a job: one process, two, killed in the middle; the same run each time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmrecun import jobs
from mmrecun.chunked import run as mapped
from mmrecun.errors import ConfigError, DivergedError
from mmrecun.jobs import Workers
from mmrecun.scale import process_group

SETTINGS = {"dim": 8, "epochs": 6, "batch_size": 400}


@pytest.fixture(scope="module")
def one(data: Path) -> mapped.MappedRun:
    jobs.train_mapped(data, "bprmf", data.parent / "one", SETTINGS)
    return mapped.read(data.parent / "one")


@pytest.fixture(scope="module")
def two(data: Path) -> Path:
    """The folder that holds the run of two processes, and nothing else."""
    jobs.train_mapped(data, "bprmf", data.parent / "of-two" / "run", SETTINGS, workers=Workers(2))
    return data.parent / "of-two"


def vectors(run: mapped.MappedRun) -> list[np.ndarray]:
    return [run.vectors(side, np.arange(run.size(side))).numpy() for side in mapped.SIDES]


def test_two_processes_of_this_machine_make_the_run_of_one(one: mapped.MappedRun, two: Path):
    made = mapped.read(two / "run")
    assert (made.manifest.best_epoch, made.manifest.epochs) == (one.manifest.best_epoch, one.manifest.epochs)
    for found, wanted in zip(vectors(made), vectors(one), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
    assert [path.name for path in two.iterdir()] == ["run"]


def test_a_training_that_is_killed_goes_on_to_the_same_bits(data: Path, one: mapped.MappedRun, tmp_path: Path):
    code = (
        "import sys; from mmrecun import jobs\n"
        "def held(done, total, note):\n"
        "    if done == 3: print('held', flush=True); sys.stdin.read()\n"
        f"jobs.train_mapped({str(data)!r}, 'bprmf', {str(tmp_path / 'run')!r}, {SETTINGS}, 0, held, "
        "jobs.Workers(every_seconds=0))"
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


def second_process(folder: Path) -> int:
    """The process of the training on `folder` that is the second of its processes."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            facts = (place / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"mmrecun.scale.sharded_training" in words and b"RANK=1" in facts and str(folder) in words[3].decode():
            return int(place.name)
    raise AssertionError("the second process is not there")


def test_a_process_that_is_killed_is_begun_again(
    data: Path, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All are begun again from the newest checkpoint; the run is that of two that nobody disturbed."""
    killed: list[int] = []
    folder = jobs.training_folder(tmp_path / "run") / "checkpoints"

    def kill(epoch: int, *_: object) -> None:
        if not killed:
            os.kill(second_process(folder), signal.SIGKILL)
            killed.append(epoch)

    monkeypatch.setattr(process_group, "_LOOK_SECONDS", 0.01)
    jobs.train_mapped(data, "bprmf", tmp_path / "run", SETTINGS, 0, kill, Workers(2, every_seconds=0))
    assert len(killed) == 1
    assert mapped.read(tmp_path / "run").manifest.digest == mapped.read(two / "run").manifest.digest


def test_an_error_of_the_training_is_its_own(data: Path, tmp_path: Path):
    wild = {**SETTINGS, "learning_rate": 1e30}
    with pytest.raises(DivergedError, match="lower learning_rate"):
        jobs.train_mapped(data, "bprmf", tmp_path / "run", wild, workers=Workers(2))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "workers", "text"),
    [
        ("lightgcn", Workers(), "reads whole tables"),
        ("bprmf", Workers(2, "ray"), "'on' ray needs 'store'"),
        ("bprmf", Workers(2, store="file:///x"), "are for a cluster"),
        ("bprmf", Workers(2, "rya"), "write here, ray"),
    ],
)
def test_what_cannot_be_is_refused(data: Path, tmp_path: Path, model: str, workers: Workers, text: str):
    with pytest.raises(ConfigError, match=text):
        jobs.train_mapped(data, model, tmp_path / "run", workers=workers)

"""One training whose rows lie on two hosts that share no network but the cable between them."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray is not installed; pip install 'mmrecun[ray]', or make test-ray")

from mmrecun import Dataset, jobs, runs
from mmrecun.chunked import run as mapped
from mmrecun.data import files
from mmrecun.scale.remote_folders import RemoteFolders
from tests.scale.hosts import PATIENCE, Hosts, until

SETTINGS = {"dim": 8, "epochs": 40, "batch_size": 400, "patience": 40, "patience_steps": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sharded") / "data"
    files.save(Dataset.synthetic(users=151, items=70, interactions=2000), out)
    return out


@pytest.fixture(scope="module")
def one(data: Path) -> mapped.MappedRun:
    jobs.train_mapped(data, "bprmf", data.parent / "one", SETTINGS)
    return mapped.read(data.parent / "one")


def command(
    hosts: Hosts, data: Path, out: Path, store: Path, model: str = "bprmf", job: str = "train_mapped"
) -> list[str]:
    """A training on the cluster that leaves a checkpoint after every epoch."""
    workers = f"jobs.Workers(2, 'ray:{hosts.address}', {store.as_uri()!r}, every_seconds=0)"
    call = f"{str(data)!r}, {model!r}, {str(out)!r}, {SETTINGS}, workers={workers}"
    return [sys.executable, "-c", f"from mmrecun import jobs; jobs.{job}({call})"]


def epochs(store: Path) -> set[int]:
    """The epochs whose checkpoints are complete."""
    both = [
        {int(path.parent.name.removeprefix("epoch-")) for path in store.glob(f"training-*/epoch-*/{part}-of-2.tar")}
        for part in range(2)
    ]
    return both[0] & both[1]


@pytest.fixture(scope="module")
def calm(hosts: Hosts, data: Path) -> mapped.MappedRun:
    hosts.run("A", command(hosts, data, data.parent / "calm", data.parent / "store"))
    return mapped.read(data.parent / "calm")


def test_two_hosts_make_the_run_of_one_process(one: mapped.MappedRun, calm: mapped.MappedRun, data: Path):
    assert (calm.manifest.best_epoch, calm.manifest.epochs) == (one.manifest.best_epoch, one.manifest.epochs)
    for side in mapped.SIDES:
        both = [run.vectors(side, np.arange(run.size(side))).numpy() for run in (calm, one)]
        np.testing.assert_allclose(*both, rtol=0, atol=2e-5)
    assert [name.split("/")[0] for name in RemoteFolders((data.parent / "store").as_uri()).names()] == ["columns"]


def train_and_kill_a_worker(hosts: Hosts, asked: list[str], store: Path) -> None:
    """Kill the worker on host B after a checkpoint; Train begins both again, and they go on from it."""
    begun = hosts.begin("A", asked)
    until(lambda: begun.poll() is not None or epochs(store), "a checkpoint")
    workers = hosts.run("B", ["pgrep", "-f", "^ray::RayTrainWorker"]).stdout.split()
    hosts.run("B", ["kill", f"-{signal.SIGKILL}", *workers])
    _, err = begun.communicate(timeout=PATIENCE)
    assert begun.returncode == 0, err


def test_a_killed_worker_costs_one_checkpoint_and_no_bit(
    hosts: Hosts, data: Path, calm: mapped.MappedRun, tmp_path: Path
):
    train_and_kill_a_worker(hosts, command(hosts, data, tmp_path / "run", tmp_path / "store"), tmp_path / "store")
    assert mapped.read(tmp_path / "run").manifest.digest == calm.manifest.digest


@pytest.mark.parametrize("model", ["lightgcn", "mgcn"])
def test_a_killed_worker_changes_no_bit_of_a_model_of_graphs(hosts: Hosts, data: Path, tmp_path: Path, model: str):
    """The run is that of two processes of one machine, whose losses are those of one process."""
    asked = command(hosts, data, tmp_path / "run", tmp_path / "store", model, "train_parts")
    train_and_kill_a_worker(hosts, asked, tmp_path / "store")
    jobs.train_parts(data, model, tmp_path / "here", SETTINGS, workers=jobs.Workers(2))
    assert runs.weights_digest(tmp_path / "run") == runs.weights_digest(tmp_path / "here")


def test_vbpr_on_two_hosts_is_vbpr_of_two_processes(hosts: Hosts, data: Path, tmp_path: Path):
    hosts.run("A", command(hosts, data, tmp_path / "run", tmp_path / "store", "vbpr"))
    jobs.train_mapped(data, "vbpr", tmp_path / "here", SETTINGS, workers=jobs.Workers(2))
    digests = [mapped.read(tmp_path / name).manifest.digest for name in ("run", "here")]
    assert digests[0] == digests[1]


def workers_of(hosts: Hosts) -> list[str]:
    """The processes that train, by number."""
    return hosts.run("A", ["pgrep", "-f", "^ray::RayTrainWorker"], check=False).stdout.split()


def test_a_killed_command_goes_on_when_it_is_repeated(hosts: Hosts, data: Path, calm: mapped.MappedRun, tmp_path: Path):
    """The command is killed after a checkpoint, and its workers with it; no epoch before that is trained again."""
    store = tmp_path / "store"
    begun = hosts.begin("A", command(hosts, data, tmp_path / "run", store))
    until(lambda: begun.poll() is not None or epochs(store), "a checkpoint")
    os.killpg(begun.pid, signal.SIGKILL)
    begun.communicate()
    until(lambda: not workers_of(hosts), "the end of the workers")
    assert not (tmp_path / "run").exists()
    left, seen = max(epochs(store)), set()
    again = hosts.begin("A", command(hosts, data, tmp_path / "run", store))
    until(lambda: seen.update(epochs(store)) or again.poll() is not None, "the end of the training")
    _, err = again.communicate()
    assert again.returncode == 0, err
    assert min(seen) == left
    assert max(seen) > left
    assert mapped.read(tmp_path / "run").manifest.digest == calm.manifest.digest


@pytest.mark.parametrize("loss", ["killed", "cable", "stopped"])
def test_a_lost_host_costs_one_checkpoint_and_no_bit(
    hosts: Hosts, data: Path, calm: mapped.MappedRun, tmp_path: Path, loss: str
):
    """After a checkpoint host B dies with everything in it, loses its cable, or stands still (SIGSTOP of its raylet).

    The worker there is stopped as well, or it might end the training before anybody looks. Nothing tells of the last
    two losses but the silence of the host. Another comes in its place, and the training goes on.
    """
    store = tmp_path / "store"
    begun = hosts.begin("A", command(hosts, data, tmp_path / "run", store))
    until(lambda: begun.poll() is not None or epochs(store), "a checkpoint")
    if loss == "cable":
        hosts.pull_cable()
    if loss == "stopped":
        both = hosts.run("B", ["pgrep", "-f", "^ray::RayTrainWorker|/raylet/raylet "]).stdout.split()
        assert len(both) == 2
        hosts.run("B", ["kill", f"-{signal.SIGSTOP}", *both])
    if loss != "killed":
        until(lambda: hosts.size() == 1, "the loss of host B")
        assert begun.poll() is None, begun.communicate()[1]
    hosts.kill("B")
    hosts.up()
    _, err = begun.communicate(timeout=PATIENCE)
    assert begun.returncode == 0, err
    assert mapped.read(tmp_path / "run").manifest.digest == calm.manifest.digest

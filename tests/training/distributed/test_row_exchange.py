"""Two processes on this machine, joined by gloo, against one: losses, validation, rows, bytes, and a killed process."""

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from mmrecun.data import files
from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.mapped_import import open_mapped
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.training.distributed.checkpoint import Checkpoints, LocalFolders
from mmrecun.training.distributed.fit import ShardFit, ShardTask
from mmrecun.training.distributed.row_adam import RowStates
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.train import fit_distributed
from tests.training.distributed.pair import SEED, TRAINING, Pair

CONFIG, TABLES = BPRMFConfig(dim=16), ("users.weight", "items.weight")


def alone(folder: Path, work: Path, checkpoints: Checkpoints | None = None) -> ShardFit:
    work.mkdir()
    return fit_distributed(ShardTask(BPRMF, CONFIG, open_mapped(folder), TRAINING, SEED, work), checkpoints=checkpoints)


@pytest.fixture(scope="module")
def one(folder: Path, tmp_path_factory) -> ShardFit:
    return alone(folder, tmp_path_factory.mktemp("one") / "work")


@pytest.fixture(scope="module")
def two(folder: Path, tmp_path_factory) -> tuple[Pair, list[dict]]:
    pair = Pair("bprmf", folder, tmp_path_factory.mktemp("two"))
    return pair, pair.end()


def test_two_processes_are_one(one: ShardFit, two: tuple[Pair, list[dict]]):
    pair, found = two
    for each in found:
        losses = [[row["loss"] for row in history] for history in (each["history"], one.result.history)]
        assert len(losses[0]) == TRAINING.epochs
        np.testing.assert_allclose(*losses, rtol=0, atol=1e-6)
        valid = [[row["valid"] for row in history] for history in (each["history"], one.result.history)]
        np.testing.assert_allclose(*valid, rtol=0, atol=1e-9)
        assert each["best_epoch"] == one.result.best_epoch
    for name, rows in one.best.items():
        np.testing.assert_allclose(pair.rows(name), rows, rtol=0, atol=2e-5)


def test_what_is_sent_is_the_formula(folder: Path, two: tuple[Pair, list[dict]]):
    """For each item of the batch that lies elsewhere 8 bytes of number, a row and a gradient; users do not travel."""
    data, row, wanted = files.load(folder), 4 * 16, [0, 0]
    sampler = NegativeSampler(data.train, len(data.users), len(data.items))
    for epoch in range(TRAINING.epochs):
        for batch in bpr_batches(data.train, sampler, TRAINING.batch_size, SEED.child(f"epoch {epoch}").numpy()):
            users, *items = (column.numpy() for column in batch.columns())
            both = {(user % 2, item) for each in items for user, item in zip(users, each, strict=True)}
            away = [sum(1 for whose, item in both if whose == rank != item % 2) for rank in range(2)]
            for rank in range(2):
                wanted[rank] += away[rank] * (8 + row) + away[1 - rank] * row + 2 * 8  # and how many of two tables
        for rank in range(2):
            wanted[rank] += 60 * (8 + row) + 8  # all items, to validate
    assert [each["sent"] for each in two[1]] == wanted


@pytest.fixture(scope="module")
def broken(folder: Path, tmp_path_factory) -> Path:
    """What two processes left of which the second was killed after three epochs, so that the first failed."""
    pair = Pair("bprmf", folder, tmp_path_factory.mktemp("broken"), stop_after=3)
    assert pair.processes[1].stdout.readline() == "stopped\n"
    pair.processes[1].send_signal(signal.SIGKILL)
    for process in pair.processes:
        process.communicate(timeout=120)
    assert [process.returncode != 0 for process in pair.processes] == [True, True]
    return pair.out


def test_a_process_that_is_killed_costs_one_checkpoint_and_no_bit(folder: Path, broken: Path, tmp_path: Path, two):
    """Begun again, both go on, and nothing differs."""
    shutil.copytree(broken, tmp_path, dirs_exist_ok=True)
    again = Pair("bprmf", folder, tmp_path)
    found = again.end()
    pair, wanted = two
    assert found[0]["began_at"] == 3
    assert [row["loss"] for row in found[0]["history"]] == [row["loss"] for row in wanted[0]["history"]]
    for name in TABLES:
        np.testing.assert_array_equal(again.rows(name), pair.rows(name))


def test_what_two_left_one_goes_on_with(folder: Path, broken: Path, tmp_path: Path, one: ShardFit):
    shutil.copytree(broken / "store", tmp_path / "store")
    store = LocalFolders(tmp_path / "store")
    checkpoints = Checkpoints(store, "key", Shard(), tmp_path, 0.0)
    assert checkpoints.newest() == ("epoch-000003", 2)
    found = alone(folder, tmp_path / "alone", checkpoints)
    losses = [[row["loss"] for row in each.result.history] for each in (found, one)]
    np.testing.assert_allclose(*losses, rtol=0, atol=1e-6)
    assert store.names() == ["key/epoch-000005/0-of-1"]


@pytest.mark.parametrize(("then", "now"), [(1, 1), (1, 3), (3, 2), (2, 4), (4, 2)])
def test_a_checkpoint_is_read_by_any_number_of_processes(tmp_path: Path, then: int, now: int):
    rng, store = np.random.default_rng(0), LocalFolders(tmp_path / "store")
    whole, used, best = (
        rng.random((11, 3, 2), np.float32),
        np.arange(11, dtype=np.int32),
        rng.random((11, 2), np.float32),
    )
    for rank in range(then):
        part = slice(rank, None, then)
        checkpoints = Checkpoints(store, "key", Shard(rank, then), tmp_path)
        checkpoints.save(4, {"t": RowStates(whole[part], used[part])}, {"t": best[part]}, {"epoch": 4})
    for rank in range(now):
        shard = Shard(rank, now)
        table = RowStates(np.zeros((shard.count(11), 3, 2), np.float32), np.zeros(shard.count(11), np.int32))
        found = {"t": np.zeros((shard.count(11), 2), np.float32)}
        assert Checkpoints(store, "key", shard, tmp_path).load({"t": table}, found, {"t": 11}) == {"epoch": 4}
        np.testing.assert_array_equal(table.records, whole[rank::now])
        np.testing.assert_array_equal(table.last, used[rank::now])
        np.testing.assert_array_equal(found["t"], best[rank::now])


def test_half_a_checkpoint_is_none(tmp_path: Path):
    store = LocalFolders(tmp_path / "store")
    table = RowStates(np.zeros((2, 3, 2), np.float32), np.zeros(2, np.int32))
    for epoch, rank in ((4, 0), (4, 1), (5, 0)):
        Checkpoints(store, "key", Shard(rank, 2), tmp_path).save(epoch, {"t": table}, {}, {})
    assert Checkpoints(store, "key", Shard(), tmp_path).newest() == ("epoch-000004", 2)
    assert Checkpoints(store, "another", Shard(), tmp_path).newest() is None

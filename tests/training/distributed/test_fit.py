"""VBPR on disk, and LightGCN and MGCN with users spread over processes, against the training in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.data import files
from mmrecun.data.graph import build_inputs
from mmrecun.data.mapped_import import open_mapped
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.training.distributed.checkpoint import Checkpoints, LocalFolders
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.graph_trainer import GraphTrainer
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.row_trainer import RowTrainer
from mmrecun.training.distributed.train import fit_distributed
from mmrecun.training.fit import FitResult, fit
from mmrecun.training.validation import validation_score
from tests.training.distributed.pair import SEED, SETTINGS, TRAINING, Pair

MODELS = ("vbpr", "lightgcn", "mgcn")


def in_memory(name: str, folder: Path) -> tuple[Recommender, FitResult]:
    data, cls = files.load(folder), model_class(name)
    model = cls(cls.Config.model_validate(SETTINGS[name]), Sizes.of_dataset(data), SEED.child("model").torch())
    inputs = build_inputs(data, model.required_inputs(), torch.device("cpu"))
    return model, fit(model, data, inputs, TRAINING, SEED, lambda now: validation_score(now, inputs, data))


@pytest.fixture(scope="module", params=MODELS)
def wanted(request, folder: Path) -> tuple[str, Recommender, FitResult]:
    return request.param, *in_memory(request.param, folder)


@pytest.fixture(scope="module")
def two(wanted, folder: Path, tmp_path_factory) -> tuple[Pair, list[dict]]:
    pair = Pair(wanted[0], folder, tmp_path_factory.mktemp("two"))
    return pair, pair.end()


def assert_equal(history: list[dict], best: dict[str, np.ndarray], model: Recommender, whole: FitResult) -> None:
    losses = [[row["loss"] for row in each] for each in (history, whole.history)]
    assert len(losses[0]) == TRAINING.epochs
    np.testing.assert_allclose(*losses, rtol=0, atol=1e-6)
    valid = [[row["valid"] for row in each] for each in (history, whole.history)]
    np.testing.assert_allclose(*valid, rtol=0, atol=1e-3)
    for name, value in model.state_dict().items():  # Adam makes the rounding of small gradients as large as a step
        np.testing.assert_allclose(best[name].reshape(value.shape), value.numpy(), rtol=0, atol=2e-4, err_msg=name)


def alone(name: str, folder: Path, work: Path, checkpoints: Checkpoints | None = None):
    work.mkdir()
    cls = model_class(name)
    config = cls.Config.model_validate(SETTINGS[name])
    return fit_distributed(ShardTask(cls, config, open_mapped(folder), TRAINING, SEED, work), checkpoints=checkpoints)


def test_a_model_begins_with_the_values_of_one_in_memory(wanted, folder: Path, tmp_path: Path):
    """Of three processes, the second has every third row of what is split, and all of the rest."""
    name, cls = wanted[0], model_class(wanted[0])
    config, columns = cls.Config.model_validate(SETTINGS[name]), open_mapped(folder)
    trainer = GraphTrainer if cls.user_parts else RowTrainer
    made = trainer(ShardTask(cls, config, columns, TRAINING, SEED, tmp_path, Shard(1, 3)))
    split = (
        {name for name, table in made.model.tables().items() if table.side == "users"}
        if cls.user_parts
        else set(made.model.sides)
    )
    whole = cls(config, Sizes.of_dataset(files.load(folder)), SEED.child("model").torch()).state_dict()
    found = (
        made.model.state_dict()
        if cls.user_parts
        else {each: torch.from_numpy(table.records[:, 0]) for each, table in made.rows.adam.tables.items()}
    )
    assert set(found) == set(whole)
    for each, value in whole.items():
        assert torch.equal(
            found[each].reshape(len(found[each]), -1),
            (value[1::3] if each in split else value).reshape(len(found[each]), -1),
        )


def test_one_process_is_the_training_in_memory(wanted, folder: Path, tmp_path: Path):
    name, model, whole = wanted
    found = alone(name, folder, tmp_path / "work")
    assert_equal(found.result.history, found.best, model, whole)


def sent_by_lightgcn(pairs: int, hops: int) -> int:
    """Bytes of one of two processes: all items at each hop there and back, and twice the rows of the batch's users.

    A validation adds the hops there. The number of users is not in it.
    """
    steps, items, row = -(-pairs // TRAINING.batch_size), 120, 4 * 16
    return TRAINING.epochs * ((2 * steps + 1) * hops * items * row + 2 * pairs * row)


def test_two_processes_are_the_training_in_memory(wanted, two, folder: Path):
    (name, model, whole), (pair, found) = wanted, two
    for each in found:
        assert_equal(each["history"], {key: pair.rows(key) for key in model.state_dict()}, model, whole)
        assert each["best_epoch"] == whole.best_epoch
        if name == "lightgcn":
            assert each["sent"] == sent_by_lightgcn(len(open_mapped(folder).train), model.config.layers)


def test_two_that_were_killed_go_on_to_the_same_bits_and_one_goes_on_as_well(wanted, two, folder: Path, tmp_path: Path):
    """After three epochs both are killed; begun again, they go on from their checkpoint, and so does one alone."""
    name, model, whole = wanted
    broken = Pair(name, folder, tmp_path, stop_after=3)
    assert broken.processes[1].stdout.readline() == "stopped\n"
    for process in broken.processes:
        process.kill()
        process.communicate()
    store = LocalFolders(tmp_path / "store")
    assert Checkpoints(store, "key", Shard(), tmp_path).newest() == ("epoch-000003", 2)
    for each in store.names():
        store_copy = LocalFolders(tmp_path / "copy")
        store.get(each, tmp_path / "moved")
        store_copy.put(tmp_path / "moved", each)
    again = Pair(name, folder, tmp_path)
    found = again.end()
    pair, calm = two
    assert found[0]["began_at"] == 3
    assert [row["loss"] for row in found[0]["history"]] == [row["loss"] for row in calm[0]["history"]]
    for each in model.state_dict():
        np.testing.assert_array_equal(again.rows(each), pair.rows(each))
    one = alone(
        name, folder, tmp_path / "alone", Checkpoints(LocalFolders(tmp_path / "copy"), "key", Shard(), tmp_path, 0.0)
    )
    assert_equal(one.result.history, one.best, model, whole)

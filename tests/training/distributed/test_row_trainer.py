"""Training on disk against training in memory: the same triples, losses, validation and rows."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.data import files
from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions
from mmrecun.data.mapped_import import open_mapped
from mmrecun.errors import ConfigError, DataError
from mmrecun.models.base import Sizes
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.models.registry import MODELS, model_class
from mmrecun.rng import Seed
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.row_tables import RowModel, create_tables, refuse_whole_tables
from mmrecun.training.distributed.train import fit_distributed
from mmrecun.training.distributed.triples import MappedTriples
from mmrecun.training.fit import TrainConfig, fit
from mmrecun.training.validation import validation_score


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("mapped") / "data"
    files.save(Dataset.synthetic(users=300, items=120, interactions=4000), out)
    return out


def with_one_who_has_all(folder: Path, out: Path) -> Path:
    data = files.load(folder)
    pairs = data.interactions.select(data.interactions.users != 7)
    users = np.concatenate([pairs.users, np.full(len(data.items), 7)])
    items = np.concatenate([pairs.items, np.arange(len(data.items))])
    splits = np.concatenate([pairs.splits, np.zeros(len(data.items), dtype=np.int8)])
    files.save(data.with_interactions(Interactions(users, items, splits)), out)
    return out


@pytest.mark.parametrize("everything", [False, True], ids=["as made", "one has every item"])
def test_the_triples_are_those_of_an_epoch_in_memory(folder: Path, tmp_path: Path, everything: bool):
    place = with_one_who_has_all(folder, tmp_path / "data") if everything else folder
    data, columns = files.load(place), open_mapped(place)
    sampler = NegativeSampler(data.train, len(data.users), len(data.items))
    wanted = list(bpr_batches(data.train, sampler, 500, np.random.default_rng(4)))
    triples = MappedTriples(columns.train, len(columns.items), tmp_path)
    found = list(triples.epoch(500, np.random.default_rng(4)))
    assert [len(batch) for batch in found] == [len(batch) for batch in wanted]
    for mine, theirs in zip(found, wanted, strict=True):
        assert all(map(torch.equal, mine.columns(), theirs.columns()))


def test_nothing_can_be_drawn_where_everybody_has_everything(folder: Path, tmp_path: Path):
    columns = open_mapped(folder)
    with pytest.raises(DataError, match="everybody has every item"):
        MappedTriples(columns.train, 1, tmp_path)


def test_tables_begin_with_the_values_of_a_model_in_memory(tmp_path: Path):
    model = BPRMF(BPRMFConfig(dim=24), Sizes(users=70_000, items=50), Seed(3).torch())
    made = create_tables(RowModel(BPRMF, model.config), {"users": 70_000, "items": 50}, tmp_path, Seed(3).torch())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(made[name].records[:, 0], value.numpy())
        assert not made[name].records[:, 1:].any()


def test_a_training_on_disk_is_the_training_in_memory(folder: Path, tmp_path: Path):
    data, columns, seed = files.load(folder), open_mapped(folder), Seed(5)
    config, training = BPRMFConfig(dim=16), TrainConfig(epochs=40, batch_size=100)
    model = BPRMF(config, Sizes.of_dataset(data), seed.child("model").torch())
    inputs = GraphInputs(len(data.users), len(data.items))
    wanted = fit(model, data, inputs, training, seed, lambda now: validation_score(now, inputs, data))
    found = fit_distributed(ShardTask(BPRMF, config, columns, training, seed, tmp_path))
    losses = [[row["loss"] for row in each.history] for each in (found.result, wanted)]
    np.testing.assert_allclose(*losses, rtol=0, atol=1e-6)
    valid = [[row["valid"] for row in each.history] for each in (found.result, wanted)]
    np.testing.assert_allclose(*valid, rtol=0, atol=1e-3)
    assert valid[0][:10] == valid[1][:10]
    assert (found.result.best_epoch, found.result.epochs) == (wanted.best_epoch, wanted.epochs)
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(found.best[name], value.numpy(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_that_read_whole_tables_are_refused(name: str):
    if name in ("bprmf", "vbpr"):
        refuse_whole_tables(model_class(name), name)
        return
    with pytest.raises(ConfigError, match="train it in memory"):
        refuse_whole_tables(model_class(name), name)

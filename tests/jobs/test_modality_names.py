"""A modality may be called like a part of a model or of a torch module, and is forgotten like any other."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from mmrecun import jobs
from mmrecun.auditing import residue
from mmrecun.auditing.outcome import Outcome
from mmrecun.data.dataset import Dataset
from mmrecun.data.modality import Modality
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.per_modality import modality_of_parameters
from mmrecun.models.registry import MODELS, model_class
from mmrecun.runs import load

ORDINARY = ("audio", "image")


def build(model: str, dataset: Dataset) -> Recommender:
    return model_class(model)(model_class(model).Config(dim=4), Sizes.of_dataset(dataset), None)


def parameter_names(model: str, dataset: Dataset) -> list[str]:
    return list(build(model, dataset).state_dict())


def risky_names(dataset: Dataset) -> list[str]:
    """Every attribute of torch's modules, and every part of every model's parameter names, that may name a modality."""
    names = {*dir(nn.ModuleDict()), *dir(nn.Linear(1, 1)), *vars(nn.Module())}
    for model in MODELS:
        names.update(part for name in parameter_names(model, dataset) for part in name.split("."))
    return sorted(name for name in names - {*ORDINARY} if re.fullmatch(r"[A-Za-z0-9_-]+", name))


def named(dataset: Dataset, name: str) -> Modality:
    """A made-up modality of two columns that some items lack."""
    rng = np.random.default_rng(list(name.encode()))
    features = rng.normal(size=(len(dataset.items), 2)).astype(np.float32)
    return Modality(name, features, rng.random(len(dataset.items)) < 0.8)


@pytest.fixture(scope="module")
def risky(dataset: Dataset) -> Dataset:
    """The dataset with one more modality for each risky name."""
    more = {name: named(dataset, name) for name in risky_names(dataset)}
    return replace(dataset, modalities={**dataset.modalities, **more})


def test_the_risky_names_are_found(dataset: Dataset):
    assert {"users", "items", "weight", "bias", "0", "type", "training", "forward", "_modules", "gates"} <= {
        *risky_names(dataset)
    }


@pytest.mark.parametrize("model", MODELS)
def test_whatever_it_is_called_it_is_learned_from_forgotten_and_audited(model: str, risky: Dataset, tmp_path: Path):
    jobs.train(risky, model, tmp_path / "run", {"epochs": 1, "batch_size": 512, "dim": 4})
    gone = ForgetRequest(modalities={name: None for name in risky.modalities if name not in ORDINARY})
    jobs.unlearn(tmp_path / "run", gone, tmp_path / "after", "unlink")
    report = jobs.audit(tmp_path / "after")
    assert [check for check in report.checks if check.state is Outcome.FAILED and "residue" in check.name] == []
    after = load(tmp_path / "after")
    assert set(after.dataset.modalities) == set(ORDINARY)
    assert list(after.model.state_dict()) == parameter_names(model, after.dataset)


@pytest.mark.parametrize("model", ["vbpr", "mgcn", "freedom", "bm3"])
@pytest.mark.parametrize("name", ["users", "weight", "0", "training"])
def test_parameters_of_a_lost_modality_are_found_and_no_others(model: str, name: str, dataset: Dataset, tmp_path: Path):
    with_it = replace(dataset, modalities={"image": dataset.modalities["image"], name: named(dataset, name)})
    without = replace(dataset, modalities={"image": dataset.modalities["image"]})
    partition = Partition.between(with_it, without)
    kept, clean = (build(model, data) for data in (with_it, without))
    lost = set(kept.state_dict()) - set(clean.state_dict())
    assert {found for found, of in modality_of_parameters(kept).items() if of == name} == lost
    for after, state in ((kept, Outcome.FAILED), (clean, Outcome.PASSED)):
        checks = {check.name: check for check in residue.scan(kept, after, partition, tmp_path, None)}
        assert checks["residue: tables"].state is state

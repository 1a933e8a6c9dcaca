"""Plans against real models and folders; refusals against memory that is not there."""

import json
import sys
from pathlib import Path

import pytest
import torch

from mmrecun import runs
from mmrecun.cli import main
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.data.interactions import Split
from mmrecun.errors import ConfigError, DataError
from mmrecun.evaluation.evaluate import RankingReport
from mmrecun.jobs import _plan as module
from mmrecun.jobs._footprint import Footprint, footprint
from mmrecun.models.base import Sizes
from mmrecun.models.registry import MODELS, model_class
from mmrecun.rng import Seed

GIB = 1 << 30


def test_a_folder_is_counted_without_being_read(dataset: Dataset, data_folder: Path):
    sizes = files.sizes(data_folder)
    assert (sizes.users, sizes.items) == (len(dataset.users), len(dataset.items))
    assert (sizes.pairs, sizes.train) == (len(dataset.interactions), len(dataset.train))
    assert sizes.widths == {name: modality.width for name, modality in dataset.modalities.items()}
    assert sizes.feature_bytes == sum(modality.features.nbytes for modality in dataset.modalities.values())


def test_a_folder_that_cannot_be_counted_is_named(data_folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match="not a dataset folder"):
        files.sizes(tmp_path)
    (tmp_path / "dataset.toml").write_bytes((data_folder / "dataset.toml").read_bytes())
    (tmp_path / "features").mkdir()
    for path in (data_folder / "features").iterdir():
        (tmp_path / "features" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"interactions.parquet: no such file"):
        files.sizes(tmp_path)
    (tmp_path / "interactions.parquet").write_text("no table")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        files.sizes(tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_those_of_the_model(name: str, dataset: Dataset, data_folder: Path):
    cls = model_class(name)
    config = cls.Config(dim=8)
    real = cls(config, Sizes.of_dataset(dataset), Seed(0).torch())
    _, parameters = module.training_bytes(cls, config, files.sizes(data_folder), 64)
    assert parameters == sum(parameter.numel() for parameter in real.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_memory_grows_with_everything(name: str):
    sizes = {"users": 10_000, "items": 5_000, "pairs": 100_000, "train": 80_000, "widths": {"a": 32}}
    cls = model_class(name)

    def needed(dim: int = 64, **larger: int) -> int:
        folder = files.FolderSizes(**{**sizes, **larger}, feature_bytes=larger.get("items", 5_000) * 128)
        return module.training_bytes(cls, cls.Config(dim=dim), folder, 4096)[0]

    assert needed(dim=128) > needed()
    assert needed(users=10**7) > needed(users=10**6) > 2 * needed()
    assert needed(items=10**7) > needed(items=10**6) > needed()
    assert needed(pairs=10**9, train=8 * 10**8) > 100 * GIB


def test_saving_the_state_of_a_training_counts():
    sizes = files.FolderSizes(users=10**6, items=10**6, pairs=100, train=80, widths={}, feature_bytes=0)
    cls = model_class("bprmf")
    memory, parameters = module.training_bytes(cls, cls.Config(dim=64), sizes, 64)
    assert memory > 13 * 4 * parameters


def test_parameters_that_cannot_fit_are_refused_at_once(data_folder: Path, monkeypatch: pytest.MonkeyPatch):
    module.refuse_impossible(data_folder, "mgcn", {"dim": 8})
    with pytest.raises(ConfigError, match=r"the parameters of mgcn alone would take .* GiB, of .* free; --set dim="):
        module.refuse_impossible(data_folder, "mgcn", {"dim": 10**9})


def test_what_fits_is_timed(data_folder: Path):
    made = module.plan(data_folder, "lightgcn", {"dim": 8, "batch_size": 128})
    assert made.fits
    assert made.seconds_per_epoch is not None
    assert made.seconds_per_epoch > 0
    assert made.advice == ""


def test_evaluation_and_audit_are_foretold(data_folder: Path, run_folder: Path):
    made = module.plan(data_folder, "lightgcn", {"dim": 8})
    assert None not in (made.evaluate_seconds, made.audit_seconds, made.gold_seconds)
    assert 0 < made.evaluate_seconds < made.gold_seconds < made.audit_seconds
    assert made.evaluate_bytes < made.audit_bytes
    of_run = module.plan(run_folder)
    parameters = sum(parameter.numel() for parameter in runs.load(run_folder).model.parameters())
    assert (of_run.model, of_run.parameters) == ("mgcn", parameters)


def test_another_model_than_the_runs_is_refused(run_folder: Path):
    with pytest.raises(ConfigError, match="is a run of 'mgcn'; leave out --model bprmf"):
        module.plan(run_folder, "bprmf")


def test_the_time_of_a_sample_stands_for_everybody(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []

    def timed(users, items, seen, truth):
        asked.append(len(set(truth.users.tolist())))
        return RankingReport({}, 0, 0, 2.0)

    monkeypatch.setattr(module, "evaluate", timed)
    monkeypatch.setattr(module, "_RANKED", 10)
    cls = model_class("bprmf")
    model = cls(cls.Config(dim=8), Sizes.of_dataset(dataset), Seed(0).torch())
    inputs = build_inputs(dataset, model.required_inputs(), torch.device("cpu"))
    monkeypatch.setattr(module.time, "perf_counter", lambda: 7.0)
    seconds = module._seconds_of_ranking(model, inputs, dataset)
    test = dataset.interactions.split(Split.TEST)
    everybody = len(set(test.users.tolist()) & set(dataset.train.users.tolist()))
    assert asked == [10]
    assert seconds == pytest.approx(2.0 * everybody / 10)


@pytest.mark.parametrize("name", MODELS)
def test_an_audit_needs_more_than_an_evaluation_and_both_grow(name: str):
    cls, held = (
        model_class(name),
        {"users": 10**6, "items": 10**5, "pairs": 10**7, "train": 8 * 10**6, "widths": {"a": 32}},
    )

    def parts(**larger: int) -> Footprint:
        return footprint(cls, cls.Config(), files.FolderSizes(**{**held, **larger}, feature_bytes=10**7))

    assert parts().audit > parts().evaluation
    for larger in ({"users": 10**7}, {"items": 10**7}, {"pairs": 10**8, "train": 8 * 10**7}):
        assert parts(**larger).audit > parts().audit
        assert parts(**larger).evaluation > parts().evaluation


def test_what_does_not_fit_is_refused_with_a_smaller_dim(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refused(*further: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["mmrecun", "plan", str(data_folder), "--set", "dim=4096", *further])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        return tuple(capsys.readouterr())  # type: ignore[return-value]

    needed = module.plan(data_folder, "mgcn", {"dim": 8}).memory_bytes
    monkeypatch.setattr(module, "available_bytes", lambda: needed + (40 << 20))
    out, err = refused()
    assert out == ""
    assert err.count("\n") == 1
    assert "would take" in err
    assert "--set dim=" in err
    out, err = refused("--json")
    found = json.loads(out)
    assert (found["fits"], found["seconds_per_epoch"]) == (False, None)
    assert found["memory_bytes"] > found["available_bytes"]
    monkeypatch.setattr(module, "available_bytes", lambda: 1)
    assert "a machine with more memory" in refused()[1]


def test_free_memory_is_the_systems_estimate_within_the_groups_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "meminfo").write_text("MemTotal:  9 kB\nMemFree:   1 kB\nMemAvailable:    2048 kB\n")
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(module, "_GROUP", tmp_path)
    assert module.available_bytes() == 2 << 20
    (tmp_path / "memory.current").write_text("100\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert module.available_bytes() == 2 << 20
    (tmp_path / "memory.max").write_text("1100\n")
    assert module.available_bytes() == 1000
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "nowhere")
    (tmp_path / "memory.max").unlink()
    assert module.available_bytes() > 0


def test_settings_that_name_an_unknown_modality_are_refused(data_folder: Path):
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        module.plan(data_folder, "freedom", {"shares": {"imgae": 1.0}})


def test_a_size_beyond_every_machine_is_refused_and_nothing_is_allocated(data_folder: Path):
    made = module.plan(data_folder, "mgcn", {"dim": 10_000_000})
    assert not made.fits
    assert made.advice.startswith("--set dim=")

"""CONTRIBUTING and the page of a new method: each example is run as it stands, the contracts it inherits included."""

import doctest
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mmrecun import jobs
from mmrecun.evaluation import evaluate
from mmrecun.models.registry import MODELS
from mmrecun.unlearning.registry import METHODS
from tests.contracts.unlearning import trained  # noqa: F401
from tests.docs.blocks import ROOT, blocks

MODEL, MODEL_TEST, METRIC, COMMAND = blocks(ROOT / "CONTRIBUTING.md", "python")
METHOD, METHOD_TEST = blocks(ROOT / "docs" / "how-to" / "new-method.md", "python")


def made(source: str) -> dict:
    """What an example defines."""
    names: dict = {"__name__": "example"}
    exec(compile(source, "CONTRIBUTING.md", "exec"), names)
    return names


def register(monkeypatch: pytest.MonkeyPatch, names: dict[str, str], name: str, cls: type) -> None:
    """Put a class of an example where the registry imports from."""
    module = ModuleType("example")
    setattr(module, cls.__qualname__, cls)
    monkeypatch.setitem(sys.modules, "example", module)
    monkeypatch.setitem(names, name, f"example:{cls.__qualname__}")


class TestModel(made(MODEL_TEST)["TestUnitMF"]):
    @pytest.fixture(autouse=True)
    def registered(self, monkeypatch: pytest.MonkeyPatch):
        register(monkeypatch, MODELS, self.name, made(MODEL)["UnitMF"])

    def test_it_trains_like_any_other(self, data_folder: Path, tmp_path: Path):
        manifest = jobs.train(data_folder, self.name, tmp_path / "run", {"epochs": 2})
        assert manifest.model == self.name
        vectors = jobs.evaluate(tmp_path / "run")
        assert 0 < vectors.metrics["recall@20"] <= 1


class TestMethod(made(METHOD_TEST)["TestShrink"]):
    @pytest.fixture(autouse=True)
    def registered(self, monkeypatch: pytest.MonkeyPatch):
        register(monkeypatch, METHODS, self.name, made(METHOD)["Shrink"])

    def test_it_forgets_from_a_run(self, run_folder: Path, tmp_path: Path):
        done = jobs.unlearn(run_folder, {"users": ["u00001"]}, tmp_path / "after", self.name, {"keep": 0.8})
        assert (done.method, done.method_settings["keep"]) == (self.name, 0.8)


def test_the_metric_is_shown_everywhere_and_right(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    names = made(METRIC)
    reciprocal_rank = names["reciprocal_rank"]
    found = doctest.DocTestFinder().find(reciprocal_rank, "reciprocal_rank", globs=names)
    assert [doctest.DocTestRunner().run(test).failed for test in found] == [0]
    hits = np.random.default_rng(0).random((50, 20)) < 0.05
    by_hand = [next((1 / place for place, hit in enumerate(row, start=1) if hit), 0.0) for row in hits]
    np.testing.assert_allclose(reciprocal_rank(hits, hits.sum(axis=1)), by_hand)
    monkeypatch.setitem(evaluate._PER_USER, "mrr", reciprocal_rank)
    assert 0 < jobs.evaluate(run_folder).metrics["mrr@20"] <= 1


def test_the_command_prints_what_it_found(data_folder: Path, dataset):
    app = typer.Typer()
    app.command()(made(COMMAND)["density"])
    asked = CliRunner().invoke(app, [str(data_folder), "--json"])
    assert asked.exit_code == 0, asked.output
    density = len(dataset.train) / (len(dataset.users) * len(dataset.items))
    assert json.loads(asked.output)["density"] == pytest.approx(density)
    assert f"{density:.4f}" in CliRunner().invoke(app, [str(data_folder)]).output

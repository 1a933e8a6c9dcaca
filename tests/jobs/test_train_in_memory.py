"""Training on a dataset that is in no folder: the run stands on its own."""

import shutil
from pathlib import Path

import pytest

from mmrecun import Dataset, jobs, runs
from mmrecun.errors import DataError
from mmrecun.forget.request import ForgetRequest
from tests.conftest import TRAINING


def test_a_run_trained_in_memory_is_the_run_trained_from_the_folder(dataset: Dataset, run_folder: Path, tmp_path: Path):
    jobs.train(dataset, "mgcn", tmp_path / "run", TRAINING)
    from_folder = runs.load(run_folder)
    moved = shutil.move(tmp_path / "run", tmp_path / "moved")
    run = runs.load(moved)
    assert run.weights == from_folder.weights
    assert run.dataset.digest == dataset.digest
    assert run.manifest.dataset.path == "dataset"


def test_it_can_be_unlearned_and_audited(dataset: Dataset, tmp_path: Path):
    jobs.train(dataset, "bprmf", tmp_path / "run", {**TRAINING, "epochs": 2})
    request = ForgetRequest(users=dataset.users.names[:3])
    jobs.unlearn(tmp_path / "run", request, tmp_path / "after")
    assert jobs.audit(tmp_path / "after").forgotten["users"] == 3


def test_a_dataset_that_cannot_be_trained_on_is_called_by_its_name(dataset: Dataset, tmp_path: Path):
    bare = dataset.with_interactions(dataset.train)
    with pytest.raises(DataError, match=f"^dataset '{dataset.name}': "):
        jobs.train(bare, "bprmf", tmp_path / "run", TRAINING)
    assert not (tmp_path / "run").exists()


def test_what_a_notebook_shows_is_short(run_folder: Path, tmp_path: Path):
    run = runs.load(run_folder)
    manifest = jobs.unlearn(run, ForgetRequest(items=run.dataset.items.names[:2]), tmp_path / "after")
    report = jobs.audit(tmp_path / "after")
    for shown in (run, manifest, report, run.dataset):
        assert len(repr(shown).splitlines()) < 12
        assert str(shown) == repr(shown)
        page = shown._repr_html_()
        assert page.startswith("<table>")
        assert page.count("<tr>") == len(repr(shown).splitlines()) - 1
    assert "forgotten: 2 items" in repr(manifest)
    assert report.headline in repr(report)


def test_a_failed_check_is_shown_with_its_evidence(run_folder: Path, tmp_path: Path):
    run = runs.load(run_folder)
    jobs.unlearn(run, ForgetRequest(users=run.dataset.users.names[:2]), tmp_path / "after")
    (tmp_path / "after" / "notes.txt").write_text(str(run.dataset.users.names[0]), encoding="utf-8")
    report = jobs.audit(tmp_path / "after")
    failed = [check for check in report.checks if check.state == "failed"]
    assert failed
    assert all(f"{check.name} ({check.detail})" in repr(report) for check in failed)
    assert all(check.name in report._repr_html_() for check in failed)

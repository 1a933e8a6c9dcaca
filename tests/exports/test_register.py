"""The register of exports: which are current, and which a later request made stale."""

import os
from pathlib import Path

import pytest

from mmrecun import jobs
from mmrecun.errors import ArtifactError
from mmrecun.forget.request import ForgetRequest
from tests.conftest import TRAINING

REQUEST = ForgetRequest(users=("u00003", "u00011"), items=("i00007",))


def test_a_later_request_makes_exports_stale(data_folder: Path, tmp_path: Path):
    original, later = tmp_path / "original", tmp_path / "later"
    jobs.train(data_folder, "bprmf", original, {**TRAINING, "epochs": 2})
    for name in ("kept", "gone", "replaced"):
        jobs.export(original, "npy", tmp_path / "out" / name)
    assert {entry["state"] for entry in jobs.exports(original)} == {"current"}
    jobs.unlearn(original, REQUEST, later, "unlink")
    for path in (tmp_path / "out" / "gone").iterdir():
        path.unlink()
    for path in sorted((tmp_path / "out" / "replaced").iterdir()):
        path.unlink()
    jobs.export(later, "npy", tmp_path / "out" / "replaced")
    seen = {(Path(entry["path"]).name, Path(entry["run"]).name): entry for entry in jobs.exports(later)}
    assert {key: entry["state"] for key, entry in seen.items()} == {
        ("replaced", "later"): "current",
        ("kept", "original"): "stale",
        ("gone", "original"): "missing",
        ("replaced", "original"): "replaced",
    }
    assert [Path(folder).name for folder in seen["kept", "original"]["because"]] == ["later"]
    assert sum(entry["state"] == "stale" for entry in jobs.exports(original)) == 1


def test_later_runs_elsewhere_are_found_where_one_says_so(data_folder: Path, tmp_path: Path):
    original = tmp_path / "here" / "original"
    jobs.train(data_folder, "bprmf", original, {**TRAINING, "epochs": 2})
    jobs.export(original, "npy", tmp_path / "out")
    jobs.unlearn(original, REQUEST, tmp_path / "there" / "later", "unlink")
    assert jobs.exports(original)[0]["state"] == "current"
    assert jobs.exports(original, [tmp_path / "there"])[0]["state"] == "stale"
    with pytest.raises(ArtifactError, match="nowhere is not a folder"):
        jobs.exports(original, [tmp_path / "nowhere"])


def test_an_export_that_cannot_be_recorded_is_not_begun(data_folder: Path, tmp_path: Path, monkeypatch):
    run, begun = tmp_path / "run", []
    jobs.train(data_folder, "bprmf", run, {**TRAINING, "epochs": 2})
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != run)
    with pytest.raises(ArtifactError, match=r"cannot write .*exports: .*run: Permission denied"):
        jobs.export(run, "lists", tmp_path / "out", progress=lambda *done: begun.append(done))
    assert not begun
    assert not (tmp_path / "out").exists()

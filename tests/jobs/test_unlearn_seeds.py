"""One request, several seeds: each run is the one that `unlearn` makes alone."""

import json
from pathlib import Path

import pytest

from mmrecun import jobs, runs
from mmrecun.errors import ArtifactError, ForgetError
from mmrecun.manifest import Manifest
from tests.cli.calling import call

REQUEST = {"users": ["u00003", "u00007"]}
FREE = {"seconds", "created", "parent"}


def same(one: Manifest, other: Manifest) -> bool:
    return one.model_dump(exclude=FREE) == other.model_dump(exclude=FREE)


@pytest.mark.parametrize("key", [None, b"0123456789abcdef"])
def test_each_run_is_that_of_its_seed_alone(run_folder: Path, tmp_path: Path, key: bytes | None):
    made = jobs.unlearn_seeds(run_folder, REQUEST, tmp_path / "golds", (1000, 1002), "retrain", key=key)
    assert list(made) == [tmp_path / "golds" / "seed-1000", tmp_path / "golds" / "seed-1002"]
    for place, seed in zip(made, (1000, 1002), strict=True):
        jobs.unlearn(run_folder, REQUEST, tmp_path / f"alone-{seed}", "retrain", seed=seed, key=key)
        alone = runs.read_manifest(tmp_path / f"alone-{seed}")
        assert same(made[place], alone)
        assert made[place].weights == runs.weights_digest(place)
        assert runs.parent_folder(place, made[place]) == run_folder.resolve()
        assert runs.load(place).dataset.digest == alone.dataset.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone-1000", "alone-1002", "golds"]


def test_what_is_there_stays_and_what_is_missing_is_made(run_folder: Path, tmp_path: Path):
    first = jobs.unlearn_seeds(run_folder, REQUEST, tmp_path / "out", (1,), "unlink")
    again = jobs.unlearn_seeds(run_folder, REQUEST, tmp_path / "out", (1, 2), "unlink")
    assert next(iter(again.values())) == next(iter(first.values()))
    assert [manifest.seed for manifest in again.values()] == [1, 2]
    with pytest.raises(ArtifactError, match="seed-1 is the run of another request, method or model"):
        jobs.unlearn_seeds(run_folder, {"users": ["u00003"]}, tmp_path / "out", (1,), "unlink")


def test_what_cannot_be_forgotten_is_the_error_of_unlearn(run_folder: Path, tmp_path: Path):
    with pytest.raises(ForgetError, match="nobody"):
        jobs.unlearn_seeds(run_folder, {"users": ["nobody"]}, tmp_path / "out", (1,), "unlink")
    with pytest.raises(ForgetError, match="does not forget modalities"):
        jobs.unlearn_seeds(run_folder, {"modalities": {"image": None}}, tmp_path / "out", (1,), "amnesiac")
    assert not (tmp_path / "out").exists()


def test_the_command(run_folder: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    asked = ("unlearn", run_folder, "--user", "u00003", "--method", "unlink", "--out", tmp_path / "out")
    code, out, err = call(capsys, monkeypatch, *asked, "--seeds", "1,3-4", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert [Path(run["run"]).name for run in found["runs"]] == ["seed-1", "seed-3", "seed-4"]
    assert found["forgotten"]["users"] == 1
    for wrong, message in (
        (("--seeds", "1,x"), "'x' is not a seed"),
        (("--seeds", "3-1"), "'3-1' is not a seed"),
        (("--seeds", "1,1"), "a seed occurs twice"),
        (("--on", "ray"), "--on shares out the runs of several seeds"),
        (("--seeds", "1", "--on", "rya"), "write here, ray or ray:HOST:PORT"),
    ):
        code, _, err = call(capsys, monkeypatch, *asked, *wrong)
        assert (code, len(err.strip().splitlines())) == (2, 1), err
        assert message in err

"""What interrupted commands left is found and removed, and nothing else."""

import json
import tempfile
from pathlib import Path

import pytest

from mmrecun import Dataset, jobs
from mmrecun.atomic import staged_folder
from mmrecun.data import files
from mmrecun.jobs import resume_file, training_folder
from mmrecun.scale import leftovers
from mmrecun.scale.remote_folders import RemoteFolders
from tests.cli.calling import keys


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of this host, with what a killed command and a full object store leave in it."""
    place = tmp_path / "temporary"
    (place / "mmrecun-scratch-0f").mkdir(parents=True)
    (place / "mmrecun-scratch-0f" / "pairs").write_text("u1,i1")
    (place / "ray" / "session_2026" / "ray_spilled_objects_7").mkdir(parents=True)
    for name in ("another", "mmrecun-results", "mmrecun-ray-5_x"):
        (place / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def names(found: list[leftovers.Leftover]) -> list[str]:
    return [Path(one.place).name for one in found]


def test_what_commands_really_leave_is_found(tmp_path: Path, temporary: Path):
    """A training that stops in its second epoch, one on disk, and an export that is cut short."""
    dataset, runs = Dataset.synthetic(users=60, items=40, interactions=900), tmp_path / "runs"
    files.save(dataset, tmp_path / "data")

    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    settings = {"epochs": 5, "dim": 8}
    with pytest.raises(KeyboardInterrupt):
        jobs.train(tmp_path / "data", "bprmf", runs / "one", settings, progress=stop)
    workers = jobs.Workers(every_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        jobs.train_mapped(tmp_path / "data", "bprmf", runs / "two", settings, progress=stop, workers=workers)
    jobs.train(tmp_path / "data", "bprmf", runs / "whole", settings)
    with staged_folder(runs / "half") as staging:
        (staging / "word").write_text("word")
        found = leftovers.beside([runs, runs, tmp_path / "nowhere"])
    wanted = {training_folder(runs / "two").name, resume_file(runs / "one").name, staging.name}
    assert set(names(found)) == wanted
    assert all(one.size > 0 for one in found)
    leftovers.remove([one for one in found if Path(one.place).name != staging.name])
    assert sorted(path.name for path in runs.iterdir()) == ["half", "whole"]


def test_the_command_lists_and_removes(cli, tmp_path: Path, temporary: Path):
    store, runs = (tmp_path / "store").as_uri(), tmp_path / "runs"
    (runs / ".run.training").mkdir(parents=True)
    (runs / ".hidden").mkdir()
    (runs / "run").mkdir()
    RemoteFolders(store).put(temporary / "another", "columns/0123")
    listed = keys(cli("leftovers", runs, "--store", store, "--json"))
    places = [one["place"] for one in listed["leftovers"]]
    assert [Path(place).name for place in places[:4]] == [
        ".run.training",
        "mmrecun-scratch-0f",
        "mmrecun-ray-5_x",
        "ray_spilled_objects_7",
    ]
    assert places[4:] == [f"{store}/columns/0123"]
    assert [one["size"] for one in listed["leftovers"]][1] == 5
    assert keys(cli("leftovers", runs, "--store", store, "--remove", "--json"))["removed"] is True
    assert sorted(path.name for path in runs.iterdir()) == [".hidden", "run"]
    assert sorted(path.name for path in temporary.iterdir()) == ["another", "mmrecun-results", "ray"]
    assert RemoteFolders(store).names() == []
    assert keys(cli("leftovers", runs, "--store", store, "--json"))["leftovers"] == []


@pytest.mark.parametrize("kind", ["in memory", "in chunks", "in parts"])
def test_an_audit_names_what_lies_beside_a_run_and_on_this_machine(cli, tmp_path: Path, temporary: Path, kind: str):
    dataset, settings = Dataset.synthetic(users=60, items=40, interactions=900), {"epochs": 2, "dim": 8}
    run, after, request = tmp_path / "before" / "run", tmp_path / "runs" / "after", {"users": ["u00003"]}
    if kind == "in memory":
        jobs.train(dataset, "bprmf", run, settings)
        jobs.unlearn(run, request, after, "unlink")
    else:
        files.save(dataset, tmp_path / "data")
        jobs.train_mapped(tmp_path / "data", "bprmf", run, settings)
    if kind == "in chunks":
        jobs.unlearn_mapped(run, request, after)
    beside = [resume_file(run)]
    if kind == "in parts":
        parts = tmp_path / "parts" / "run"
        jobs.split_mapped(run, parts, 2)
        jobs.unlearn_parts(parts, request, after)
        beside = [parts / f".0-of-2.{'0' * 16}.partial", after / f".1-of-2.{'0' * 16}.partial"]
    for path in beside:
        path.write_bytes(b"rows")
    code, out, err = cli("audit", after, "--json")
    assert code == 0
    temporaries = ["mmrecun-scratch-0f", "mmrecun-ray-5_x", "ray_spilled_objects_7"]
    assert [Path(one["place"]).name for one in json.loads(out)["leftovers"]] == [
        path.name for path in beside
    ] + temporaries
    assert err.count("may hold what was forgotten") == len(beside) + 3


def test_a_cluster_of_this_machine_is_no_other_place(cli, tmp_path: Path):
    code, _, err = cli("leftovers", tmp_path, "--on", "ray")
    assert (code, "name another by ray:HOST:PORT" in err) == (2, True)


def test_a_folder_that_is_not_there_is_refused(cli, tmp_path: Path):
    code, _, said = cli("leftovers", str(tmp_path / "none"))
    assert code == 2
    assert "is not a folder" in said

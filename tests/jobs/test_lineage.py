"""What is told of the runs that a run came from: only of those, and of all of them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from mmrecun import Dataset, jobs, load, runs
from mmrecun.data import files
from mmrecun.errors import ForgetError
from tests.conftest import TRAINING

FAST = {**TRAINING, "epochs": 1}


def test_another_run_in_the_place_of_a_parent_is_no_ancestor(tmp_path: Path):
    mine, theirs = (Dataset.synthetic(users=users, items=30, interactions=600) for users in (40, 60))
    for data, name in ((mine, "mine"), (theirs, "theirs")):
        files.save(data, tmp_path / name)
    stranger = theirs.users.names[-1]
    assert stranger not in set(mine.users.names)
    parent, child = tmp_path / "run", tmp_path / "child"
    jobs.train(tmp_path / "mine", "bprmf", parent, FAST)
    jobs.unlearn(parent, {"users": [mine.users.names[3]]}, child, "unlink")
    jobs.export(parent, "npy", tmp_path / "export")
    shutil.rmtree(parent)
    jobs.train(tmp_path / "theirs", "bprmf", parent, FAST)
    with pytest.raises(ForgetError, match=f"unknown user id: {stranger}"):
        jobs.scope(child, {"users": [stranger]})
    assert list(runs.ancestors(child, runs.read_manifest(child))) == []
    assert not jobs.export(child, "npy", tmp_path / "export2").complete


@pytest.fixture
def foreign(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with vectors `m`, their data, and the run folders `g1` and `g2` of two requests, one after another."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data_folder, "data")
    jobs.train("data", "bprmf", "trained", TRAINING)
    model = load("trained").model
    Path("m").mkdir()
    np.save("m/users.npy", model.users.weight.detach().numpy())
    np.save("m/items.npy", model.items.weight.detach().numpy())
    shutil.rmtree("trained")
    first = jobs.open_run("m", like="vectors", data="data")
    jobs.unlearn(first, {"users": ["u00005"]}, "g1")
    jobs.unlearn("g1", {"users": ["u00007"]}, "g2")
    return tmp_path


def test_what_was_forgotten_from_a_file_is_told_as_forgotten(foreign: Path):
    for run in ("g1", "g2"):
        with pytest.raises(ForgetError, match="already forgotten: 1 user, u00005"):
            jobs.scope(run, {"users": ["u00005"]})
    with pytest.raises(ForgetError, match="unknown user id: nobody"):
        jobs.scope("g2", {"users": ["nobody"]})
    shutil.rmtree("m")  # the data alone tell it, too
    with pytest.raises(ForgetError, match="already forgotten: 1 user, u00005"):
        jobs.scope("g2", {"users": ["u00005"]})
    shutil.rmtree("data")
    files.save(Dataset.synthetic(users=200, items=50, interactions=1200), Path("data"))
    with pytest.raises(ForgetError, match="unknown user id: u00150"):  # of data that it was never trained on
        jobs.scope("g2", {"users": ["u00150"]})


def test_an_audit_names_the_files_from_before_the_first_request(foreign: Path):
    names = {"g1": ["m", "data"], "g2": ["g1", "g1/dataset", "m", "data"]}
    for run, places in names.items():
        held = ", ".join(str(foreign / place) for place in places)
        assert f"What was forgotten is still in {held}, from before the request." in jobs.audit(run).notes

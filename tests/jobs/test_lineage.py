"""What is told of the runs that a run came from: only of those, and of all of them."""

import shutil
from pathlib import Path

import pytest

from mmrecun import Dataset, jobs, runs
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

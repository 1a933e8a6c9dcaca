"""LightGCN and MGCN trained by two processes of this machine, and VBPR on disk, as jobs."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun import jobs, runs
from mmrecun.chunked import run as mapped
from mmrecun.device import resolve
from mmrecun.errors import ForgetError
from mmrecun.jobs import Workers
from mmrecun.models.inference import vectors_of

SETTINGS = {"dim": 8, "epochs": 4, "batch_size": 400}


def vectors(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    run = runs.read(folder, resolve("cpu"))
    found = vectors_of(run.model, run.dataset)
    return found.users.numpy(), found.items.numpy()


@pytest.mark.parametrize("model", ["lightgcn", "mgcn"])
def test_two_processes_make_an_ordinary_run(data: Path, tmp_path: Path, model: str):
    """It is that of one process, can be unlearned as any other, and nothing else is left."""
    one = jobs.train(data, model, tmp_path / "one", SETTINGS)
    two = jobs.train_parts(data, model, tmp_path / "two", SETTINGS, workers=Workers(2))
    same = ("model", "settings", "training", "seed", "best_epoch", "epochs", "dataset_name")
    assert [getattr(one, name) for name in same] == [getattr(two, name) for name in same]
    assert (two.dataset.digest, abs(two.valid - one.valid) < 1e-3) == (one.dataset.digest, True)
    for found, wanted in zip(vectors(tmp_path / "two"), vectors(tmp_path / "one"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    jobs.unlearn(tmp_path / "two", {"users": ["u00003"]}, tmp_path / "after")
    assert "u00003" not in runs.read(tmp_path / "after", resolve("cpu")).dataset.users.names.to_list()


def test_vbpr_on_disk_is_vbpr_in_memory_and_forgets(data: Path, tmp_path: Path):
    """Content of items and the constant of users stay when rows move; who is forgotten leaves rows of zeros."""
    jobs.train(data, "vbpr", tmp_path / "memory", SETTINGS)
    for name, workers in (("disk", Workers()), ("two", Workers(2))):
        jobs.train_mapped(data, "vbpr", tmp_path / name, SETTINGS, workers=workers)
        run = mapped.read(tmp_path / name)
        for side, wanted in zip(mapped.SIDES, vectors(tmp_path / "memory"), strict=True):
            found = run.vectors(side, np.arange(run.size(side))).numpy()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)
    before = mapped.read(tmp_path / "disk")
    width = before.manifest.rows["users.vectors"].shape[1]
    assert before.manifest.fixed == {"users": [width - 1], "items": list(range(8, width - 1))}
    jobs.unlearn_mapped(tmp_path / "disk", {"users": ["u00003"]}, tmp_path / "after")
    after = mapped.read(tmp_path / "after")
    (gone,) = before.find("users", ("u00003",))
    assert not after.vectors("users", np.array([gone])).any()
    everybody = np.setdiff1d(np.arange(151), gone)
    assert (after.vectors("users", everybody)[:, -1] == 1).all()
    items = [run.vectors("items", np.arange(70)).numpy() for run in (before, after)]
    assert not np.array_equal(*(each[:, :8] for each in items))
    np.testing.assert_array_equal(*(each[:, 8:-1] for each in items))
    with pytest.raises(ForgetError, match="no modalities"):
        jobs.unlearn_mapped(tmp_path / "disk", {"modalities": {"audio": None}}, tmp_path / "none")

"""Commands on runs whose data and tables stay on disk."""

from pathlib import Path

import pytest

from mmrecun import jobs
from tests.cli.calling import keys

SETTINGS = ("--set", "epochs=3", "--set", "batch_size=256", "--set", "dim=8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mmrecun import Dataset
    from mmrecun.data import files

    out = tmp_path_factory.mktemp("mapped") / "data"
    files.save(Dataset.synthetic(users=80, items=50, interactions=1200), out)
    return out


def test_the_whole_way_on_disk(cli, data: Path, tmp_path: Path):
    run, after, users = tmp_path / "run", tmp_path / "after", tmp_path / "users.csv"
    trained = keys(cli("train", data, "--model", "bprmf", "--on-disk", "--out", run, *SETTINGS, "--json"))
    assert {"run", "best_epoch", "epochs", "valid", "seconds"} <= trained.keys()
    assert keys(cli("evaluate", run, "--json"))["metrics"] == jobs.evaluate_mapped(run).metrics
    users.write_text("user\nu00003\n")
    asked = ("--users", users, "--item", "i00004")
    made = keys(cli("unlearn", run, *asked, "--out", after, "--json"))
    assert {"run", "parent", "method", "forgotten", "seconds", "stop"} <= made.keys()
    assert made["forgotten"]["users"] == made["forgotten"]["items"] == 1
    audited = keys(cli("audit", after, "--json"))["residue"]
    assert audited.pop("ids and pairs asked for") is None
    assert set(audited.values()) == {True}
    assert set(jobs.check_mapped(after, {"users": ["u00003"], "items": ["i00004"]})["residue"].values()) == {True}
    stayed = jobs.check_mapped(after, {"users": ["u00005"]})["residue"]
    assert stayed["ids and pairs asked for"] is False
    code, out, _ = cli("unlearn", run, "--user", "u00001", "--out", tmp_path / "third")
    assert (code, "1 user" in out) == (0, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--workers", "2"), "processes that train bprmf share rows on disk; add --on-disk"),
        (("--workers", "2", "--model", "freedom"), "several can train bprmf, vbpr, lightgcn and mgcn"),
        (("--on-disk", "--device", "cpu"), "a training on disk or in several processes has no --device"),
        (("--on-disk", "--on", "ray"), "--on ray needs --store URL here"),
    ],
)
def test_options_without_a_meaning_are_refused(cli, data: Path, tmp_path: Path, words, text: str):
    code, _, err = cli("train", data, "--model", "bprmf", "--out", tmp_path / "run", *words)
    assert (code, text in err) == (2, True), err


def test_requests_that_a_run_in_chunks_cannot_meet_are_refused(cli, data: Path, tmp_path: Path):
    run = tmp_path / "run"
    jobs.train_mapped(data, "bprmf", run, {"dim": 8, "epochs": 1})
    code, _, err = cli("unlearn", run, "--modality", "image", "--method", "retrain", "--out", tmp_path / "after")
    assert code == 2
    assert "is a run in chunks, which has no --method and --modality" in err
    code, _, err = cli("audit", run)
    assert (code, "was trained, not unlearned" in err) == (2, True)

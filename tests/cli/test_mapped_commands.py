"""Commands on runs whose data and tables stay on disk."""

from pathlib import Path

import pytest

from mmrecun import jobs
from mmrecun.data import files
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
    found = keys(cli("audit", after, "--json"))
    assert found["sample"] == jobs.evaluate_mapped(after, "valid").users
    assert keys(cli("audit", after, "--sample", "20", "--json"))["sample"] == 20
    code, out, _ = cli("audit", after, columns=80)
    assert (code, "jobs.check_mapped takes it" in out) == (0, True)
    audited = found["residue"]
    assert audited.pop("ids and pairs asked for") is None
    assert set(audited.values()) == {True}
    assert set(jobs.check_mapped(after, {"users": ["u00003"], "items": ["i00004"]})["residue"].values()) == {True}
    stayed = jobs.check_mapped(after, {"users": ["u00005"]})["residue"]
    assert stayed["ids and pairs asked for"] is False
    code, out, _ = cli("unlearn", run, "--user", "u00001", "--out", tmp_path / "third")
    assert (code, "1 user" in out) == (0, True)
    sample = keys(cli("evaluate", run, "--sample", "30", "--json"))
    assert (sample["users"], sample["metrics"]) == (30, jobs.evaluate_mapped(run, users=30).metrics)


def test_rows_that_wait_are_folded_by_command(cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mmrecun.chunked import chunks, lists, patches

    for module in (chunks, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 256)
    monkeypatch.setattr(patches, "DIRECT", 3)
    run, after, folded = (tmp_path / name for name in ("run", "after", "folded"))
    keys(cli("train", data, "--model", "bprmf", "--on-disk", "--out", run, *SETTINGS, "--json"))
    waiting = keys(cli("unlearn", run, "--item", "i00004", "--out", after, "--json"))["waiting"]
    assert waiting > 6
    assert keys(cli("audit", after, "--json"))["residue"]["chunks shared with the run before"] is False
    code, _, err = cli("audit", after)
    assert (code, "mmrecun fold" in err) == (0, True)
    assert keys(cli("fold", after, "--out", folded, "--json"))["folded"] == waiting
    audited = keys(cli("audit", folded, "--json"))
    assert (audited["waiting"], audited["residue"].pop("ids and pairs asked for")) == (0, None)
    assert set(audited["residue"].values()) == {True}
    assert jobs.evaluate_mapped(folded).metrics == jobs.evaluate_mapped(after).metrics
    for words, text in (
        (("fold", data, "--out", tmp_path / "none"), "is not a run in chunks"),
        (("recommend", folded, "--user", "u00001"), "which only evaluate, unlearn, audit and fold take"),
    ):
        code, _, err = cli(*words)
        assert (code, text in err) == (2, True)
    run.rename(tmp_path / "elsewhere")
    code, _, err = cli("audit", folded)
    assert (code, f"the run before, which is no longer at {run}" in err) == (2, True)


def test_unknown_ids_of_a_batch_are_named_or_passed_over(cli, data: Path, tmp_path: Path):
    """In a run in chunks and in parts, as in any other."""
    run, parts = tmp_path / "run", tmp_path / "parts"
    jobs.train_mapped(data, "bprmf", run, {"dim": 8, "epochs": 1, "batch_size": 256})
    jobs.split_mapped(run, parts, 2)
    users, pairs, listed = tmp_path / "users.csv", tmp_path / "pairs.csv", tmp_path / "unknown.csv"
    users.write_text("user\nu00003\nnobody\nnone\n")
    whole = files.load(data)
    known = [
        names.names.gather(rows[:1]).item()
        for names, rows in ((whole.users, whole.train.users), (whole.items, whole.train.items))
    ]
    absent = next(
        name
        for name in whole.items.names
        if not whole.interactions.contains(whole.users.find(known[:1]), whole.items.find([name]), len(whole.items))[0]
    )
    pairs.write_text(f"user,item\n{known[0]},{known[1]}\n{known[0]},{absent}\nnobody,{known[1]}\n")
    for place in (run, parts):
        code, _, err = cli("unlearn", place, "--users", users, "--out", tmp_path / "no")
        assert (code, err) == (2, f"error: {users}, line 3: unknown user ids: nobody, none\n")
        code, _, err = cli("unlearn", place, "--pairs", pairs, "--out", tmp_path / "no")
        assert (code, err.startswith(f"error: {pairs}, line 3: unknown user id: nobody")) == (2, True), err
        given = ("--users", users, "--pairs", pairs, "--ignore-unknown", "--unknown-file", listed, "--json")
        made = keys(cli("unlearn", place, *given, "--out", place.with_name(f"{place.name}-after")))
        assert made["unknown"] == {"users": ["nobody", "none"], "pairs": [[known[0], absent], ["nobody", known[1]]]}
        assert made["forgotten"]["users"] == 1
        assert len(listed.read_text().splitlines()) == 5
    code, _, err = cli("unlearn", run, "--user", "nobody", "--ignore-unknown", "--out", tmp_path / "no")
    assert (code, err.startswith("error: nothing is left to forget; unknown: 1 user, nobody")) == (2, True), err


def test_a_run_in_parts_is_evaluated_unlearned_and_audited_as_the_whole_is(cli, data: Path, tmp_path: Path):
    run, parts = tmp_path / "run", tmp_path / "parts"
    jobs.train_mapped(data, "bprmf", run, {"dim": 8, "epochs": 3, "batch_size": 256})
    jobs.split_mapped(run, parts, 3)
    asked = ("--user", "u00003", "--item", "i00004")
    made, wanted = (
        keys(cli("unlearn", place, *asked, "--out", place.with_name(f"{place.name}2"), "--json"))
        for place in (parts, run)
    )
    for name in ("forgotten", "method", "references", "stop"):
        assert made[name] == wanted[name]
    found, whole = (
        {name: keys(cli(name, tmp_path / f"{of}2", "--json")) for name in ("evaluate", "audit")}
        for of in ("parts", "run")
    )
    assert found["evaluate"]["metrics"] == whole["evaluate"]["metrics"]
    for name in ("residue", "recall@20", "waiting"):
        assert found["audit"][name] == whole["audit"][name]
    assert found["audit"]["written"] > 0
    code, _, err = cli("unlearn", parts, "--user", "u00001", "--method", "retrain", "--out", tmp_path / "third")
    assert (code, "is a run in parts, which has no --method" in err) == (2, True), err
    code, _, err = cli("audit", parts)
    assert (code, "was trained, not unlearned" in err) == (2, True), err
    code, _, err = cli("evaluate", data, "--sample", "9")
    assert (code, "is not a run in chunks" in err) == (2, True), err


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
    model = () if "--model" in words else ("--model", "bprmf")
    code, _, err = cli("train", data, *model, "--out", tmp_path / "run", *words)
    assert (code, text in err) == (2, True), err


def test_requests_that_a_run_in_chunks_cannot_meet_are_refused(cli, data: Path, tmp_path: Path):
    run = tmp_path / "run"
    jobs.train_mapped(data, "bprmf", run, {"dim": 8, "epochs": 1})
    code, _, err = cli("unlearn", run, "--modality", "image", "--method", "retrain", "--out", tmp_path / "after")
    assert code == 2
    assert "is a run in chunks, which has no --method and --modality" in err
    code, _, err = cli("audit", run)
    assert (code, "was trained, not unlearned" in err) == (2, True)

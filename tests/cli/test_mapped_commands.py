"""Commands on runs whose data and tables stay on disk."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmrecun import Dataset, ForgetRequest, jobs
from mmrecun.data import files
from tests.cli.calling import keys

HINT = "--ignore-unknown forgets the others"
SETTINGS = ("--set", "epochs=3", "--set", "batch_size=256", "--set", "dim=8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    assert set(found["residue"].values()) == {True}
    code, out, _ = cli("audit", after, "--require", found["verdict"], columns=400)
    assert (code, "the right ones was not checked" in out, f"report: {after / 'report.html'}" in out) == (0, True, True)
    assert {"not assessed", "failed"} >= {found["verdict"]}
    assert cli("audit", after, "--require", "passed", "--json")[0] == 1
    assert set(jobs.check_mapped(after, {"users": ["u00003"], "items": ["i00004"]})["residue"].values()) == {True}
    stayed = jobs.check_mapped(after, {"users": ["u00005"]})["residue"]
    assert stayed["ids and pairs asked for"] is False
    code, out, _ = cli("unlearn", run, "--user", "u00001", "--out", tmp_path / "third")
    assert (code, "1 user" in out) == (0, True)
    sample = keys(cli("evaluate", run, "--sample", "30", "--json"))
    assert (sample["users"], sample["metrics"]) == (30, jobs.evaluate_mapped(run, users=30).metrics)


def test_lists_differences_and_exports_by_command(cli, data: Path, tmp_path: Path):
    run, after, parts = tmp_path / "run", tmp_path / "after", tmp_path / "parts"
    jobs.train_mapped(data, "bprmf", run, {"dim": 8, "epochs": 1, "batch_size": 256})
    jobs.split_mapped(run, parts, 2)
    keys(cli("unlearn", run, "--user", "u00003", "--out", after, "--json"))
    listed = keys(cli("recommend", run, "--user", "u00001", "-k", 5, "--json"))["items"]
    assert listed == jobs.recommend_mapped(run, "u00001", 5)
    assert keys(cli("recommend", parts, "--user", "u00001", "-k", 5, "--json"))["items"] == listed
    assert listed[0]["item"] in cli("recommend", run, "--user", "u00001")[1]
    found = keys(cli("diff", run, after, "--sample", 30, "--json"))
    assert (found["sample"], found["rows"]["users"]["removed"]) == (30, 1)
    assert keys(cli("diff", parts, after, "--sample", 30, "--json"))["lists"] == found["lists"]
    assert "of 30 drawn users and of those who lost pairs" in cli("diff", run, after, "--sample", 30)[1]
    made = keys(cli("export", run, "--to", "lists", "--out", tmp_path / "lists", "--json"))
    assert made["files"] == ["export.json", "lists.parquet"]
    assert keys(cli("exports", run, "--json"))["stale"] == 1
    assert "1 of 1 export is stale" in cli("exports", after)[1]
    files.save(Dataset.synthetic(users=30, items=20, interactions=300, seed=1), tmp_path / "other")
    jobs.train_mapped(tmp_path / "other", "bprmf", tmp_path / "foreign", {"dim": 8, "epochs": 1})
    for words, text in (
        (("diff", run, data), "is a run in chunks and"),
        (("diff", run, tmp_path / "foreign"), "were trained on different data"),
        (("diff", data, data, "--sample", 5), "--sample is about those alone"),
        (("export", parts, "--to", "lists", "--out", tmp_path / "no"), "is a run in parts, and this takes whole ones"),
        (("exports", parts), "is a run in parts, and this takes whole ones"),
        (("export", run, "--to", "onnx", "--out", tmp_path / "no"), "which is exported to vectors or lists"),
        (("export", run, "--to", "npz", "--out", tmp_path / "no"), "unknown format 'npz'"),
        (("export", run, "--to", "vectors", "-k", 3, "--out", tmp_path / "no"), "a length goes with --to lists"),
        (("plan", run), "name the dataset folder"),
        (("unlearn", run, "--where", "x == 1", "--out", tmp_path / "no"), "select the ids in a table of yours"),
        (("audit", after, "--gold", run), "no Gold can be made of it"),
        (("unlearn", run, "--user", "u00001"), "or ask for the scope alone with --dry-run"),
    ):
        code, _, err = cli(*words)
        assert (code, text in err, err.count("\n")) == (2, True, 1), err
    assert not (tmp_path / "no").exists()


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
    assert (audited["waiting"], set(audited["residue"].values())) == (0, {True})
    assert jobs.evaluate_mapped(folded).metrics == jobs.evaluate_mapped(after).metrics
    for words, text in (
        (("fold", data, "--out", tmp_path / "none"), "is not a run in chunks"),
        (("recommend", folded, "--user", "nobody"), "unknown user id: nobody"),
    ):
        code, _, err = cli(*words)
        assert (code, text in err) == (2, True)
    run.rename(tmp_path / "elsewhere")
    code, _, err = cli("audit", folded)
    assert (code, f"the run before, which is no longer at {run}" in err, "--original" in err) == (2, True, True)
    again = keys(cli("audit", folded, "--original", tmp_path / "elsewhere", "--json"))
    assert (again["checks"], again["parent"]) == (audited["checks"], str(tmp_path / "elsewhere"))


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
        assert (code, err) == (2, f"error: {users}, line 3: unknown user ids: nobody, none; {HINT}\n")
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
    for name in ("residue", "recall@20", "waiting", "checks", "verdict", "users", "retain"):
        assert found["audit"][name] == whole["audit"][name]
    assert found["audit"]["written"] > 0
    code, _, err = cli("unlearn", parts, "--user", "u00001", "--method", "retrain", "--out", tmp_path / "third")
    assert (code, "is a run in parts, which has no --method" in err) == (2, True), err
    code, _, err = cli("audit", parts)
    assert (code, "was trained, not unlearned" in err) == (2, True), err
    code, _, err = cli("evaluate", data, "--sample", "9")
    assert (code, "is not a run in chunks" in err) == (2, True), err


def test_a_request_has_the_scope_and_the_errors_of_an_ordinary_run(cli, data: Path, tmp_path: Path):
    """Asked twice, in part unknown, or before it is carried out."""
    settings = {"dim": 8, "epochs": 1, "batch_size": 256}
    for name, train in (("chunks", jobs.train_mapped), ("ordinary", jobs.train)):
        train(data, "bprmf", tmp_path / name, settings)
    jobs.split_mapped(tmp_path / "chunks", tmp_path / "parts", 2)
    said = {}
    for name in ("chunks", "parts", "ordinary"):
        run, after, no = tmp_path / name, tmp_path / f"{name}2", tmp_path / "no"
        asked = ("--user", "u00003", "--item", "i00004")
        scope = keys(cli("unlearn", run, *asked, "--dry-run", "--json"))
        keys(cli("unlearn", run, *asked, "--out", after, "--json"))
        further = ("--user", "u00003", "--user", "u00005", "--item", "none")
        narrowed = keys(cli("unlearn", after, *further, "--ignore-unknown", "--dry-run", "--json"))
        errors = [cli("unlearn", after, *words, "--out", no) for words in (asked[:2], further, ("--user", "x"))]
        shown = {**scope, "parent": "", "warnings": []}, {**narrowed, "parent": "", "warnings": []}
        for each in shown:
            each["forgotten"] = {**each["forgotten"], "modalities": 0}
            each["references"] = {}
        said[name] = (shown, errors, not no.exists())
    assert said["chunks"] == said["parts"] == said["ordinary"]
    assert said["chunks"][1][0] == (2, "", "error: already forgotten: 1 user, u00003\n")


def test_a_request_to_a_run_in_chunks_loads_no_torch(data: Path, tmp_path: Path):
    """It would take longer to load than the request takes."""
    jobs.train_mapped(data, "bprmf", tmp_path / "run", {"dim": 8, "epochs": 1, "batch_size": 256})
    code = "import sys; sys.modules['torch'] = None; from mmrecun.cli import main; main()"
    words = ["unlearn", tmp_path / "run", "--user", "u00003", "--out", tmp_path / "after"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_hashes_under_a_key_say_whether_the_right_ones_are_out(cli, data: Path, tmp_path: Path):
    from mmrecun.chunked import run as mapped

    key, run, after = tmp_path / "key", tmp_path / "run", tmp_path / "after"
    key.write_text("0123456789abcdef")
    jobs.train_mapped(data, "bprmf", run, {"dim": 8, "epochs": 1, "batch_size": 256})
    whole = files.load(data)
    pair = [
        names.names[int(rows[0])]
        for names, rows in ((whole.users, whole.train.users), (whole.items, whole.train.items))
    ]
    jobs.split_mapped(run, tmp_path / "parts", 2)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"user,item\n{pair[0]},{pair[1]}\n")
    for place, out in ((run, after), (tmp_path / "parts", tmp_path / "parts2")):
        given = ("--user", "u00007", "--pairs", pairs, "--key-file", key)
        keys(cli("unlearn", place, *given, "--out", out, "--json"))
        check = keys(cli("audit", out, "--key-file", key, "--json"))["checks"][0]
        assert check["detail"] == "all that was asked for is out: 1 user and 1 pair"
        assert "the key of the run was not given" in keys(cli("audit", out, "--json"))["checks"][0]["detail"]
    assert pair[0] not in (after / "mapped.json").read_text()
    code, _, err = cli("unlearn", after, "--user", "u00008", "--out", tmp_path / "third")
    assert (code, "keeps hashes of earlier requests, and no key was given" in err) == (0, True)
    (tmp_path / "other").write_text("another key that is long")
    code, _, err = cli("audit", after, "--key-file", tmp_path / "other")
    assert (code, "not the one under which" in err) == (2, True)
    manifest = mapped.read(after).manifest
    record = manifest.requested.with_key(key.read_bytes()).joined(ForgetRequest(users=("u00009",)))
    mapped.write_manifest(after, manifest.model_copy(update={"requested": record}))
    check = keys(cli("audit", after, "--key-file", key, "--json"))["checks"][0]
    assert (check["state"], check["detail"]) == ("failed", "not all that was asked for left: 1 of 2 users")


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

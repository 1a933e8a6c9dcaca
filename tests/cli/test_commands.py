"""The contract of the command line: its keys, and what it takes."""

import json
from pathlib import Path

import pytest

from mmrecun import __version__, jobs, load
from mmrecun.data.interactions import Split
from mmrecun.errors import ConfigError
from mmrecun.models.registry import MODELS
from mmrecun.unlearning.registry import METHODS
from tests.cli.calling import SETTINGS, keys


def test_the_whole_way_by_command(cli, tmp_path: Path):
    data, run, after, gold = (tmp_path / name for name in ("data", "run", "after", "gold"))
    settings = ("--set", "users=80", "--set", "items=50", "--set", "interactions=1200", "--set", "groups=4")
    made = keys(cli("data", "make", "--out", data, *settings, "--json"))
    assert {"dataset", "users", "items", "interactions", "modalities", "warnings"} <= made.keys()
    described = keys(cli("data", "describe", data, "--plot", tmp_path / "facts.png", "--json"))
    assert described["users"] == 80
    assert (tmp_path / "facts.png").stat().st_size > 1000
    planned = keys(cli("plan", data, "--model", "mgcn", "--json"))
    assert {"memory_bytes", "seconds_per_epoch"} <= planned.keys()
    trained = keys(cli("train", data, "--model", "mgcn", "--out", run, *SETTINGS, "--json"))
    assert {"run", "best_epoch", "epochs", "valid", "seconds"} <= trained.keys()
    evaluated = keys(cli("evaluate", run, "--json"))
    assert {"metrics", "users", "seconds"} <= evaluated.keys()
    expected = {
        f"{name}@{k}"
        for name in ("recall", "ndcg", "precision", "map", "hit_rate", "coverage")
        for k in (5, 10, 20, 50)
    }
    assert set(evaluated["metrics"]) == expected
    items = keys(cli("recommend", run, "--user", "u00001", "-k", 3, "--json"))["items"]
    assert [set(entry) for entry in items] == [{"item", "title", "score"}] * 3

    request = ("--where", 'licensor == "Ember House" and year < 2012')
    scope = keys(cli("unlearn", run, *request, "--dry-run", "--json"))
    assert {"parent", "forgotten", "share", "retained", "warnings", "undecided"} <= scope.keys()
    assert scope["retained"]["items"] + scope["forgotten"]["items"] == 50
    forgotten = keys(cli("unlearn", run, *request, "--out", after, "--json"))
    assert {"run", "parent", "method", "forgotten", "seconds", "stop"} <= forgotten.keys()
    assert scope["forgotten"] == forgotten["forgotten"]
    keys(cli("unlearn", run, *request, "--out", gold, "--method", "retrain", "--json"))
    audited = keys(cli("audit", after, "--gold", gold, "--json"))
    assert {"retain", "forget", "membership", "gap", "checks", "verdict", "headline", "compared"} <= audited.keys()
    assert "recall@20" in audited["retain"]
    assert "auc" in audited["membership"]
    code, alone, err = cli("audit", after)
    assert code == 0, err
    assert "no retrained model (Gold) was given" in " ".join(alone.split())
    assert "verdict: " in alone
    assert "Measured, and held:" in alone
    assert "report.html looked at more and stays; this audit is kept beside it" in alone


def test_ids_pairs_and_modalities_come_from_files(cli, run_folder: Path, tmp_path: Path):
    (tmp_path / "users.txt").write_text("u00001\n# a comment\nu00002\n")
    (tmp_path / "items.txt").write_text("item\ni00001\n")
    scope = keys(
        cli("unlearn", run_folder, "--users", tmp_path / "users.txt", "--modality", f"audio:{tmp_path / 'items.txt'}",
            "--item", "i00005", "--dry-run", "--json")
    )  # fmt: skip
    assert scope["forgotten"]["users"] == 2
    assert scope["forgotten"]["items"] == 1
    (tmp_path / "pairs.csv").write_text("user,item\nu00001\n")
    code, _, err = cli("unlearn", run_folder, "--pairs", tmp_path / "pairs.csv", "--dry-run")
    assert code == 2
    assert "pairs.csv, line 2: expected a user and an item, found 1 column" in err


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version") == (0, f"mmrecun {__version__}\n", "")


def test_strangers_in_a_request_are_refused_or_passed_over_aloud(cli, run_folder: Path, tmp_path: Path):
    (tmp_path / "closed.csv").write_text("user_id,reason\nu00001,art17\nnobody,art17\nno one,art17\n")
    call = ("unlearn", run_folder, "--users", tmp_path / "closed.csv")
    code, _, err = cli(*call, "--dry-run")
    reason = "unknown user ids: nobody, no one; --ignore-unknown forgets the others"
    assert (code, err) == (2, f"error: {tmp_path / 'closed.csv'}, line 3: {reason}\n")
    code, _, err = cli(*call, "--dry-run", "--unknown-file", tmp_path / "unknown.csv")
    assert (code, err.endswith("nothing is skipped without --ignore-unknown; add it\n")) == (2, True)
    listed = ("--ignore-unknown", "--unknown-file", tmp_path / "unknown.csv")
    code, out, err = cli(*call, "--dry-run", "--json", *listed)
    assert code == 0
    assert json.loads(out)["unknown"] == {"users": ["nobody", "no one"]}
    assert json.loads(out)["forgotten"]["users"] == 1
    assert err == "warning: passed over, unknown: 2 users, nobody, no one\n"
    assert (tmp_path / "unknown.csv").read_text().splitlines()[1:] == ["user,nobody,,unknown", "user,no one,,unknown"]
    assert cli(*call, "--dry-run", *listed)[0] == 0  # over its own list
    code, _, err = cli(*call, "--dry-run", "--ignore-unknown", "--unknown-file", tmp_path / "closed.csv")
    assert (code, err.endswith("closed.csv: another file stands there; choose another name\n")) == (2, True)
    code, _, err = cli("unlearn", run_folder, "--user", "nobody", "--ignore-unknown", "--dry-run")
    assert (code, err) == (2, "error: nothing is left to forget; unknown: 1 user, nobody\n")


def test_a_dry_run_counts_the_features_that_would_go_and_has_no_row_for_them_otherwise(cli, run_folder: Path):
    name, modality = next(iter(load(run_folder).dataset.modalities.items()))
    said = cli("unlearn", run_folder, "--modality", name, "--dry-run")[1]
    rows = int(modality.present.sum())
    assert f"{rows:,} feature rows would be taken out" in said
    user = load(run_folder).dataset.users.names[0]
    assert "feature" not in cli("unlearn", run_folder, "--user", user, "--dry-run")[1]


def test_held_out_pairs_are_said_to_people_and_programs(cli, run_folder: Path, tmp_path: Path):
    data = load(run_folder).dataset
    pairs = data.interactions.split(Split.TEST)
    pair = data.users.names[int(pairs.users[0])], data.items.names[int(pairs.items[0])]
    (tmp_path / "pairs.csv").write_text(f"uid,iid,val\n{pair[0]},{pair[1]},5\n")
    call = ("unlearn", run_folder, "--pairs", tmp_path / "pairs.csv", "--method", "unlink")
    assert "1 held-out pair would be taken out" in cli(*call, "--dry-run")[1]
    assert "1 held-out pair" in cli(*call, "--out", tmp_path / "a")[1]
    assert keys(cli(*call, "--out", tmp_path / "b", "--json"))["forgotten"]["held_out"] == 1


def test_a_key_file_keeps_hashes_of_a_request(cli, run_folder: Path, tmp_path: Path):
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef\n")
    call = ("unlearn", run_folder, "--user", "u00001", "--method", "unlink", "--key-file", tmp_path / "key", "--json")
    keys(cli(*call, "--out", tmp_path / "a"))
    written = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert len(written["requested"]["users"]) == 1
    assert len(written["request_digest"]) == 32
    code, _, err = cli("unlearn", run_folder, "--user", "u00001", "--dry-run", "--key-file", tmp_path / "no")
    reason = "no key can be read: No such file or directory; name a file that holds it"
    assert (code, err) == (2, f"error: {tmp_path / 'no'}: {reason}\n")


def test_a_wrong_key_is_told_before_the_audit(cli, run_folder: Path, tmp_path: Path, monkeypatch):
    for name in ("key", "other"):
        (tmp_path / name).write_text(f"{name}: 0123456789abcdef\n")
    after = tmp_path / "a"
    call = ("--method", "unlink", "--out", after, "--key-file", tmp_path / "key")
    assert cli("unlearn", run_folder, "--user", "u00001", *call)[0] == 0
    code, _, err = cli("audit", after, "--key-file", tmp_path / "other")
    wrong = f"not the key under which {after} keeps what was asked for"
    reason = f"--key-file {tmp_path / 'other'}: {wrong}; give that one, or none, and only numbers are checked"
    assert (code, err) == (2, f"error: {reason}\n")
    with pytest.raises(ConfigError, match="not the one under which"):
        jobs.audit(after, key=b"other: 0123456789abcdef")
    assert not (after / "audit.json").exists()
    monkeypatch.setenv("MMRECUN_KEY", "other: 0123456789abcdef")
    code, _, err = cli("audit", after)
    assert (code, err.splitlines()[0]) == (
        0,
        f"warning: MMRECUN_KEY: {wrong}, so only the number of what was asked for is checked",
    )
    monkeypatch.setenv("MMRECUN_KEY", "key: 0123456789abcdef")
    assert "not the key" not in cli("audit", after)[2]


def test_hashes_that_a_key_cannot_carry_on_are_named(cli, run_folder: Path, tmp_path: Path):
    for name in ("key", "other"):
        (tmp_path / name).write_text(f"{name}: 0123456789abcdef\n")
    call = ("--method", "unlink", "--out", tmp_path / "a", "--key-file", tmp_path / "key")
    assert cli("unlearn", run_folder, "--user", "u00001", *call)[0] == 0
    again = ("unlearn", tmp_path / "a", "--user", "u00002", "--dry-run")
    assert "and no key was given: the new run keeps none of them" in cli(*again)[2]
    assert "and the key is another one: the new run keeps none" in cli(*again, "--key-file", tmp_path / "other")[2]
    assert cli(*again, "--key-file", tmp_path / "key")[2] == ""


def test_a_shell_can_complete_commands(cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))  # a CI has none above it
    code, out, _ = cli("--show-completion")
    assert code == 0
    assert "_MMRECUN_COMPLETE" in out


def test_a_line_that_would_be_refused_is_completed(cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("_MMRECUN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "mmrecun unlearn run --out a --out b --dry")
    monkeypatch.setenv("COMP_CWORD", "7")
    assert cli()[:2] == (0, "--dry-run\n")


def test_models_and_methods_are_listed(cli):
    models = keys(cli("models", "--json"))["models"]
    assert [model["name"] for model in models] == list(MODELS)
    assert models[0] == {
        "name": "bprmf",
        "summary": "matrix factorisation of IDs",
        "source": "Rendle et al., UAI 2009",
        "package": "mmrecun",
        "error": "",
    }
    methods = {method["name"]: method for method in keys(cli("methods", "--json"))["methods"]}
    assert list(methods) == list(METHODS)
    assert methods["amnesiac"]["forgets"] == ["users", "items", "interactions"]
    code, out, _ = cli("methods")
    assert code == 0
    row = next(line for line in out.splitlines() if line.split()[:1] == ["unlink"])
    assert " all " in row
    assert "WWW 2024" in row
    assert "package" not in out.splitlines()[1]  # the column of packages is for those of others


def test_settings_are_explained_wherever_the_option_stands(cli):
    for words in (("--model", "freedom", "--help-settings"), ("--help-settings", "--model", "freedom")):
        code, out, err = cli("train", *words)
        assert (code, err) == (0, "")
        assert out.splitlines()[0].rstrip() == "model freedom"
        assert any(line.split()[:2] == ["pruning", "0.5"] and "(rho)" in line for line in out.splitlines())
        assert any(line.split()[:2] == ["patience", "20"] for line in out.splitlines())
    for words in (("--json", "--help-settings"), ("--help-settings", "--json", "--method", "mmrecun")):
        told = keys(cli("unlearn", *words))
        assert told["method"] == "mmrecun"
        assert {"of", "name", "default", "range", "meaning"} == set(told["settings"][0])
    assert cli("unlearn", "--method", "unlink", "--help-settings")[1] == "method unlink has no settings\n"

"""The contract of the command line: keys, exit codes, one line for a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mmrecun.cli import main
from tests.conftest import TRAINING

SETTINGS = [part for name, value in TRAINING.items() for part in ("--set", f"{name}={value}")]


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mmrecun", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stopped:
        main()
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: call(capsys, monkeypatch, *arguments)


def keys(answer: tuple[int, str, str]) -> dict:
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)


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
    assert {"retain", "forget", "membership", "gap", "checks", "verdict"} <= audited.keys()
    assert "recall@20" in audited["retain"]
    assert "auc" in audited["membership"]


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
    assert "pairs.csv, line 2: expected a user and an item, found 1 columns" in err


MISTAKES = {
    "no such run": (("evaluate", "nowhere"), "nowhere is not a run folder: no such folder"),
    "no such data": (("train", "nowhere", "--out", "run"), "nowhere is not a dataset folder"),
    "no out": (("unlearn", "nowhere", "--user", "u"), "name the new run with --out"),
    "a setting without value": (("train", "nowhere", "--out", "run", "--set", "layers"), "write it as name=value"),
    "no source": (("data", "import", "nowhere", "--out", "data"), "nowhere: no such file or folder"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(cli, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    arguments, message = MISTAKES[case]
    code, out, err = cli(*arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not out
    assert not list(tmp_path.iterdir())


def test_mistakes_about_a_run_are_one_line_too(cli, run_folder: Path, tmp_path: Path):
    for arguments, message in (
        (("recommend", run_folder, "--user", "nobody"), "unknown user id: nobody"),
        (("audit", run_folder), "was trained, not unlearned"),
        (("unlearn", run_folder, "--modality", "adio", "--dry-run"), "did you mean 'audio'"),
        (("unlearn", run_folder, "--dry-run"), "the request is empty"),
        (("unlearn", run_folder, "--user", "u00001", "--out", run_folder), "already exists"),
    ):
        code, out, err = cli(*arguments, "--json")
        assert (code, out, len(err.strip().splitlines())) == (2, "", 1), err
        assert message in err
    assert not list(tmp_path.iterdir())


def test_the_process_itself_exits_with_2_and_no_traceback():
    program = [sys.executable, "-c", "from mmrecun.cli import main; main()", "evaluate", "nowhere", "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["error: nowhere is not a run folder: no such folder"]

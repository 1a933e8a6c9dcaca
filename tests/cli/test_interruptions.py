"""Interruptions: one line that says how to go on, and exit code 130."""

import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from tests.cli.calling import SETTINGS, keys

train = import_module("mmrecun.cli.train")
unlearn = import_module("mmrecun.cli.unlearn")


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


def test_a_second_ctrl_c_does_not_end_the_clearing_up(cli, run_folder: Path, tmp_path: Path, monkeypatch):
    def removed(place: Path, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)
        rmtree(place, **options)

    rmtree = shutil.rmtree
    for module in ("mmrecun.atomic", "mmrecun.claims"):
        monkeypatch.setattr(f"{module}.shutil.rmtree", removed)
    monkeypatch.setattr("mmrecun.runs.weights_digest", lambda _: signal.raise_signal(signal.SIGINT))
    call = ("unlearn", run_folder, "--user", "u00001", "--method", "unlink", "--out", tmp_path / "after")
    for _ in range(2):
        assert cli(*call) == (130, "", "stopped\n")
        assert not list(tmp_path.iterdir())


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

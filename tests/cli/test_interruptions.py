"""Interruptions: one line that says how to go on, and an exit code that names the signal."""

import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from mmrecun import atomic, jobs
from tests.cli.calling import SETTINGS, keys

bench = import_module("mmrecun.cli.bench")
demo = import_module("mmrecun.cli.demo")
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


RESUMES = "stopped; the same command resumes with the 0 rows made\n"
LONG = {
    "bench": (bench, ("bench", "quick"), RESUMES),
    "tune": (bench, ("bench", "tune", "quick"), RESUMES),
    "demo": (demo, ("demo",), "stopped; remove {out} before you repeat the command\n"),
}


@pytest.mark.parametrize("case", LONG)
def test_what_is_left_of_long_work_is_told(cli, case: str, tmp_path: Path, monkeypatch):
    module, words, message = LONG[case]
    monkeypatch.setattr(module, "progress_bar", interrupting())
    code, out, err = cli(*words, "--out", tmp_path / "out")
    assert (code, out) == (130, "")
    assert err.endswith(message.format(out=tmp_path / "out"))


ENDED = {
    "train": ("train", "data", "--model", "bprmf", "--out", "new", *SETTINGS),
    "train on disk": ("train", "data", "--model", "bprmf", "--out", "new", "--on-disk", *SETTINGS),
    "unlearn": ("unlearn", "run", "--user", "u00001", "--method", "unlink", "--out", "new"),
    "unlearn with seeds": ("unlearn", "run", "--user", "u00001", "--method", "reset", "--seeds", "1,2", "--out", "new"),
    "import": ("data", "import", "events.csv", "--out", "new"),
    "encode": ("data", "encode", "data", "--modality", "sound", "--from", "sounds", "--encoder", "log-mel"),
    "audit": ("audit", "after", "--json"),
    "export": ("export", "run", "--to", "npy", "--out", "new"),
    "bench": ("bench", "quick", "--out", "new"),
}


@pytest.fixture(scope="module")
def workplace(data_folder: Path, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of `ENDED` read."""
    place = tmp_path_factory.mktemp("ended")
    shutil.copytree(data_folder, place / "data")
    shutil.copytree(run_folder, place / "run")
    jobs.unlearn(place / "run", {"users": ["u00001"]}, place / "after", "unlink")
    (place / "sounds").mkdir()
    wavfile.write(place / "sounds" / "i00001.wav", 16_000, np.ones(800, dtype=np.int16))
    pairs = dict.fromkeys(f"u{n % 7},i{n % 5 + n // 35}" for n in range(140))
    (place / "events.csv").write_text("\n".join(["user,item", *pairs]))
    return place


@pytest.mark.parametrize("case", ENDED)
def test_a_command_that_is_ended_before_it_publishes_leaves_what_was_there(
    cli, case: str, workplace: Path, monkeypatch
):
    """By SIGTERM, as a container does, when the first file or folder is written but not in place."""

    @contextmanager
    def ended(target: Path, staging: Path):
        yield
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.chdir(workplace)
    monkeypatch.setattr(atomic, "_naming", ended)
    before = {path: path.stat().st_mtime_ns for path in workplace.rglob("*") if path.is_file()}
    code, out, err = cli(*ENDED[case])
    assert (code, out) == (143, "")
    assert err.splitlines()[-1].startswith("stopped")
    assert {path: path.stat().st_mtime_ns for path in workplace.rglob("*") if path.is_file()} == before
    assert not (workplace / "new").exists()


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


def test_an_interruption_while_modules_are_loaded_within_work_leaves_nothing(tmp_path: Path):
    """The work itself loads modules: it is ended right after them."""
    (tmp_path / "slow.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    code = f"""
import sys, threading
from pathlib import Path
sys.path.insert(0, {str(tmp_path)!r})
sys.dont_write_bytecode = True
from mmrecun.atomic import staged_folder
from mmrecun.claims import claimed
from mmrecun.cli import main
from mmrecun.cli.main import app

def work():
    with claimed(Path("made")), staged_folder(Path("made")) as staging:
        import slow
        (staging / "half").touch()
        threading.Event().wait(60)

app.command("work")(work)
sys.argv[1:] = ["work"]
main()
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "stopped\n")
    assert [path.name for path in tmp_path.iterdir()] == ["slow.py"]

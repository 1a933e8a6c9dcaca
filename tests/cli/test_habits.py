"""Habits of the shell: home directories, signals, modules that are run, help in one letter."""

import io
import os
import re
import signal
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.console import Console

from mmrecun.cli import main, output
from mmrecun.cli.output import bars
from mmrecun.errors import ForgetError
from mmrecun.forget.id_file import read_ids
from tests.cli.calling import SETTINGS, call


def test_the_package_can_be_run_as_a_module_and_asked_for_help_in_one_letter():
    words = [sys.executable, "-m", "mmrecun", "train", "-h"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--seed" in done.stdout


def test_a_tilde_is_the_home_directory_wherever_a_path_is_asked_for(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    (home / "data").symlink_to(data_folder)
    (home / "erase.txt").write_text("u00001\n")
    (home / "dark.txt").write_text("i00001\n")
    for arguments in (
        ("train", "~/data", "--model", "mgcn", "--out=~/run", *SETTINGS),
        ("unlearn", "~/run", "--users=~/erase.txt", "--modality", "image:~/dark.txt", "--out=~/after", "--dry-run"),
    ):
        monkeypatch.setattr(sys, "argv", ["mmrecun", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code, capsys.readouterr().err
    assert (home / "run" / "manifest.json").is_file()
    assert not list(here.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_a_command_finds_nothing_half_made(number: signal.Signals, tmp_path: Path):
    """A staging folder is there when the signal comes, and gone afterwards."""
    code = f"""
import os, signal
signal.signal({int(number)}, signal.SIG_DFL)  # a test run under nohup would ignore it
from pathlib import Path
from mmrecun.cli import main
from mmrecun.cli.main import app
from mmrecun.atomic import staged_folder

def half():
    with staged_folder(Path("made")) as staging:
        (staging / "half").touch()
        assert len(os.listdir()) == 1
        os.kill(os.getpid(), {int(number)})

app.command("half")(half)
import sys
from io import BytesIO, TextIOWrapper
sys.argv[1:] = ["half"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "stopped\n")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_trained(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").touch()
    words = ("train", data_folder, "--model", "bprmf", "--out", tmp_path / "file" / "run", "--set", "epochs=100000")
    code, _, err = call(capsys, monkeypatch, *words)
    assert code == 2
    assert err == f"error: cannot write {tmp_path}/file/run: {tmp_path}/file: Not a directory\n"


def test_a_terminal_of_another_encoding_can_be_used(tmp_path: Path):
    """Ids arrive byte by byte there, and what it cannot show is written as escapes."""
    rows = [f"u{u}é,日{i}" for u in range(8) for i in range(u, u + 5)]
    (tmp_path / "e.csv").write_text("\n".join(["user,item", *rows]), encoding="utf-8")
    commands = (
        "data import e.csv --out data",
        "train data --model bprmf --set epochs=1 --out run",
        "unlearn run --user u3é --dry-run",
        "recommend run --user u1é",
    )
    one_by_one = """
import sys
from io import BytesIO, TextIOWrapper
from mmrecun.cli import main
commands = sys.argv[1:]
for command in commands:
    sys.argv[1:] = command.split()
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, command
"""
    done = subprocess.run(
        [sys.executable, "-c", one_by_one, *commands],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        encoding="ascii",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\\u65e5" in done.stdout


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [(">&-", 0, ""), (">/dev/full", 2, "error: No space left on device\n"), ("| true", 1, ""), ("2>&-", 0, "")],
)
def test_an_output_that_nobody_reads_is_no_traceback(ending: str, code: int, words: str):
    """Closed, on a full disk, or a pipe whose reader is gone."""
    command = f"set -o pipefail; {sys.executable} -m mmrecun models --json {ending}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, words)


def test_a_current_folder_that_was_removed_is_told(tmp_path: Path):
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m mmrecun models"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the current folder was removed; change to another one\n"


def test_names_with_accents_are_found_whatever_the_locale(tmp_path: Path):
    (tmp_path / "é ü.csv").write_text("user,item\n" + "".join(f"ü{n},i{n % 3}\nü{n},i3\nü{n},i4\n" for n in range(9)))
    place = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-m", "mmrecun", "data", "import", "é ü.csv", "--out", "-ö", "--name", "é"]
    done = subprocess.run(words, cwd=tmp_path, env=place, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "-ö" / "dataset.toml").is_file()
    assert b"read into -\\xf6\n" in done.stdout  # what the terminal cannot show is escaped


def test_a_closed_standard_input_is_told(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ForgetError, match="standard input is closed"):
        read_ids(Path("-"), "user")


@pytest.mark.parametrize("columns", [0, 1, 40])
def test_a_terminal_without_columns_gets_a_table_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
):
    code, out, _ = call(capsys, monkeypatch, "models", columns=columns)
    assert code == 0
    assert "lightgcn" in out


def test_bars_are_of_signs_that_the_terminal_has(monkeypatch: pytest.MonkeyPatch):
    for encoding, sign in (("ascii", "#"), ("latin-1", "#"), ("utf-8", "\u2588")):
        written = BytesIO()
        monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding=encoding, write_through=True))
        bars([("1", 2), ("2", 1)], "how many", width=4)
        assert f"{sign * 4}  2" in written.getvalue().decode(encoding)


def test_on_a_narrow_terminal_a_bar_keeps_its_figures_on_one_line(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setattr(output, "stderr", Console(file=screen, force_terminal=True, width=80, color_system=None))
    with output.progress_bar("forgetting with retrain") as report:
        report(81, 1000, "loss 0.7401  best valid 0.3138 @ 76")
    lines = [re.sub(r"\x1b\[[0-9?;]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", screen.getvalue())]
    shown = next(line for line in reversed(lines) if "81/1000" in line)
    assert re.search(r"81/1000 \d:\d\d:\d\d loss 0\.7401 .*…$", shown.rstrip())
    assert len(shown) <= 80


def test_a_title_is_broken_between_words_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch):
    title = "26.6% of the training pairs and 503 held-out pairs would be taken out of original; nothing was changed"
    for terminal in (True, False):
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=terminal, width=80, color_system=None)
        monkeypatch.setattr(output, "Console", lambda console=console: console)
        output.rows_table([{"users": 1}], title)
        assert screen.getvalue().startswith(title) is not terminal
        assert " ".join(screen.getvalue().split()).startswith(title)

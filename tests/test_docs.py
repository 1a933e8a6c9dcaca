"""The documents: commands that exist, examples that run, links that lead somewhere."""

import re
import shlex
from functools import partial
from pathlib import Path

import pytest
from typer.main import get_command

from mmrecun import jobs
from mmrecun.cli.main import app
from mmrecun.cli.reference import page
from mmrecun.data import files
from mmrecun.data.synthetic import SyntheticConfig, make
from mmrecun.rng import Seed
from tests.conftest import TRAINING

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [words[1:] for line in lines if (words := shlex.split(line, comments=True)) and words[0] == "mmrecun"]


def leaves(command):
    inner = getattr(command, "commands", None)
    return [command] if inner is None else [leaf for child in inner.values() for leaf in leaves(child)]


def test_the_page_of_commands_is_what_the_program_says():
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == page(), "make it again: python -m mmrecun.cli.reference > docs/cli.md"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_shown_is_understood(path: Path):
    group = get_command(app)
    called: list[dict] = []
    for leaf in leaves(group):
        leaf.callback = lambda **values: called.append(values)
    shown = commands(path)
    for words in shown:
        group.main(words, prog_name="mmrecun", standalone_mode=False)
    assert len(called) == len(shown)


def test_commands_are_shown_at_all():
    assert len(commands(ROOT / "README.md")) > 5
    assert len(commands(ROOT / "docs" / "how-to.md")) > 10


def test_the_example_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (example,) = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(tmp_path)
    files.save(
        make(SyntheticConfig(users=180, items=210, interactions=4500, groups=4, width=4), Seed(0))[0], Path("data")
    )
    monkeypatch.setattr(jobs, "train", partial(jobs.train, settings={**TRAINING, "epochs": 2}))
    exec(compile(example, "README.md", "exec"), {})
    recall, alone, verdict = capsys.readouterr().out.splitlines()
    assert 0 <= float(recall) <= 1
    assert all(found.startswith(("passed", "failed", "removed")) for found in (alone, verdict))
    assert (tmp_path / "runs" / "forgotten" / "report.html").is_file()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target

"""The documents: commands that exist, examples that run, links that lead somewhere."""

import re
import shlex
from functools import partial
from pathlib import Path

import pytest
from typer.main import get_command

from mmrecun import jobs
from mmrecun.cli.docs_tables import filled
from mmrecun.cli.main import app
from mmrecun.cli.reference import page, write
from mmrecun.unlearning.registry import METHODS, method_class

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [words[1:] for line in lines if (words := shlex.split(line, comments=True)) and words[0] == "mmrecun"]


def leaves(command):
    inner = getattr(command, "commands", None)
    return [command] if inner is None else [leaf for child in inner.values() for leaf in leaves(child)]


AGAIN = "make it again: python -m mmrecun.cli.reference docs"


def test_the_page_of_commands_is_what_the_program_says():
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == page(), AGAIN


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_tables_of_settings_are_what_the_program_says(path: Path):
    written = path.read_text(encoding="utf-8")
    assert filled(written) == written, AGAIN


def test_every_method_has_its_table():
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    with_settings = [name for name in METHODS if method_class(name).Config.model_fields]
    assert re.findall(r"<!-- settings of method (\S+) -->", text) == with_settings
    assert text.count("<!-- methods -->") == 1


def test_tables_are_made_anew_between_their_comments(tmp_path: Path):
    (tmp_path / "a.md").write_text("before\n\n<!-- settings of model bprmf -->\nold\n<!-- end -->\nafter\n")
    write(tmp_path)
    made = (tmp_path / "a.md").read_text().splitlines()
    assert (made[0], made[-1]) == ("before", "after")
    assert made[3:6] == [
        "| setting | default | range | meaning |",
        "| --- | --- | --- | --- |",
        "| `l2` | 0.01 | number >= 0 | L2 regularisation of the batch's vectors |",
    ]
    assert (tmp_path / "cli.md").read_text() == page()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_shown_is_understood(path: Path):
    group = get_command(app)
    called: list[dict] = []
    for leaf in leaves(group):
        leaf.callback = lambda **values: called.append(values)
    shown = commands(path)
    for words in shown:
        group.main(words, prog_name="mmrecun", standalone_mode=False)
    assert len(called) == sum("--help-settings" not in words for words in shown)  # which prints, and stops before


def test_commands_are_shown_at_all():
    assert len(commands(ROOT / "README.md")) > 5
    assert len(commands(ROOT / "docs" / "how-to.md")) > 10


EXAMPLES = {
    path.name: block for path in (ROOT / "README.md", ROOT / "docs" / "how-to.md") for block in blocks(path, "python")
}


@pytest.fixture
def printed(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> str:
    """What an example prints in an empty folder; only the number of epochs is smaller than when a reader runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "train", partial(jobs.train, settings={"epochs": 2}))
    exec(compile(EXAMPLES[request.param], request.param, "exec"), {})
    return capsys.readouterr().out


@pytest.mark.parametrize("printed", ["README.md"], indirect=True)
def test_the_first_example_runs_from_nothing(printed: str, tmp_path: Path):
    recall, alone, beside = re.split(r"\n(?=Audit of)", printed)
    assert 0 <= float(recall) <= 1
    assert "against Gold: not assessed" in alone
    assert "gold: retained utility" in beside
    assert all("forgotten: 30 users" in report for report in (alone, beside))
    assert (tmp_path / "runs" / "forgotten" / "report.html").is_file()


@pytest.mark.parametrize("printed", ["how-to.md"], indirect=True)
def test_the_example_with_frames_runs_from_nothing(printed: str, tmp_path: Path):
    assert printed.startswith("Dataset 'shop'\n  users: 50\n  items: 40\n")
    assert (tmp_path / "runs" / "shop" / "dataset" / "dataset.toml").is_file()


def test_every_example_in_python_is_run():
    elsewhere = ("CONTRIBUTING.md", "your-model.md")  # run by tests of their own
    shown = {path.name: len(blocks(path, "python")) for path in PAGES if path.name not in elsewhere}
    assert sum(shown.values()) == len(EXAMPLES)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target

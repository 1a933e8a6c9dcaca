"""The documents: commands that exist, examples that run, links that lead somewhere."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from mmrecun.cli.docs_tables import filled
from mmrecun.cli.main import app
from mmrecun.cli.reference import page, write
from mmrecun.unlearning.registry import METHODS, method_class
from tests.docs.blocks import PAGES, ROOT, blocks, commands, name_of


def shown(path: Path) -> list[list[str]]:
    """The commands of a page that are ours."""
    return [words[1:] for block in blocks(path, "sh") for words in commands(block) if words[0] == "mmrecun"]


def leaves(command):
    inner = getattr(command, "commands", None)
    return [command] if inner is None else [leaf for child in inner.values() for leaf in leaves(child)]


AGAIN = "make it again: python -m mmrecun.cli.reference docs"


def test_the_page_of_commands_is_what_the_program_says():
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == page(), AGAIN


@pytest.mark.parametrize("path", PAGES, ids=name_of)
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


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_command_shown_is_understood(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(METHODS, "shrink", METHODS["unlink"])  # the reader's own, in how-to/new-method.md
    group = get_command(app)
    called: list[dict] = []
    for leaf in leaves(group):
        leaf.callback = lambda **values: called.append(values)
    named = shown(path)
    for words in named:
        group.main(words, prog_name="mmrecun", standalone_mode=False)
    assert len(called) == sum("--help-settings" not in words for words in named)  # which prints, and stops before


def test_commands_are_shown_at_all():
    assert len(shown(ROOT / "README.md")) > 5
    assert len(shown(ROOT / "docs" / "how-to" / "data.md")) > 10


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_help_keeps_its_words_in_brackets():
    """A terminal's help takes "[raw]" for a style, and leaves it out."""
    cells = [line for line in page().splitlines() if line.startswith("| `--")]
    assert not [line for line in cells if re.search(r" \w+\[[a-z]+\]", line)]

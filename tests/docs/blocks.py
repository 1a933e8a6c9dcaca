"""Blocks of code in a Markdown page, and what their page says about running them.

`<!-- not run: REASON -->` on the line before a block keeps it from being run, `<!-- run where NAME is installed -->`
runs it where that package is there.
"""

import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_MEASURED = "a measurement on data that are not here; it takes minutes to hours"
_CLUSTER = "needs a cluster; tests/scale runs these commands where Ray is installed"
_THEIRS = "needs the other library and a model of it; tests/adapters/test_real_libraries.py has both"
_BENCH = "takes minutes; tests/bench runs benches"
# Pages whose blocks are not run: a part of the block, and why. Other pages say it in a comment.
_REASONS: dict[str, dict[str, str]] = {
    "docs/bench.md": {"mmrecun bench": _BENCH},
    "docs/encode.md": {"encode data": "needs the extras; tests/encoders runs them", "demo --raw": "needs the extras"},
    "docs/results.md": {"": _MEASURED},
    "docs/scale.md": {
        "ray": _CLUSTER,
        "docker": _CLUSTER,
        "--on-disk": "tests/cli/test_mapped_commands.py runs the same",
        "--workers": "tests/jobs runs the same",
        "mmrecun fold": "tests/cli/test_mapped_commands.py runs the same",
        "train_mapped": "tests/jobs/test_train_mapped.py and test_mapped.py run the same",
    },
    "docs/speed.md": {"": _MEASURED},
    "docs/trials.md": {"": _MEASURED},
    "docs/choices.md": {"": _MEASURED},
    "docs/your-model.md": {
        "field2id_token": _THEIRS,
        "torch.save(model": _THEIRS,
        "MGCN.pth": _THEIRS,
        "cornac": _THEIRS,
        "module_of": "how-to/two-tower.md runs the same",
    },
    "CONTRIBUTING.md": {"make check": "makes this environment and runs these tests"},
}
_PACKAGES = {"docs/export.md": "faiss"}
_BLOCK = re.compile(
    r"^(?:<!-- (?:not run: (?P<reason>[^\n]+)|run where (?P<package>\w+) is installed) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: its page.
        line: of the page, at which it begins.
        language: as the page names it.
        text: the code.
        skip: why it is not run, or "".
    """

    page: Path
    line: int
    language: str
    text: str
    skip: str

    @property
    def name(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page, text.count("\n", 0, found.start("language")) + 1, found["language"], found["text"], _skip(page, found)
        )
        for found in _BLOCK.finditer(text)
    ]


def _skip(page: Path, found: re.Match) -> str:
    package = found["package"] or _PACKAGES.get(name_of(page))
    if package and find_spec(package) is None:
        return f"{package} is not installed"
    known = _REASONS.get(name_of(page), {}) if found["language"] != "toml" else {}
    return found["reason"] or next((why for part, why in known.items() if part in found["text"]), "")


def blocks(page: Path, language: str) -> list[str]:
    return [block.text for block in blocks_of(page) if block.language == language]


def commands(text: str) -> list[list[str]]:
    """The words of every command in a block of shell."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]

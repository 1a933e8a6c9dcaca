"""What is declared, pinned and cited agrees."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mmrecun

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEEDED = {*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["docs"], *EXTRAS["notebooks"]}
NEEDS = [
    need
    for need in (*PROJECT["dependencies"], *(need for needs in EXTRAS.values() for need in needs))
    if not need.startswith("mmrecun[")  # an extra made of other extras
]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
PINNED = {canonicalize_name(name): version for name, version in PINS.items()}


@pytest.mark.parametrize("needed", NEEDS)
def test_every_dependency_is_pinned_within_its_bounds(needed: str):
    requirement = Requirement(needed)
    if canonicalize_name(requirement.name) not in PINNED and needed not in NEEDED:
        pytest.skip("an extra that is not installed for the tests")
    assert requirement.specifier.contains(PINNED[canonicalize_name(requirement.name)])


def test_every_pin_is_one_version():
    assert len(PINNED) == len(PINS)
    assert all(re.fullmatch(r"[\w.]+", version) for version in PINS.values())


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {mmrecun.__version__}\n" in text
    assert PROJECT["license"] in text


def test_the_changelog_knows_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = text.split("\n## ")[1]
    assert first.startswith(mmrecun.__version__)
    headings = re.findall(r"^### (.*)$", text, flags=re.MULTILINE)
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

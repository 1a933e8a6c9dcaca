"""docs/models.md names every model, and every setting with its default."""

import re
from pathlib import Path

import pytest

from mmrecun.models.base import ModelConfig
from mmrecun.models.registry import MODELS, model_class

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def section(name: str) -> str:
    return re.split(r"^## ", PAGE.read_text(encoding="utf-8").split(f"\n## {name}\n")[1], flags=re.MULTILINE)[0]


def test_every_model_has_a_section_and_a_row():
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, flags=re.MULTILINE) == list(MODELS)
    assert re.findall(r"^\| `(\w+)` \|", text.split("\n## ")[0], flags=re.MULTILINE) == list(MODELS)


def test_every_row_names_the_source_of_its_model():
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {name: source for name, source in rows if name in MODELS} == {
        name: model_class(name).source for name in MODELS
    }


@pytest.mark.parametrize("name", list(MODELS))
def test_every_setting_is_there_with_its_default(name: str):
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", section(name), flags=re.MULTILINE)
    own = model_class(name).Config.model_fields.keys() - ModelConfig.model_fields.keys()
    defaults = model_class(name).Config().model_dump()
    assert dict(rows) == {setting: str(defaults[setting]) for setting in own}

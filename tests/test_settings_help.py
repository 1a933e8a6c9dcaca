"""Settings describe themselves, and the program and the pages say what they say."""

from collections.abc import Mapping
from enum import StrEnum

import pytest
from pydantic import Field, NonNegativeFloat, PositiveInt

from mmrecun.data.synthetic import SyntheticConfig
from mmrecun.models.registry import MODELS, model_class
from mmrecun.settings import Settings
from mmrecun.settings_help import SettingHelp, own_settings, settings_help
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.registry import METHODS, method_class

ALL = {
    "training": TrainConfig,
    "synthetic": SyntheticConfig,
    **{f"model {name}": model_class(name).Config for name in MODELS},
    **{f"method {name}": method_class(name).Config for name in METHODS},
}


class Form(StrEnum):
    A = "plain"
    B = "turned"


class Shared(Settings):
    dim: PositiveInt = Field(default=4, description="width")
    epochs: PositiveInt = Field(default=3, description="passes")


class Example(Shared):
    epochs: PositiveInt = Field(default=5, description="passes")
    rate: float = Field(default=1e-5, gt=0, le=1, description="speed")
    form: Form = Form.B
    parts: Mapping[str, NonNegativeFloat] = {}
    names: tuple[str, ...] = ("a",)
    label: str | None = None
    again: bool = False
    need: int


@pytest.mark.parametrize("name", ALL)
def test_every_setting_of_every_model_and_method_is_described(name: str):
    for setting in settings_help(ALL[name]):
        assert len(setting.meaning) > 10, setting
        assert not setting.meaning.endswith("."), setting
        assert "any" not in setting.range.split(), setting
        assert not {"|", "\n"} & set("".join(vars(setting).values())), setting


def test_a_setting_tells_default_range_and_meaning():
    assert settings_help(Example) == [
        SettingHelp("dim", "4", "integer > 0", "width"),
        SettingHelp("epochs", "5", "integer > 0", "passes"),
        SettingHelp("rate", "1e-05", "0 < number <= 1", "speed"),
        SettingHelp("form", "turned", "plain or turned", ""),
        SettingHelp("parts", "{}", "table of number >= 0", ""),
        SettingHelp("names", '["a"]', "list of text", ""),
        SettingHelp("label", "none", "text", ""),
        SettingHelp("again", "false", "true or false", ""),
        SettingHelp("need", "required", "integer", ""),
    ]
    assert own_settings(Example, Shared) == settings_help(Example)[1:]


@pytest.mark.parametrize("name", ALL)
def test_a_range_is_the_one_that_is_checked(name: str):
    """Just inside each bound is taken; the bound beyond it is refused."""
    cls = ALL[name]
    for setting in settings_help(cls):
        kind, sign, bound = [*setting.range.split(), "", ""][:3]
        if kind not in {"integer", "number"} or sign not in {">", ">="}:
            continue
        inside = float(bound) if sign == ">=" else float(bound) + 1
        value = {setting.name: int(inside) if kind == "integer" else inside}
        assert getattr(cls.of(value), setting.name) == inside
        with pytest.raises(Exception, match=setting.name):
            cls.of({setting.name: float(bound) - (1 if sign == ">=" else 0)})

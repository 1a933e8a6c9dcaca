"""Settings: strict, frozen, and helpful about mistakes."""

import re
from collections.abc import Mapping
from typing import ClassVar

import pytest
from pydantic import PositiveInt, ValidationError

from mmrecun.cli.assignments import parse_assignments
from mmrecun.errors import ConfigError
from mmrecun.models.registry import MODELS, model_class
from mmrecun.settings import Hyperparameters, Settings, load_toml, split_settings
from mmrecun.text import unknown_name
from mmrecun.training.fit import TrainConfig
from mmrecun.unlearning.registry import METHODS, method_class


class Example(Settings):
    layers: PositiveInt = 2
    weight: float = 0.5


def test_defaults_and_values():
    assert Example.of({"layers": 3}) == Example(layers=3, weight=0.5)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Example().layers = 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layer": 3}, "^here: unknown setting 'layer'; did you mean 'layers'"),
        ({"zzz": 3}, "^here: unknown setting 'zzz'; known: layers, weight$"),
        ({"layers": "many"}, "^here: layers = 'many': "),
        ({"layers": 0}, "^here: layers = 0: input should be greater than 0$"),
        ({"weight": float("nan")}, "^here: weight = nan: "),
        ({"weight": float("inf")}, "^here: weight = inf: "),
    ],
)
def test_a_mistake_is_told_in_one_line(values, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Example.of(values, where="here")
    assert "\n" not in str(caught.value)


def test_an_unknown_name_far_from_all_gets_no_hint():
    assert unknown_name("model", "q", ["b", "a"]) == "unknown model 'q'; known: a, b"


def test_assignments_are_read_as_toml_and_bare_words_as_text():
    parsed = parse_assignments(["a=1", "b = 0.5", "c=true", "d=word", 'e="1"', "f=[1, 2]", "g=x=y", "h="])
    assert parsed == {"a": 1, "b": 0.5, "c": True, "d": "word", "e": "1", "f": [1, 2], "g": "x=y", "h": ""}


@pytest.mark.parametrize("assignment", ["layers", "=3", " =3"])
def test_an_assignment_needs_a_name_and_an_equals_sign(assignment):
    with pytest.raises(ConfigError, match="name=value"):
        parse_assignments([assignment])


def test_toml_files(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("layers = 3\n", encoding="utf-8")
    assert load_toml(path) == {"layers": 3}
    path.write_text("layers = \n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"not valid TOML: .*line 1"):
        load_toml(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_toml(path)
    with pytest.raises(ConfigError, match="no such file"):
        load_toml(tmp_path / "b.toml")


class Later(Settings):
    """A setting that had another name."""

    renamed: ClassVar[Mapping[str, str]] = {"pull": "stay_weight"}
    stay_weight: float = 0.0


def test_an_earlier_name_of_a_setting_is_read():
    assert Later.of({"pull": 0.5}) == Later.of({"stay_weight": 0.5}) == Later(stay_weight=0.5)
    assert Later.of({"pull": 0.5}).model_dump() == {"stay_weight": 0.5}
    assert split_settings(Later, Settings, {"pull": 0.5})[0].stay_weight == 0.5


def test_both_names_of_a_setting_at_once_are_refused():
    message = "^method: 'pull' is the earlier name of 'stay_weight', and both are given; keep 'stay_weight'$"
    for values in ({"pull": 0.5, "stay_weight": 0.5}, {"stay_weight": 0.5, "pull": 0.5}):
        with pytest.raises(ConfigError, match=message):
            Later.of(values, "method")
        with pytest.raises(ConfigError, match="both are given"):
            split_settings(Later, Example, values)


class Tuned(Hyperparameters):
    rate: float = 0.1
    steps: PositiveInt = 3


def test_a_whole_number_that_fits_no_machine_is_refused():
    with pytest.raises(ConfigError, match=r"^settings: steps = 1000000000000001: should not be beyond"):
        Tuned.of({"steps": 10**15 + 1})
    assert TrainConfig.of({"patience": 10**15}).patience == 10**15


@pytest.mark.parametrize("value", [1e30, -1e7, 1.1e6])
def test_figures_beyond_any_use_are_refused_by_name(value: float):
    with pytest.raises(
        ConfigError, match=rf"^settings: rate = {re.escape(f'{value:g}')}: should not be beyond 1,000,000$"
    ):
        Tuned.of({"rate": value})
    assert Tuned.of({"rate": -1e6, "steps": 10**9}).steps == 10**9


@pytest.mark.parametrize("name", ["rate", "steps"])
def test_true_is_no_number(name: str):
    with pytest.raises(ConfigError, match=f"^settings: {name} = True: should be a number$"):
        Tuned.of({name: True})


def test_every_model_and_method_has_its_bounds():
    kinds = [model_class(name).Config for name in MODELS] + [method_class(name).Config for name in METHODS]
    assert all(issubclass(kind, Hyperparameters) for kind in [*kinds, TrainConfig])

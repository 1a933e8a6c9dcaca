"""The tables of settings and methods in the pages of `docs`, between two comments that name their content.

`<!-- settings of model mgcn -->` begins such a table, and `<!-- end -->` ends it.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmrecun.settings_help import SettingHelp, own_settings, settings_help

if TYPE_CHECKING:
    from mmrecun.settings import Settings

_BLOCK = re.compile(r"(<!-- (?P<what>methods|settings of [^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_INITIALS = {"users": "U", "items": "I", "interactions": "P", "modalities": "M"}


def filled(text: str) -> str:
    """Return a page with every table between comments made anew."""
    return _BLOCK.sub(lambda block: f"{block[1]}{_table(block['what'])}\n{block[3]}", text)


def settings_table(settings: Sequence[SettingHelp]) -> str:
    """Return a Markdown table of settings."""
    rows = [f"| `{one.name}` | {one.default} | {one.range} | {one.meaning} |" for one in settings]
    return "\n".join(["| setting | default | range | meaning |", "| --- | --- | --- | --- |", *rows])


def methods_table() -> str:
    """Return a Markdown table of the methods of this package; targets are named by their initials."""
    from mmrecun.jobs import list_methods

    rows = [
        f"| `{one.name}` | {' '.join(_INITIALS[target] for target in one.forgets)} | {one.summary} | {one.source} |"
        for one in list_methods()
        if one.package == "mmrecun"
    ]
    return "\n".join(["| name | forgets | in one line | source |", "| --- | --- | --- | --- |", *rows])


def _table(what: str) -> str:
    if what == "methods":
        return methods_table()
    kind, _, name = what.removeprefix("settings of ").partition(" ")
    return settings_table(_settings(kind, name))


def _settings(kind: str, name: str) -> list[SettingHelp]:
    """Return the settings that a model or method has of its own, or those of a group such as "every model"."""
    from mmrecun.data.synthetic import SyntheticConfig
    from mmrecun.models.base import ModelConfig
    from mmrecun.models.registry import model_class
    from mmrecun.training.fit import TrainConfig
    from mmrecun.unlearning.base import UnlearnConfig
    from mmrecun.unlearning.gradient.base import GradientConfig, PassConfig
    from mmrecun.unlearning.registry import method_class

    if kind == "model":
        return own_settings(model_class(name).Config, ModelConfig)
    if kind == "method":
        own = method_class(name).Config
        shared = next(base for base in (GradientConfig, PassConfig, UnlearnConfig) if issubclass(own, base))
        return own_settings(own, shared)
    whole: dict[str, type[Settings]] = {
        "training": TrainConfig,
        "every model": ModelConfig,
        "every gradient method": GradientConfig,
        "synthetic data": SyntheticConfig,
    }
    return settings_help(whole[f"{kind} {name}".strip()])

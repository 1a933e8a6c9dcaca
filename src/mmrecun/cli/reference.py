"""Every command, option and setting as one Markdown page: `python -m mmrecun.cli.reference > docs/cli.md`."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from mmrecun.cli.main import app
from mmrecun.settings import Settings

_TOP = """# Commands

Made from the program itself by `python -m mmrecun.cli.reference`; `mmrecun COMMAND --help` says the same.
"""


def page() -> str:
    """Return the page: commands as in `mmrecun --help`, then what `--set` takes."""
    commands = (_section(name, command) for name, command in _commands("mmrecun", get_command(app)))
    return "\n".join([_TOP, *commands, _settings()])


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, child in inner.items():
        unnamed = name == getattr(command, "default", None)
        yield from _commands(path if unnamed else f"{path} {name}", child)


def _section(path: str, command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    needed = [f"{option.opts[0]} {_value(option)}" for option in options if option.required]
    usage = " ".join([path, *(argument.metavar for argument in arguments), *needed])
    lines = [f"## {usage}", "", command.help, "", "| | | default |", "| --- | --- | --- |"]
    lines += [f"| `{argument.metavar}` | {_cell(argument.help)} | required |" for argument in arguments]
    lines += [f"| `{_names(option)}` | {_cell(option.help)} | {_default(option)} |" for option in options]
    return "\n".join([*lines, ""])


def _settings() -> str:
    from mmrecun.data.synthetic import SyntheticConfig
    from mmrecun.models.registry import MODELS
    from mmrecun.training.fit import TrainConfig
    from mmrecun.unlearning.registry import METHODS

    parts: dict[str, type[Settings]] = {"training": TrainConfig}
    parts |= {f"model {name}": model.Config for name, model in MODELS.items()}
    parts |= {f"method {name}": method.Config for name, method in METHODS.items()}
    parts |= {"data make": SyntheticConfig}
    lines = [f"| {part} | {_defaults(config)} |" for part, config in parts.items()]
    top = "`train` takes those of the training and of the model, `unlearn` those of the method."
    return "\n".join(
        ["## Settings (`--set NAME=VALUE`)", "", top, "", "| of | name and default |", "| --- | --- |", *lines, ""]
    )


def _defaults(config: type[Settings]) -> str:
    fields = config.model_fields.items()
    return ", ".join(f"`{name}` {_shown(field.get_default(call_default_factory=True))}" for name, field in fields)


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f"`{json.dumps(value)}`"
    return "none" if value is None else str(value)


def _names(option: Any) -> str:
    return f"{', '.join(option.opts)} {'' if option.is_flag else _value(option)}".strip()


def _value(option: Any) -> str:
    return str(option.metavar or option.opts[-1].strip("-").upper())


def _default(option: Any) -> str:
    if option.required:
        return "required"
    return "" if option.is_flag or option.default in (None, [], ()) else f"`{option.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())

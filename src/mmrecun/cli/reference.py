"""Every command, option and setting as Markdown.

`python -m mmrecun.cli.reference docs` makes docs/cli.md and the tables in the other pages anew; without a folder the
page of commands is printed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from mmrecun.cli.docs_tables import filled, settings_table
from mmrecun.cli.main import app
from mmrecun.settings import Settings
from mmrecun.settings_help import settings_help

_TOP = """# Commands

Made from the program itself by `python -m mmrecun.cli.reference docs`; `mmrecun COMMAND --help` says the same.
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
    from mmrecun.models.registry import MODELS, model_class
    from mmrecun.training.fit import TrainConfig
    from mmrecun.unlearning.registry import METHODS, method_class

    parts: dict[str, type[Settings]] = {"training": TrainConfig}
    parts |= {f"model {name}": model_class(name).Config for name in MODELS}
    parts |= {f"method {name}": method_class(name).Config for name in METHODS}
    parts |= {"data make": SyntheticConfig}
    tables = [f"### {part}\n\n{_described(config)}\n" for part, config in parts.items()]
    top = "`train` takes those of the training and of the model, `unlearn` those of the method."
    return "\n".join(["## Settings (`--set NAME=VALUE`)", "", top, "", *tables])


def _described(config: type[Settings]) -> str:
    settings = settings_help(config)
    return settings_table(settings) if settings else "No settings."


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


def write(folder: Path) -> None:
    """Make cli.md in `folder` anew, and the tables in the pages beside it."""
    (folder / "cli.md").write_text(page(), encoding="utf-8")
    for path in sorted(folder.rglob("*.md")):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        sys.stdout.write(page())

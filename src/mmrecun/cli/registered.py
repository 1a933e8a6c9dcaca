"""`mmrecun models` and `mmrecun methods`, and the tables of `--help-settings`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from mmrecun.cli.output import JsonFlag, print_json, print_line, rows_table, warn

if TYPE_CHECKING:
    from mmrecun.jobs import Registered
    from mmrecun.settings_help import SettingHelp


def models(as_json: JsonFlag = False) -> None:
    """List the models that `--model` takes: what each is, and its paper."""
    from mmrecun.jobs import list_models

    found = list_models()
    if as_json:
        print_json({"models": [vars(one) for one in found]})
        return
    _show(found, [{} for _ in found], "models; their settings: mmrecun train --model NAME --help-settings")


def methods(as_json: JsonFlag = False) -> None:
    """List the methods that `unlearn --method` takes: what each does, what it can forget, and its paper."""
    from mmrecun.jobs import list_methods

    found = list_methods()
    if as_json:
        print_json({"methods": [vars(one) for one in found]})
        return
    forgets = [{"forgets": "all" if len(one.forgets) == 4 else ", ".join(one.forgets)} for one in found]
    _show(found, forgets, "methods; their settings: mmrecun unlearn --method NAME --help-settings")


def _show(found: Sequence["Registered"], further: Sequence[Mapping[str, str]], title: str) -> None:
    foreign = any(one.package != "mmrecun" for one in found)
    rows = [
        {"name": one.name, "": one.summary, **more, "source": one.source, "package": one.package if foreign else None}
        for one, more in zip(found, further, strict=True)
        if not one.error
    ]
    rows_table(rows, title)
    for one in found:
        if one.error:
            warn(one.error)


def settings_of_model(context: typer.Context, asked: bool) -> None:
    """Print the settings of the model that `--model` names, and stop."""
    if asked:
        from mmrecun.jobs import model_settings

        _explain(context, "model", model_settings)


def settings_of_method(context: typer.Context, asked: bool) -> None:
    """Print the settings of the method that `--method` names, and stop."""
    if asked:
        from mmrecun.jobs import method_settings

        _explain(context, "method", method_settings)


def _explain(
    context: typer.Context, kind: str, settings: Callable[[str], Mapping[str, Sequence["SettingHelp"]]]
) -> None:
    name = context.params[kind]
    parts = settings(name)
    if context.params["as_json"]:
        rows = [{"of": part, **vars(setting)} for part, listed in parts.items() for setting in listed]
        print_json({kind: name, "settings": rows})
        raise typer.Exit
    for part, listed in parts.items():
        title = f"{part} {name}" if part == kind else part
        if listed:
            rows_table([vars(setting) for setting in listed], title)
        else:
            print_line(f"{title} has no settings")
    raise typer.Exit

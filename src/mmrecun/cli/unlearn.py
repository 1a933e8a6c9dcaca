"""`mmrecun unlearn`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmrecun.cli.options import Device, RunFolder, SeedOption, Set
from mmrecun.cli.output import JsonFlag, counted, duration, emit, errors, facts_table, progress_bar, rows_table, say
from mmrecun.errors import ConfigError
from mmrecun.settings import parse_assignments


def unlearn(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the new run; it must not exist yet.")] = None,
    users: Annotated[Path | None, typer.Option("--users", metavar="F", help="File with one user id a line.")] = None,
    items: Annotated[Path | None, typer.Option("--items", metavar="F", help="File with one item id a line.")] = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="F", help="File with a user and an item a line.")
    ] = None,
    user: Annotated[list[str], typer.Option("--user", metavar="ID", help="A user; may be repeated.")] = [],  # noqa: B006
    item: Annotated[list[str], typer.Option("--item", metavar="ID", help="An item; may be repeated.")] = [],  # noqa: B006
    modality: Annotated[
        list[str], typer.Option("--modality", metavar="NAME[:F]", help="A modality, or that of the items in file F.")
    ] = [],  # noqa: B006
    where: Annotated[
        str | None, typer.Option("--where", help='Attribute expression: licensor == "X" and year < 2010.')
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="mmrecun, retrain (Gold) or another; an unknown name lists them.")
    ] = "mmrecun",
    assignments: Set = [],  # noqa: B006
    seed: SeedOption = 0,
    device: Device = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be forgotten, and stop.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take users, items, interactions or modalities out of RUN; RUN itself stays as it is."""
    if out is None and not dry_run:
        raise ConfigError("name the new run with --out, or ask for the scope alone with --dry-run")
    from mmrecun import jobs
    from mmrecun.data.forget import ForgetRequest
    from mmrecun.data.request_files import merge_where, read_ids, read_modalities, read_pairs

    request = ForgetRequest(
        users=(*user, *(read_ids(users, "user") if users else ())),
        items=(*item, *(read_ids(items, "item") if items else ())),
        pairs=read_pairs(pairs) if pairs else (),
        modalities=read_modalities(modality),
    )
    opened = jobs.load(run, device)
    undecided = 0
    if where is not None:
        request, undecided = merge_where(request, opened.dataset, where)
    if dry_run or out is None:
        _tell_scope({**jobs.scope(opened, request), "undecided": undecided}, as_json)
        return
    with progress_bar(f"forgetting with {method}") as report:
        manifest = jobs.unlearn(opened, request, out, method, parse_assignments(assignments), seed, report)
    result = {
        "run": str(out),
        "parent": str(run),
        "method": method,
        "forgotten": manifest.forgotten,
        "seconds": manifest.seconds,
        "stop": manifest.stop,
        "undecided": undecided,
    }
    if as_json:
        emit(result, as_json)
        return
    taken = [counted(count, _WORDS[kind]) for kind, count in manifest.forgotten.items() if count]
    facts = {
        "run": out,
        "from": run,
        "taken out": ", ".join(taken),
        "undecided": f"{counted(undecided, 'row')} without the attribute stayed" if undecided else "",
        "time": duration(manifest.seconds),
        "ended": manifest.stop,
    }
    facts_table(facts, f"forgotten with {method}")


_WORDS = {"users": "user", "items": "item", "interactions": "training pair", "modalities": "feature"}


def _tell_scope(scope: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(scope, as_json)
        return
    rows = [
        {"": f"{_WORDS[kind]}s", "forgotten": count, "retained": scope["retained"].get(kind)}
        for kind, count in scope["forgotten"].items()
    ]
    share = f"{scope['share']:.1%} of the training pairs"
    rows_table(rows, f"{share} would be taken out of {scope['parent']}; nothing was changed")
    if scope["undecided"]:
        say(f"{counted(scope['undecided'], 'row')} could not be decided: the attribute is missing there")
    for warning in scope["warnings"]:
        say(f"warning: {warning}", errors)

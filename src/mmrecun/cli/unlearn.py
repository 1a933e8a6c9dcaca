"""`mmrecun unlearn`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from mmrecun.cli.mapped import is_mapped, unlearn_mapped
from mmrecun.cli.options import Cpus, Device, Gpus, Method, On, SeedOption, Set, StoreUrl
from mmrecun.cli.output import JsonFlag, counted, facts_table, print_json, print_line, progress_bar, rows_table, warn
from mmrecun.cli.registered import settings_of_method
from mmrecun.errors import ConfigError
from mmrecun.settings import parse_assignments
from mmrecun.text import duration

if TYPE_CHECKING:
    from mmrecun.data.dataset import Dataset
    from mmrecun.forget.request import ForgetRequest
    from mmrecun.jobs import Absent
    from mmrecun.runs import Manifest, Run


def unlearn(
    context: typer.Context,
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder, or a model file of another library.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the new run; it must not exist yet.")] = None,
    users: Annotated[
        Path | None,
        typer.Option("--users", metavar="F", help="File of user ids: one a line, or a table with a header."),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="F", help="File of item ids: one a line, or a table with a header."),
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="F", help="File with a user and an item a line.")
    ] = None,
    user: Annotated[list[str], typer.Option("--user", metavar="ID", help="A user; may be repeated.")] = [],  # noqa: B006
    item: Annotated[list[str], typer.Option("--item", metavar="ID", help="An item; may be repeated.")] = [],  # noqa: B006
    modality: Annotated[
        list[str],
        typer.Option("--modality", metavar="NAME[:F]", help="A whole modality, or that of the items in file F."),
    ] = [],  # noqa: B006
    where: Annotated[
        str | None, typer.Option("--where", help='Attribute expression: licensor == "X" and `release date` < 2010.')
    ] = None,
    method: Method = "mmrecun",
    assignments: Set = [],  # noqa: B006
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="FORMAT", help="RUN is a model of implicit, mmrec, recbole, torch or vectors."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="What that model was trained on: a dataset folder or a table of pairs."),
    ] = None,
    reading: Annotated[
        list[str],
        typer.Option(
            "--reading",
            metavar="NAME=VALUE",
            help="How that model is read: users=F and items=F, ids of its rows, one a line; settings of the format.",
        ),
    ] = [],  # noqa: B006
    seed: SeedOption = 0,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="1,2,5-7", help="Make a run for each seed: OUT/seed-1, OUT/seed-2, ..."),
    ] = None,
    on: On = "here",
    store: StoreUrl = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    device: Device = "auto",
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Skip ids that RUN does not have, and list them.")
    ] = False,
    unknown_file: Annotated[
        Path | None, typer.Option("--unknown-file", metavar="F", help="Write the skipped ids to this file.")
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", metavar="F", help="Key for hashes of the request, which the run then keeps; or MMRECUN_KEY."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would be forgotten, and stop.")] = False,
    help_settings: Annotated[
        bool,
        typer.Option(
            "--help-settings", callback=settings_of_method, help="Describe the settings of the method, and stop."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take users, items, interactions or modalities out of RUN; RUN itself is not changed."""
    del help_settings
    if is_mapped(run):
        unlearn_mapped(context, run, out, (users, items, pairs), (user, item), seed, as_json)
        return
    if out is None and not dry_run:
        raise ConfigError("name the new run with --out, or ask for the scope alone with --dry-run")
    numbers = _seeds(seeds) if seeds is not None else ()
    if seeds is None and on != "here":
        raise ConfigError("--on shares out the runs of several seeds; name some, such as --seeds 1000-1002")
    from mmrecun import jobs
    from mmrecun.forget.parsing import add_matching
    from mmrecun.forget.secret import read_key

    opened, key = jobs.open_run(run, device, like, data, parse_assignments(reading, "--reading")), read_key(key_file)
    undecided = 0
    request = _request(opened.dataset, (users, items, pairs), (user, item), modality, ignore_unknown)
    absent = jobs.Absent()
    if ignore_unknown:
        request, absent = jobs.present_part(opened, request, key)
        _tell_absent(absent, unknown_file)
    if where is not None:
        request, undecided = add_matching(request, opened.dataset, where)
    further = {"undecided": undecided, "unknown": absent.unknown, "already_forgotten": absent.forgotten}
    if dry_run or out is None:
        _tell_scope({**jobs.scope(opened, request), **further}, as_json)
        return
    for warning in jobs.warnings(opened, request):
        warn(warning)
    settings = parse_assignments(assignments)
    if numbers:
        _tell_seeds(
            _made_for_seeds((opened, request, method, settings, key), out, numbers, (on, store, cpus, gpus)),
            {**further, "parent": str(run)},
            as_json,
        )
        return
    with progress_bar(f"forgetting with {method}") as progress:
        manifest = jobs.unlearn(opened, request, out, method, settings, seed, progress, key)
    result = {
        "run": str(out),
        "parent": str(run),
        "method": manifest.method,
        "forgotten": manifest.forgotten,
        "references": manifest.references,
        "seconds": manifest.seconds,
        "stop": manifest.stop,
        **further,
        **jobs.not_reached(opened, out),
    }
    if as_json:
        print_json(result, as_json)
        return
    _tell(result)


_Asked: TypeAlias = "tuple[Run, ForgetRequest, str, dict[str, Any], bytes | None]"


def _seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of `1,2,5-7`, each once.

    >>> _seeds("1,5-7")
    (1, 5, 6, 7)
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ConfigError(f"--seeds {text}: '{part}' is no seed; write numbers from 0, such as 1,2,5-7")
        found += range(int(first), int(last if dash else first) + 1)
    if len(set(found)) < len(found):
        raise ConfigError(f"--seeds {text}: a seed occurs twice")
    return tuple(found)


def _made_for_seeds(
    asked: _Asked, out: Path, seeds: tuple[int, ...], where: tuple[str, str | None, float | None, float | None]
) -> "dict[Path, Manifest]":
    from mmrecun import jobs
    from mmrecun.scale.choice import chosen_room

    opened, request, method, settings, key = asked
    with chosen_room(*where) as room, progress_bar(f"forgetting with {method}") as progress:
        return jobs.unlearn_seeds(opened, request, out, seeds, method, settings, progress, key, room)


def _tell_seeds(made: "dict[Path, Manifest]", further: dict[str, Any], as_json: bool) -> None:
    rows = [
        {"run": str(place), "seed": manifest.seed, "seconds": manifest.seconds, "stop": manifest.stop}
        for place, manifest in made.items()
    ]
    first = next(iter(made.values()))
    if as_json:
        shared = {"method": first.method, "forgotten": first.forgotten, "references": first.references}
        print_json({"runs": rows, **shared, **further}, as_json)
        return
    rows_table(rows, f"forgotten with {first.method}")


def _request(
    data: "Dataset",
    given: tuple[Path | None, Path | None, Path | None],
    named: tuple[list[str], list[str]],
    modality: list[str],
    lenient: bool,
) -> "ForgetRequest":
    """Return the request of files of users, items and pairs, of users and items named, and of modalities."""
    from mmrecun.forget.parsing import read_ids, read_modalities, read_pairs
    from mmrecun.forget.request import ForgetRequest

    users, items, pairs = given
    of_users = data.users, data.columns.get("user", ""), warn, lenient
    of_items = data.items, data.columns.get("item", ""), warn, lenient
    return ForgetRequest(
        users=(*named[0], *(read_ids(users, "user", *of_users) if users else ())),
        items=(*named[1], *(read_ids(items, "item", *of_items) if items else ())),
        pairs=read_pairs(pairs, data, warn) if pairs else (),
        modalities=read_modalities(modality, *of_items),
    )


_WORDS = {
    "users": "user",
    "items": "item",
    "interactions": "training pair",
    "held_out": "held-out pair",
    "modalities": "feature",
}


def _tell(result: dict[str, Any]) -> None:
    undecided, references = result["undecided"], result["references"]
    taken = [counted(count, _WORDS[kind]) for kind, count in result["forgotten"].items() if count]
    cleared = [f"{rows:,} in {column}" for column, rows in references.items()]
    facts = {
        "run": result["run"],
        "from": result["parent"],
        "taken out": ", ".join(taken),
        "references": f"taken out of attributes: {', '.join(cleared)}" if cleared else "",
        "undecided": f"{counted(undecided, 'row')} without the attribute stayed" if undecided else "",
        "time": duration(result["seconds"]),
        "ended": result["stop"],
    }
    if "model" in result:
        facts |= {"model": result["model"], "not reached": result["limits"]}
    facts_table(facts, f"forgotten with {result['method']}")


def _tell_absent(absent: "Absent", unknown_file: Path | None) -> None:
    """Say what is passed over, and write it to a file: a kind, the id or the pair, and the reason a line."""
    for line in absent.lines():
        warn(f"passed over, {line}")
    if unknown_file is None:
        return
    from mmrecun.jobs import absent_table

    try:
        unknown_file.write_text(absent_table(absent), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--unknown-file {unknown_file}: cannot be written: {error.strerror}") from None


def _tell_scope(scope: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(scope, as_json)
        return
    rows = [
        {"": f"{_WORDS[kind]}s", "forgotten": count, "retained": scope["retained"].get(kind)}
        for kind, count in scope["forgotten"].items()
    ]
    share = f"{scope['share']:.1%} of the training pairs"
    if held := scope["forgotten"]["held_out"]:
        share += f" and {counted(held, 'held-out pair')}"
    rows_table(rows, f"{share} would be taken out of {scope['parent']}; nothing was changed")
    for column, count in scope["references"].items():
        print_line(f"{counted(count, 'reference')} in {column} would be taken out")
    if scope["undecided"]:
        print_line(f"{counted(scope['undecided'], 'row')} could not be decided: the attribute is missing there")
    for warning in scope["warnings"]:
        warn(warning)

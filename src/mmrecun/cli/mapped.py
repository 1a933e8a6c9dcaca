"""What the commands do with runs in chunks, whose data and tables stay on disk."""

from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mmrecun.cli.absent_ids import show_absent
from mmrecun.cli.output import facts_table, print_json, rows_table, warn
from mmrecun.cli.request_lines import RequestFiles, naming_lines
from mmrecun.errors import ConfigError
from mmrecun.text import counted, duration, listing, taken_out

if TYPE_CHECKING:
    from mmrecun.forget.request import ForgetRequest


def is_mapped(run: Path) -> bool:
    """Say whether a folder holds a run in chunks."""
    return (run / "mapped.json").is_file()


def in_parts(place: Path, on: str = "here") -> bool:
    """Say whether a folder holds parts of a run in chunks, or hosts of a cluster are to have them there."""
    return any(place.glob("*-of-*/mapped.json")) or (on != "here" and not place.exists())


def refuse_other_options(context: typer.Context, taken: Collection[str], subject: str) -> None:
    """Refuse options which have no meaning here.

    Args:
        context: of the command that is being run.
        taken: names of the parameters that have one.
        subject: what does not have the others, as the first words of the error.

    Raises:
        ConfigError: naming those that were given.
    """
    named = {option.name: option.opts[0] for option in context.command.params}
    given = [
        named[name]
        for name in context.params
        if name not in taken and (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if given:
        raise ConfigError(f"{subject} has no {listing(sorted(given))}")


def _refuse_other_options(context: typer.Context, taken: Set[str], run: Path, parts: bool) -> None:
    kind = "in parts" if parts else "in chunks"
    refuse_other_options(context, taken | ({"on"} if parts else set()), f"{run} is a run {kind}, which")


_OF_UNLEARN = frozenset(
    ["run", "out", "users", "items", "pairs", "user", "item", "seed", "as_json", "ignore_unknown", "unknown_file"]
)  # the parameters of `unlearn` that a run in chunks has


def unlearn_mapped(
    context: typer.Context,
    run: Path,
    out: Path | None,
    files: tuple[Path | None, Path | None, Path | None],
    named: tuple[list[str], list[str]],
    seed: int,
    on: str,
    skipping: tuple[bool, Path | None],
    as_json: bool,
) -> None:
    """Take users, items and pairs out of a run in chunks, whole or in parts.

    Args:
        context: of the command.
        run, out: folders.
        files: of users, items and pairs.
        named: users and items.
        seed: of what is drawn.
        on: which hosts have the parts.
        skipping: whether unknown ids are passed over, and the file that lists them then.
        as_json: print one JSON object.
    """
    parts = in_parts(run, on)
    _refuse_other_options(context, _OF_UNLEARN, run, parts)
    if out is None:
        raise ConfigError("name the new run with --out")
    from mmrecun import jobs

    request, absent = _request(files, named), jobs.Absent()
    if skipping[0]:
        request, absent = jobs.present_part_mapped(run, request, on)
        show_absent(absent, skipping[1])
    with naming_lines(RequestFiles(*files, [], None), lambda: jobs.absent_of_mapped(run, request, on)):
        if parts:
            made = jobs.unlearn_parts(run, request, out, seed, on)
        else:
            whole = jobs.unlearn_mapped(run, request, out, seed)
            made = whole.model_dump(include={"forgotten", "seconds", "stop"}) | {"waiting": whole.waiting()}
    told = {name: made[name] for name in ("forgotten", "seconds", "stop", "waiting")}
    result: dict[str, Any] = {"run": str(out), "parent": str(run), "method": "local", "references": {}, **told}
    result["unknown"] = absent.unknown
    if as_json:
        print_json(result)
        return
    _show_unlearned(run, out, told)


def _request(
    files: tuple[Path | None, Path | None, Path | None], named: tuple[list[str], list[str]]
) -> "ForgetRequest":
    from mmrecun.forget.parsing import read_ids, read_pairs
    from mmrecun.forget.request import ForgetRequest

    users, items, pairs = files
    return ForgetRequest(
        users=(*named[0], *(read_ids(users, "user", warn=warn) if users else ())),
        items=(*named[1], *(read_ids(items, "item", warn=warn) if items else ())),
        pairs=read_pairs(pairs, None, warn) if pairs else (),
    )


def _show_unlearned(run: Path, out: Path, told: Mapping[str, Any]) -> None:
    shown = {
        "from": run,
        "taken out": taken_out(told["forgotten"]),
        "time": duration(told["seconds"]),
        "ended": told["stop"],
    }
    if told["waiting"]:
        shown["to fold"] = f"{counted(told['waiting'], 'row')}: mmrecun fold {out} --out NEW, then remove older runs"
    facts_table({"run": out, **shown}, "forgotten with local")


def audit_mapped(context: typer.Context, run: Path, on: str, as_json: bool) -> None:
    """Look for what an unlearned run in chunks, whole or in parts, still holds of those who left."""
    _refuse_other_options(context, {"run", "as_json"}, run, in_parts(run, on))
    from mmrecun import jobs

    found = jobs.check_mapped(run, on=on)
    if as_json:
        print_json({"run": str(run), **found})
        return
    words = {True: "passed", False: "failed", None: "not assessed"}
    rows = [{"check": f"residue: {name}", "state": words[state]} for name, state in found["residue"].items()]
    before, after = (found["recall@20"][name] for name in ("before", "after"))
    note = f"recall@20 of {found['sample']} users on validation: {before:.4f} before, {after:.4f} after"
    rows_table(rows, f"{run}: {note}")
    if found["waiting"]:
        warn(f"chunks of {run} still hold what was forgotten, as its parent does: mmrecun fold {run} --out NEW")

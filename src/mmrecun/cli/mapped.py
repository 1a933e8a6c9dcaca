"""Unlearning and auditing of runs in chunks, whose data and tables stay on disk, from the command line."""

from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.console import Console

from mmrecun.cli.absent_ids import show_absent
from mmrecun.cli.leftovers import name_leftovers
from mmrecun.cli.output import facts_table, print_json, print_line, progress_bar, warn
from mmrecun.cli.request_lines import RequestOptions, naming_lines
from mmrecun.errors import ConfigError
from mmrecun.text import counted, duration, listing, taken_out

if TYPE_CHECKING:
    from mmrecun.auditing.result import Outcome


def is_mapped(run: Path) -> bool:
    """Say whether a folder holds a run in chunks."""
    return (run / "mapped.json").is_file()


def in_parts(place: Path, on: str = "here") -> bool:
    """Say whether a folder holds parts of a run in chunks, or hosts of a cluster are to have them there."""
    return any(place.glob("*-of-*/mapped.json")) or (on != "here" and not place.exists())


def in_chunks(run: Path, on: str = "here") -> bool:
    """Say whether a folder holds a run in chunks, whole or in parts.

    Raises:
        ConfigError: for another run with parts elsewhere.
    """
    found = is_mapped(run) or in_parts(run, on)
    if not found and on != "here":
        raise ConfigError(f"{run} is not a run in chunks; --on is about those alone")
    return found


def refuse_other_options(context: typer.Context, taken: Collection[str], subject: str) -> None:
    """Refuse options that do not apply.

    Args:
        context: context of the command.
        taken: names of the parameters that apply.
        subject: what the others do not apply to, as the first words of the error.

    Raises:
        ConfigError: naming the options that were given and do not apply.
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
)  # the parameters of `unlearn` that apply to a run in chunks


def unlearn_mapped(
    context: typer.Context,
    run: Path,
    out: Path | None,
    options: RequestOptions,
    seed: int,
    on: str,
    skipping: tuple[bool, Path | None],
    as_json: bool,
) -> None:
    """Take users, items and pairs out of a run in chunks, whole or in parts.

    Args:
        context: context of the command.
        run, out: folders.
        options: options of the request; a run in chunks has no `modality`.
        seed: seed of all random draws.
        on: where the parts are: "here", "ray" or "ray:HOST:PORT".
        skipping: whether unknown ids are skipped, and the file that lists them then.
        as_json: print one JSON object.
    """
    parts = in_parts(run, on)
    _refuse_other_options(context, _OF_UNLEARN, run, parts)
    if out is None:
        raise ConfigError("name the new run with --out")
    from mmrecun import jobs

    request, unknown = options.read(None), {}
    if skipping[0]:
        request, absent = jobs.present_part_mapped(run, request, on)
        show_absent(absent, skipping[1])
        unknown = dict(absent.unknown)
    with naming_lines(options, None, lambda: jobs.absent_of_mapped(run, request, on)):
        if parts:
            made = jobs.unlearn_parts(run, request, out, seed, on)
        else:
            whole = jobs.unlearn_mapped(run, request, out, seed)
            made = whole.model_dump(include={"forgotten", "seconds", "stop"}) | {"waiting": whole.waiting()}
    facts = {name: made[name] for name in ("forgotten", "seconds", "stop", "waiting")}
    result: dict[str, Any] = {"run": str(out), "parent": str(run), "method": "local", "references": {}, **facts}
    result["unknown"] = unknown
    if as_json:
        print_json(result)
        return
    _show_unlearned(run, out, facts)


def _show_unlearned(run: Path, out: Path, facts: Mapping[str, Any]) -> None:
    shown = {
        "from": run,
        "taken out": taken_out(facts["forgotten"]),
        "time": duration(facts["seconds"]),
        "ended": facts["stop"],
    }
    if facts["waiting"]:
        shown["to fold"] = f"{counted(facts['waiting'], 'row')}: mmrecun fold {out} --out NEW, then remove older runs"
    facts_table({"run": out, **shown}, "forgotten with local")


def audit_mapped(context: typer.Context, run: Path, options: "AuditOptions", as_json: bool) -> "Outcome":
    """Audit an unlearned run in chunks, whole or in parts, and print the report; return the verdict."""
    taken = {"run", "sample", "as_json", "require", "key_file"} | ({"original"} if is_mapped(run) else set())
    _refuse_other_options(context, taken, run, in_parts(run, options.on))
    from mmrecun import jobs
    from mmrecun.report.terminal import show

    with progress_bar(f"auditing {run.name}") as progress:
        report, found = jobs.audit_mapped(run, options.on, options.sample, options.key, options.original, progress)
    parent = Path(found["parent"])
    copies = name_leftovers([run.parent, parent.parent, *([run, parent] if in_parts(run) else [])])
    page = run / report.folder / "report.html"
    if as_json:
        print_json({"run": str(run), "report": str(page), **report.contract(), **found, "leftovers": copies})
    else:
        show(report, Console())
        print_line(f"report: {page}")
    if found["waiting"]:
        warn(f"chunks of {run} still hold what was forgotten, as its parent does: mmrecun fold {run} --out NEW")
    return report.verdict


class AuditOptions(NamedTuple):
    """Options of `audit` that a run in chunks takes."""

    sample: int | None
    key: bytes | None
    original: Path | None
    on: str

"""Unlearning and auditing of runs in chunks, whose data and tables stay on disk, from the command line."""

from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.console import Console

from mmrecun.chunked.folders import MANIFEST, is_mapped
from mmrecun.cli.absent_ids import show_absent
from mmrecun.cli.leftovers import name_leftovers
from mmrecun.cli.output import print_json, print_line, progress_bar, warn
from mmrecun.cli.request_lines import RequestOptions, naming_lines
from mmrecun.errors import ConfigError
from mmrecun.text import listing

if TYPE_CHECKING:
    from mmrecun.auditing.outcome import Outcome


def in_parts(place: Path, on: str = "here") -> bool:
    """Say whether a folder holds parts of a run in chunks, or hosts of a cluster are to have them there."""
    return any(place.glob(f"*-of-*/{MANIFEST}")) or (on != "here" and not place.exists())


def in_chunks(run: Path, on: str = "here") -> bool:
    """Say whether a folder holds a run in chunks, whole or in parts.

    Raises:
        ConfigError: for another run with parts elsewhere.
    """
    found = is_mapped(run) or in_parts(run, on)
    if not found and on != "here":
        raise ConfigError(f"{run} is not a run in chunks; --on is about those alone")
    return found


def refuse_other_options(
    context: typer.Context, taken: Collection[str], subject: str, instead: Mapping[str, str] | None = None
) -> None:
    """Refuse options that do not apply.

    Args:
        context: context of the command.
        taken: names of the parameters that apply.
        subject: what the others do not apply to, as the first words of the error.
        instead: name of a parameter -> why it does not apply, or what to do instead.

    Raises:
        ConfigError: naming the options that were given and do not apply.
    """
    named = {option.name: option.opts[0] for option in context.command.params}
    given = [
        name
        for name in context.params
        if name not in taken and (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    if given:
        reasons = dict.fromkeys(instead[name] for name in given if instead and name in instead)
        because = f": {'; '.join(reasons)}" if reasons else ""
        raise ConfigError(f"{subject} has no {listing(sorted(named[name] for name in given))}{because}")


_ONE_METHOD = "it has one method, 'local'"
_TRAINS = "an ordinary run is needed to train models for comparison"
_INSTEAD = {
    "where": "it holds no attributes; select the ids in a table of yours, and name them with --users or --items",
    "modality": "it holds no features; train again without them",
    "method": _ONE_METHOD,
    "assignments": _ONE_METHOD,
    "seeds": "make one run at a time with --seed",
    "gold": "no Gold can be made of it, and its audit rests on drawn users",
    "relearn": _TRAINS,
    "shadows": _TRAINS,
}


def _refuse_other_options(context: typer.Context, taken: Set[str], run: Path, parts: bool) -> None:
    kind = "in parts" if parts else "in chunks"
    refuse_other_options(context, taken | ({"on"} if parts else set()), f"{run} is a run {kind}, which", _INSTEAD)


# the parameters of `unlearn` that apply to a run in chunks
_OF_REQUEST = frozenset(["users", "items", "pairs", "user", "item", "ignore_unknown", "unknown_file", "key_file"])
_OF_UNLEARN = _OF_REQUEST | {"run", "out", "seed", "dry_run", "as_json"}


class UnlearnOptions(NamedTuple):
    """Options of `unlearn`, beside those of the request, that a run in chunks takes.

    Attributes:
        out: folder of the new run.
        seed: seed of all random draws.
        on: where the parts are: "here", "ray" or "ray:HOST:PORT".
        ignore_unknown, unknown_file: whether unknown ids are skipped, and the file that lists them then.
        key: key of the hashes of the request.
        dry_run: report the scope alone.
    """

    out: Path | None
    seed: int
    on: str
    ignore_unknown: bool
    unknown_file: Path | None
    key: bytes | None
    dry_run: bool


def unlearn_mapped(
    context: typer.Context, run: Path, request_of: RequestOptions, options: UnlearnOptions
) -> tuple[dict[str, Any], bool]:
    """Take users, items and pairs out of a run in chunks, whole or in parts.

    Args:
        context: context of the command.
        run: folder of the run.
        request_of: options of the request; a run in chunks has no `modality`.
        options: the other options.

    Returns:
        What the command prints with `--json`; and whether that is the scope alone.
    """
    out, seed, on, ignore_unknown, unknown_file, key, dry_run = options
    parts = in_parts(run, on)
    _refuse_other_options(context, _OF_UNLEARN, run, parts)
    if out is None and not dry_run:
        raise ConfigError("name the new run with --out, or ask for the scope alone with --dry-run")
    from mmrecun import jobs

    request, further = request_of.read(None), {"undecided": 0, "unknown": {}, "already_forgotten": {}}
    if ignore_unknown:  # loads what other runs need as well
        request, absent = jobs.present_part_mapped(run, request, on, key)
        show_absent(absent, unknown_file)
        further |= {"unknown": dict(absent.unknown), "already_forgotten": dict(absent.forgotten)}
    with naming_lines(request_of, None, lambda: jobs.absent_of_mapped(run, request, on, key)):
        if dry_run or out is None:
            return {**jobs.scope_mapped(run, request, on, key), **further}, True
        for line in jobs.warnings_mapped(run, on, key):
            warn(line)
        if parts:
            made = jobs.unlearn_parts(run, request, out, seed, on, key)
        else:
            whole = jobs.unlearn_mapped(run, request, out, seed, key=key)
            made = whole.model_dump(include={"forgotten", "seconds", "stop"}) | {"waiting": whole.waiting()}
    facts = {name: made[name] for name in ("forgotten", "seconds", "stop", "waiting")}
    return {"run": str(out), "parent": str(run), "method": "local", "references": {}, **facts, **further}, False


class AuditOptions(NamedTuple):
    """Options of `audit` that a run in chunks takes."""

    sample: int | None
    key: bytes | None
    original: Path | None
    on: str


def audit_mapped(context: typer.Context, run: Path, options: AuditOptions, as_json: bool) -> "Outcome":
    """Audit an unlearned run in chunks, whole or in parts, and print the report; return the verdict."""
    taken = {"run", "sample", "as_json", "require", "key_file"} | ({"original"} if is_mapped(run) else set())
    _refuse_other_options(context, taken, run, in_parts(run, options.on))
    from mmrecun import jobs
    from mmrecun.report.terminal import show

    with progress_bar(f"auditing {run.name}") as progress:
        report, found = jobs.audit_mapped(run, options.on, options.sample, options.key, options.original, progress)
    parent = Path(found["parent"])
    copies = name_leftovers([run.parent, parent.parent, *([run, parent] if in_parts(run) else [])])
    page = str(run / report.folder / "report.html") if run.is_dir() else None
    if as_json:
        print_json({"run": str(run), "report": page, **report.contract(), **found, "leftovers": copies})
    else:
        show(report, Console())
        print_line(f"report: {page or f'not written, since {run} is not on this machine'}")
    if found["waiting"]:
        warn(f"chunks of {run} still hold what was forgotten, as its parent does: mmrecun fold {run} --out NEW")
    return report.verdict

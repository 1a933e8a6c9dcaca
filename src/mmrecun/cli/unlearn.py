"""`mmrecun unlearn`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from mmrecun.chunked.folders import is_mapped
from mmrecun.cli.absent_ids import refuse_unused_file, show_absent
from mmrecun.cli.assignments import parse_assignments
from mmrecun.cli.mapped import UnlearnOptions, in_parts, refuse_other_options, unlearn_mapped
from mmrecun.cli.options import Cpus, Device, Gpus, Method, On, SeedOption, Set, StoreUrl
from mmrecun.cli.output import JsonFlag, facts_table, print_json, print_line, progress_bar, rows_table, warn
from mmrecun.cli.request_lines import RequestOptions, naming_lines
from mmrecun.cli.unlearn_options import (
    DryRun,
    HelpSettings,
    IgnoreUnknown,
    ItemFile,
    ItemIds,
    KeyFile,
    Like,
    Modalities,
    NewRun,
    PairFile,
    Reading,
    RunOrFile,
    Seeds,
    TrainedOn,
    UnknownFile,
    UserFile,
    UserIds,
    Where,
    seeds_of,
)
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.text import TAKEN_OUT, counted, duration, listing, taken_out

if TYPE_CHECKING:
    from mmrecun.forget.request import ForgetRequest
    from mmrecun.jobs import Absent
    from mmrecun.manifest import Manifest
    from mmrecun.runs import Run

_OF_SEEDS = {"store", "cpus", "gpus"}  # parameters that only the runs of several seeds have


def unlearn(
    context: typer.Context,
    run: RunOrFile,
    out: NewRun = None,
    users: UserFile = None,
    items: ItemFile = None,
    pairs: PairFile = None,
    user: UserIds = [],
    item: ItemIds = [],
    modality: Modalities = [],
    where: Where = None,
    method: Method = "mmrecun",
    assignments: Set = [],
    like: Like = None,
    data: TrainedOn = None,
    reading: Reading = [],
    seed: SeedOption = 0,
    seeds: Seeds = None,
    on: On = "here",
    store: StoreUrl = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    device: Device = "auto",
    ignore_unknown: IgnoreUnknown = False,
    unknown_file: UnknownFile = None,
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    help_settings: HelpSettings = False,
    as_json: JsonFlag = False,
) -> None:
    """Take users, items, interactions or modalities out of RUN; RUN itself is not changed."""
    del help_settings
    options = RequestOptions(users, items, pairs, user, item, modality)
    refuse_unused_file(unknown_file, ignore_unknown)
    if is_mapped(run) or in_parts(run, on):
        others = UnlearnOptions(out, seed, on, ignore_unknown, unknown_file, _read_key(key_file), dry_run)
        made, scope_alone = unlearn_mapped(context, run, options, others)
        (_show_scope if scope_alone else _show)(made, as_json)
        return
    numbers = _seeds(context, seeds, on)
    _refuse_unready(run, like, out, dry_run)
    opened, key = _open_run(run, device, like, data, reading), _read_key(key_file)
    request, further = _request(opened, options, where, ignore_unknown, unknown_file, key)
    unlearning = _Unlearning(opened, request, method, parse_assignments(assignments), key)
    with naming_lines(options, opened.dataset, unlearning.absent):
        if dry_run or out is None:
            _show_scope(_scope(unlearning, further), as_json)
        elif numbers:
            _show_seeds(_unlearn_seeds(unlearning, out, numbers, (on, store, cpus, gpus)), run, further, as_json)
        else:
            _show({"run": str(out), "parent": str(run), **_unlearn(unlearning, out, seed, further)}, as_json)


def _seeds(context: typer.Context, text: str | None, on: str) -> tuple[int, ...]:
    """Return the seeds that `--seeds` lists, and refuse options that would be ignored with or without them."""
    seeds = seeds_of(text, on)
    ignored, subject = (
        ({"seed"}, "with --seeds, an unlearning") if seeds else (_OF_SEEDS, "without --seeds, an unlearning")
    )
    refuse_other_options(context, context.params.keys() - ignored, subject)
    return seeds


def _refuse_unready(run: Path, like: str | None, out: Path | None, dry_run: bool) -> None:
    if not run.exists():
        raise ArtifactError(f"{run}: no such file" if like else f"{run} is not a run folder: no such folder")
    if out is None and not dry_run:
        raise ConfigError("name the new run with --out, or ask for the scope alone with --dry-run")


def _open_run(run: Path, device: str, like: str | None, data: Path | None, reading: list[str]) -> "Run":
    from mmrecun import jobs

    return jobs.open_run(run, device, like, data, parse_assignments(reading, "--reading"))


def _read_key(file: Path | None) -> bytes | None:
    from mmrecun.forget.secret import read_key

    return read_key(file)


class _Unlearning(NamedTuple):
    """Arguments of `jobs.unlearn`."""

    run: "Run"
    request: "ForgetRequest"
    method: str
    settings: dict[str, Any]
    key: bytes | None

    def absent(self) -> "Absent":
        """Return the part of the request that the run does not have."""
        from mmrecun import jobs

        return jobs.absent_of(self.run, self.request, self.key)


def _request(
    opened: "Run",
    options: RequestOptions,
    where: str | None,
    ignore_unknown: bool,
    unknown_file: Path | None,
    key: bytes | None,
) -> "tuple[ForgetRequest, dict[str, Any]]":
    """Return the request of the options, of what `where` matches, and without what the run does not have, if so asked.

    The facts returned with it are the numbers of rows undecided by `where` and of ids skipped.
    """
    from mmrecun import jobs
    from mmrecun.forget.parsing import add_matching

    request = options.read(opened.dataset, ignore_unknown)
    undecided, absent = 0, jobs.Absent()
    if where is not None:
        request, undecided = add_matching(request, opened.dataset, where, warn)
    if ignore_unknown:
        request, absent = jobs.present_part(opened, request, key)
        show_absent(absent, unknown_file)
    return request, {"undecided": undecided, "unknown": absent.unknown, "already_forgotten": absent.forgotten}


def _unlearn(unlearning: _Unlearning, out: Path, seed: int, further: dict[str, Any]) -> dict[str, Any]:
    """Make the new run, and return its facts together with `further` ones of the request."""
    from mmrecun import jobs

    opened, request, method, settings, key = unlearning
    _warn_all(jobs.warnings(opened, request, key, out))
    with progress_bar(f"forgetting with {method}") as progress:
        manifest = jobs.unlearn(opened, request, out, method, settings, seed, progress, key)
    return {
        "method": manifest.method,
        "forgotten": manifest.forgotten,
        "references": manifest.references,
        "seconds": manifest.seconds,
        "stop": manifest.stop,
        **further,
        **jobs.not_reached(opened, out),
    }


def _unlearn_seeds(
    unlearning: _Unlearning,
    out: Path,
    seeds: tuple[int, ...],
    where: tuple[str, str | None, float | None, float | None],
) -> "dict[Path, Manifest]":
    from mmrecun import jobs
    from mmrecun.scale.choice import chosen_executor

    opened, request, method, settings, key = unlearning
    _warn_all(jobs.warnings(opened, request, key, out))
    with chosen_executor(*where) as executor, progress_bar(f"forgetting with {method}") as progress:
        return jobs.unlearn_seeds(opened, request, out, seeds, method, settings, progress, key, executor)


def _show_seeds(made: "dict[Path, Manifest]", parent: Path, further: dict[str, Any], as_json: bool) -> None:
    rows = [
        {"run": str(place), "seed": manifest.seed, "seconds": manifest.seconds, "stop": manifest.stop}
        for place, manifest in made.items()
    ]
    first = next(iter(made.values()))
    if as_json:
        shared = {"method": first.method, "forgotten": first.forgotten, "references": first.references}
        print_json({"runs": rows, **shared, **further, "parent": str(parent)})
        return
    rows_table(rows, f"forgotten with {first.method}")


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    undecided, references = result["undecided"], result["references"]
    cleared = [f"{rows:,} in {column}" for column, rows in references.items()]
    facts = {
        "run": result["run"],
        "from": result["parent"],
        "taken out": taken_out(result["forgotten"]),
        "references": f"taken out of attributes: {', '.join(cleared)}" if cleared else "",
        "undecided": f"{counted(undecided, 'row')} without the attribute stayed" if undecided else "",
        "time": duration(result["seconds"]),
        "ended": result["stop"],
    }
    if waiting := result.get("waiting"):
        new = result["run"]
        facts["to fold"] = f"{counted(waiting, 'row')}: mmrecun fold {new} --out NEW, then remove older runs"
    if "model" in result:
        facts |= {"model": result["model"], "not reached": result["limits"]}
    facts_table(facts, f"forgotten with {result['method']}")


def _scope(unlearning: _Unlearning, further: dict[str, Any]) -> dict[str, Any]:
    from mmrecun import jobs

    opened, request, method, settings, key = unlearning
    return {**jobs.scope(opened, request, key, method, settings), **further}


def _show_scope(scope: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(scope)
        return
    rows = [
        {"": f"{TAKEN_OUT[kind]}s", "forgotten": count, "retained": scope["retained"].get(kind)}
        for kind, count in scope["forgotten"].items()
        if count or kind in scope["retained"]
    ]
    share = [f"{scope['share']:.1%} of the training pairs"] if scope["forgotten"]["interactions"] else []
    parts = share + [
        counted(scope["forgotten"][kind], word)
        for kind, word in (("held_out", "held-out pair"), ("modalities", "feature row"))
        if scope["forgotten"].get(kind)
    ]
    rows_table(
        rows, f"{listing(parts) or 'no training pair'} would be taken out of {scope['parent']}; nothing was changed"
    )
    for column, count in scope["references"].items():
        print_line(f"{counted(count, 'reference')} in {column} would be taken out")
    if scope["undecided"]:
        print_line(f"{counted(scope['undecided'], 'row')} could not be decided: the attribute is missing there")
    _warn_all(scope["warnings"])


def _warn_all(lines: Iterable[str]) -> None:
    for line in lines:
        warn(line)

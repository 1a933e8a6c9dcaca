"""What the commands do with runs in chunks, whose data and tables stay on disk."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import typer

from mmrecun.cli.output import counted, facts_table, print_json, rows_table, warn
from mmrecun.errors import ConfigError
from mmrecun.text import duration, listing


def is_mapped(run: Path) -> bool:
    """Say whether a folder holds a run in chunks."""
    return (run / "mapped.json").is_file()


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


def unlearn_mapped(
    context: typer.Context,
    run: Path,
    out: Path | None,
    files: tuple[Path | None, Path | None, Path | None],
    named: tuple[list[str], list[str]],
    seed: int,
    as_json: bool,
) -> None:
    """Take users, items and pairs out of a run in chunks.

    Args:
        context: of the command.
        run, out: folders.
        files: of users, items and pairs.
        named: users and items.
        seed: of what is drawn.
        as_json: print one JSON object.
    """
    taken = {"run", "out", "users", "items", "pairs", "user", "item", "seed", "as_json"}
    refuse_other_options(context, taken, f"{run} is a run in chunks, which")
    if out is None:
        raise ConfigError("name the new run with --out")
    from mmrecun import jobs
    from mmrecun.forget.parsing import read_ids, read_pairs
    from mmrecun.forget.request import ForgetRequest

    users, items, pairs = files
    request = ForgetRequest(
        users=(*named[0], *(read_ids(users, "user", warn=warn) if users else ())),
        items=(*named[1], *(read_ids(items, "item", warn=warn) if items else ())),
        pairs=read_pairs(pairs, None, warn) if pairs else (),
    )
    made = jobs.unlearn_mapped(run, request, out, seed)
    result: dict[str, Any] = {
        "run": str(out),
        "parent": str(run),
        "method": made.method,
        "forgotten": made.forgotten,
        "references": made.references,
        "seconds": made.seconds,
        "stop": made.stop,
    }
    if as_json:
        print_json(result)
        return
    parts = ", ".join(counted(count, kind.removesuffix("s")) for kind, count in made.forgotten.items() if count)
    shown = {"from": run, "taken out": parts, "time": duration(made.seconds), "ended": made.stop}
    facts_table({"run": out, **shown}, f"forgotten with {made.method}")


def audit_mapped(context: typer.Context, run: Path, as_json: bool) -> None:
    """Look for what an unlearned run in chunks still holds of those who left."""
    refuse_other_options(context, {"run", "as_json"}, f"{run} is a run in chunks, which")
    from mmrecun import jobs

    found = jobs.check_mapped(run)
    if as_json:
        print_json({"run": str(run), **found})
        return
    words = {True: "passed", False: "failed", None: "not assessed"}
    rows = [{"check": f"residue: {name}", "state": words[state]} for name, state in found["residue"].items()]
    before, after = (found["recall@20"][name] for name in ("before", "after"))
    note = f"recall@20 of {found['sample']} users on validation: {before:.4f} before, {after:.4f} after"
    rows_table(rows, f"{run}: {note}")

"""`mmrecun audit`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.auditing.outcome import Outcome
from mmrecun.chunked.folders import is_mapped
from mmrecun.cli.assignments import parse_assignments
from mmrecun.cli.leftovers import name_leftovers
from mmrecun.cli.mapped import AuditOptions, audit_mapped, in_parts
from mmrecun.cli.options import Cpus, Gpus, On, RunFolder, StoreUrl
from mmrecun.cli.output import JsonFlag, print_json, print_line, progress_bar, stderr, warn
from mmrecun.errors import ConfigError
from mmrecun.forget.secret import VARIABLE, read_key
from mmrecun.text import duration

Golds = Annotated[
    list[Path],
    typer.Option(
        "--gold",
        help="A Gold run of the same request; may be repeated. For a model of another library, the file of one "
        "that it trained again on what is retained.",
    ),
]
Original = Annotated[
    Path | None,
    typer.Option("--original", help="The run that RUN was unlearned from, if it is no longer where it was then."),
]
Reading = Annotated[
    list[str],
    typer.Option("--reading", metavar="NAME=VALUE", help="How those files are read, as in unlearn; for all of them."),
]
Relearn = Annotated[
    bool,
    typer.Option(
        "--relearn",
        help="Measure relearn time: the training steps, at most 200 a run, that restore what was forgotten.",
    ),
]
Shadows = Annotated[
    int,
    typer.Option(
        "--shadows",
        metavar="N",
        min=0,
        help="Attack with N shadow models (even, 4 or more), at the cost of N trainings; 0 for no attack.",
    ),
]
Require = Annotated[
    Outcome | None, typer.Option("--require", help="Exit with 1 unless this is the verdict, for scripts.")
]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="Key of the hashes of the request; or MMRECUN_KEY.")]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample",
        metavar="N",
        min=0,
        help="Users drawn for the retained figures; 0: all. By default all, up to 2,000 million scores.",
        show_default=False,
    ),
]


def audit(
    context: typer.Context,
    run: RunFolder,
    gold: Golds = [],
    original: Original = None,
    reading: Reading = [],
    relearn: Relearn = False,
    shadows: Shadows = 0,
    require: Require = None,
    key_file: KeyFile = None,
    sample: Sample = None,
    on: On = "here",
    store: StoreUrl = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure whether RUN has forgotten what it should; writes audit.json and report.html into it."""
    if is_mapped(run) or in_parts(run, on):
        options = AuditOptions(sample, read_key(key_file) if key_file else None, original, on)
        _require(require, audit_mapped(context, run, options, as_json))
        return
    from mmrecun import jobs
    from mmrecun.report.terminal import show
    from mmrecun.runs import read_manifest
    from mmrecun.scale.choice import chosen_executor

    if on != "here" and not shadows:
        raise ConfigError("--on shares out shadow models; ask for some with --shadows, such as --shadows 16")
    if shadows:
        seconds = duration(jobs.shadow_seconds(run, shadows, original))
        print_line(f"{shadows} shadow models are trained and unlearned; about {seconds}", stderr)
    how, key = parse_assignments(reading, "--reading"), _key(run, key_file)
    with chosen_executor(on, store, cpus, gpus) as executor, progress_bar(f"auditing {run.name}") as progress:
        report = jobs.audit(run, gold, relearn, shadows, progress, key, how, sample, executor, original)
    parent = read_manifest(run).parent
    before = original or (run / parent.path if parent else None)
    copies = name_leftovers([run.parent, *([before.parent] if before else [])])
    if as_json:
        place = {"run": str(run), "report": str(run / report.folder / "report.html")}
        print_json({**place, **report.contract(), "leftovers": copies})
    else:
        show(report, Console())
        if report.folder:
            print_line(f"{run / 'report.html'} looked at more and stays; this audit is kept beside it")
        print_line(f"report: {run / report.folder / 'report.html'}")
    _require(require, report.verdict)


def _require(wanted: Outcome | None, verdict: Outcome) -> None:
    if wanted is not None and verdict is not wanted:
        raise typer.Exit(1)


def _key(run: Path, file: Path | None) -> bytes | None:
    """Return the key in a file; the audit itself reads that of the environment, and refuses a wrong one."""
    from mmrecun import jobs

    key = read_key(file)
    if key is None or not jobs.is_other_key(run, key):
        return key if file else None
    wrong = f"not the key under which {run} keeps what was asked for"
    if file is not None:
        raise ConfigError(f"--key-file {file}: {wrong}; give that one, or none, and only numbers are checked")
    warn(f"{VARIABLE}: {wrong}, so only the number of what was asked for is checked")
    return None

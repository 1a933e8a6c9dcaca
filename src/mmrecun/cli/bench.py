"""`mmrecun bench` and `mmrecun bench tune`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.bench.shipped import is_file, shipped
from mmrecun.cli.command import Command
from mmrecun.cli.default import DefaultGroup
from mmrecun.cli.options import Cpus, Device, Gpus, On, StoreUrl
from mmrecun.cli.output import JsonFlag, print_json, print_line, progress_bar, rows_table
from mmrecun.text import alternatives, counted

app = typer.Typer(
    cls=DefaultGroup,
    no_args_is_help=True,
    subcommand_metavar="[run] SPEC | tune SPEC",
    help="Compare unlearning methods, or tune their settings.",
)


def known_spec(spec: str) -> str:
    """Refuse a spec that does not exist, before torch is loaded.

    Raises:
        ConfigError: with the nearest known one.
    """
    is_file(spec)
    return spec


Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        callback=known_spec,
        help=f"A .toml file, or {alternatives(shipped())}.",
        show_default=False,
    ),
]
BenchOut = Annotated[
    Path, typer.Option("--out", help="Folder of the bench; the same command resumes there.", show_default=False)
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder of Originals and Golds that benches may share; OUT/cache.")
]


@app.command("run", cls=Command)
def bench(
    spec: Spec,
    out: BenchOut,
    cache: CacheOption = None,
    retry: Annotated[bool, typer.Option("--retry", help="Make failed rows again.")] = False,
    device: Device = "auto",
    on: On = "here",
    store: StoreUrl = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare methods over datasets, models, requests and seeds; `run` may be left out.

    If it is interrupted, the same command resumes it.
    """
    from mmrecun.bench import output
    from mmrecun.bench.cache import Cache
    from mmrecun.bench.groups import groups
    from mmrecun.bench.run import BenchPaths, run
    from mmrecun.bench.spec import load
    from mmrecun.bench.terminal import show
    from mmrecun.scale.choice import chosen_executor

    started = time.perf_counter()
    parsed, base = load(spec)
    planned = groups(parsed, base)
    paths = BenchPaths(out, Cache(cache or out / "cache", device), retry)
    with _resumable(out), output.begun(out, parsed, paths.cache.folder) as header:
        with chosen_executor(on, store, cpus, gpus) as executor, progress_bar(f"bench {parsed.name}") as progress:
            rows = run(planned, paths, progress, lambda made: output.write_tables(out, made), executor)
        page = output.write_page(out, parsed, header, rows)
    if as_json:
        print_json(output.as_json(out, rows, time.perf_counter() - started))
        return
    show(rows, str(page), Console())


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Say how many rows of a bench are there, if the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        made = counted(len(list(out.glob("rows/*.json"))), "row")
        raise KeyboardInterrupt(f"stopped; the same command resumes with the {made} made") from None


@app.command(cls=Command)
def tune(
    spec: Spec,
    out: BenchOut,
    method: Annotated[
        list[str], typer.Option("--method", help="A method to tune; may be repeated. By default all.")
    ] = [],
    cache: CacheOption = None,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Rank five settings of each method by distance from Gold, on other requests than the bench's.

    If it is interrupted, the same command resumes it.
    """
    from mmrecun.bench.cache import Cache
    from mmrecun.bench.spec import load
    from mmrecun.bench.tuning import label
    from mmrecun.bench.tuning import tune as tune_methods

    started = time.perf_counter()
    parsed, base = load(spec)
    with _resumable(out), progress_bar(f"tuning on {parsed.name}") as report:
        tried = tune_methods(parsed, base, out, method, Cache(cache or out / "cache", device), report)
    table = out / "tuning.md"
    if as_json:
        rows = [vars(one) for one in tried]
        seconds = time.perf_counter() - started
        print_json({"out": str(out), "report": str(table), "rows": rows, "seconds": seconds})
        return
    rows_table(
        [
            {
                "setting": label(one.method, one.settings),
                "distance from Gold": None if one.distance is None else round(one.distance, 4),
                "failed": f"{len(one.failed)} of {len(one.failed) + len(one.requests)}" if one.failed else None,
            }
            for one in tried
        ],
        f"{out}: mean distance from Gold over requests, in tolerances",
    )
    print_line(f"report: {table}")

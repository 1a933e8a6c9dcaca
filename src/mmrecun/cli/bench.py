"""`mmrecun bench`."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mmrecun.cli.options import Device
from mmrecun.cli.output import JsonFlag, print_json, progress_bar


def bench(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="A .toml file, or quick, tiktok, baby or amazon.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the bench; the same again goes on.", show_default=False)
    ],
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of Originals and Golds that benches may share; OUT/cache.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Make failed rows again.")] = False,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Compare methods over datasets, models, requests and seeds; interrupted, the same command goes on."""
    from mmrecun.bench import output
    from mmrecun.bench.cache import Cache
    from mmrecun.bench.groups import groups
    from mmrecun.bench.run import BenchPaths, run
    from mmrecun.bench.spec import load
    from mmrecun.bench.terminal import show

    started = time.perf_counter()
    parsed, base = load(spec)
    planned = groups(parsed, base)
    header = output.begin(out, parsed)
    paths = BenchPaths(out, Cache(cache or out / "cache", device), header.started, retry)
    try:
        with progress_bar(f"bench {parsed.name}") as progress:
            rows = run(planned, paths, progress, lambda made: output.write_tables(out, made))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; the same command goes on with the {len(list(out.glob('rows/*.json')))} rows made"
        ) from None
    page = output.write_page(out, parsed, header, rows)
    if as_json:
        print_json(output.as_json(out, rows, time.perf_counter() - started), as_json)
        return
    show(rows, str(page), Console())

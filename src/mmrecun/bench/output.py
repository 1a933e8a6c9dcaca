"""The output of a bench besides its rows: Parquet, tables, plots and one page."""

import io
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmrecun.atomic import replace_file
from mmrecun.bench import agreement, plots
from mmrecun.bench.distance import nearest
from mmrecun.bench.page import render
from mmrecun.bench.results import Row, frame
from mmrecun.bench.spec import BenchSpec
from mmrecun.bench.summary import Summary, summarise
from mmrecun.bench.table import latex, markdown
from mmrecun.claims import claimed, is_unfinished
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.manifest import now, versions
from mmrecun.settings import Settings

HEADER, ROWS = "bench.json", "rows"


class Header(Settings):
    """Facts of a bench and of the machine it ran on.

    Attributes:
        started: UTC time of its first start.
        spec: the spec of its last run.
        machine: cores, threads, processor.
        versions: versions of the packages that affect the result.
    """

    started: str
    spec: dict[str, Any]
    machine: dict[str, str]
    versions: dict[str, str]


@contextmanager
def begun(out: Path, spec: BenchSpec, cache: Path) -> Iterator[Header]:
    """Begin or resume the bench in `out`, and keep other commands out of it during the block.

    Args:
        out: folder of the bench.
        spec: spec of the bench.
        cache: folder of Originals and Golds, which several benches may share; files that a killed bench left
            half-written there and in `out` are removed.

    Raises:
        ConfigError: when something else is there, or nothing can be written.
        ArtifactError: when another command works on the bench.
    """
    _refuse_other(out)
    with claimed(out / ROWS, within=[out, *_folders(out), cache, *_folders(cache)]):
        yield _header(out / HEADER, spec)


def _refuse_other(out: Path) -> None:
    try:
        there = [path for path in out.iterdir() if not is_unfinished(path)] if out.is_dir() else [out]
    except OSError as error:
        raise ConfigError(f"{out}: cannot be read: {error.strerror}") from None
    if out.exists() and there and not (out / HEADER).is_file():
        raise ConfigError(f"{out} exists and is not a bench; choose another --out")


def _folders(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []


def _header(path: Path, spec: BenchSpec) -> Header:
    try:
        started = Header.model_validate_json(path.read_bytes()).started if path.is_file() else now()
    except ValueError:
        raise ArtifactError(f"{path}: damaged; remove it, and the bench gets a new start time") from None
    header = Header(started=started, spec=spec.model_dump(mode="json"), machine=machine(), versions=dict(versions()))
    try:
        replace_file(path, header.json_text().encode())
    except OSError as error:
        raise ConfigError(f"{path.parent}: cannot write there: {error.strerror}") from None
    return header


def machine() -> dict[str, str]:
    """Return the facts of the machine on which times depend."""
    return {
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "processor": platform.processor() or platform.machine(),
        "system": platform.system(),
    }


def write_tables(out: Path, rows: Sequence[Row]) -> None:
    """Write `rows.parquet`, `table.md` and `table.tex`, each replaced in one step."""
    buffer = io.BytesIO()
    frame(rows).write_parquet(buffer)
    replace_file(out / "rows.parquet", buffer.getvalue())
    summaries = summarise(rows)
    replace_file(out / "table.md", markdown(summaries).encode())
    replace_file(out / "table.tex", latex(summaries).encode())


def write_page(out: Path, spec: BenchSpec, header: Header, rows: Sequence[Row]) -> Path:
    """Write plots into `plots/`, and `bench.html` with everything in it; return its path."""
    summaries = summarise(rows)
    folder = out / "plots"
    drawn = [_picture(folder, place, summary) for place, summary in enumerate(summaries, start=1)]
    clock = plots.times(summaries)
    taken = plots.write(clock, folder, "times") if clock else ""
    facts = {**header.machine, **{f"version of {name}": value for name, value in header.versions.items()}}
    facts |= {"started": header.started, "request seed": str(spec.request_seed), "Golds": str(spec.golds)}
    path = out / "bench.html"
    replace_file(path, render(spec, rows, list(zip(summaries, drawn, strict=True)), taken, facts).encode())
    return path


def _picture(folder: Path, number: int, summary: Summary) -> str:
    figure = plots.trade_off(summary)
    return plots.write(figure, folder, f"trade-off-{number}") if figure else ""


def as_json(out: Path, rows: Sequence[Row], seconds: float) -> dict[str, Any]:
    """Return the command's JSON object."""
    winners = {summary.title: found for summary in summarise(rows) if (found := nearest(summary))}
    listed = [
        {
            **winner._asdict(),
            "group": title,
            "distance": dict(winner.distance.parts),
            "overall": winner.distance.overall,
        }
        for title, winner in winners.items()
    ]
    return {
        "out": str(out),
        "report": str(out / "bench.html"),
        "rows": [row.public() for row in rows],
        "nearest": listed,
        "agreement": agreement.as_json(rows),
        "seconds": seconds,
    }

"""The output of a bench besides its rows: Parquet, tables, plots and one page."""

import io
import os
import platform
from collections.abc import Sequence
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
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.manifest import now, versions
from mmrecun.settings import Settings

HEADER = "bench.json"


class Header(Settings):
    """Facts of a bench and of the machine it ran on.

    Attributes:
        started: UTC time of its first start.
        spec: as it was last run.
        machine: cores, threads, processor.
        versions: versions of the packages that affect the result.
    """

    started: str
    spec: dict[str, Any]
    machine: dict[str, str]
    versions: dict[str, str]


def begin(out: Path, spec: BenchSpec) -> Header:
    """Begin or resume the bench in `out`.

    Raises:
        ConfigError: when something else is there, or nothing can be written.
    """
    path = out / HEADER
    started = now()
    try:
        if path.is_file():
            started = Header.model_validate_json(path.read_bytes()).started
        elif out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"{out} exists and is not a bench; choose another --out")
        header = Header(
            started=started, spec=spec.model_dump(mode="json"), machine=machine(), versions=dict(versions())
        )
        out.mkdir(parents=True, exist_ok=True)
        replace_file(path, (header.model_dump_json(indent=2) + "\n").encode())
    except ValueError:
        raise ArtifactError(f"{path}: damaged; remove it, and the bench gets a new start time") from None
    except OSError as error:
        raise ConfigError(f"{out}: cannot write there: {error.strerror}") from None
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

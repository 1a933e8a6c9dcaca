"""Import of a table of events against polars on the same file: `python -m benchmarks.importing --rows 1e7`.

Polars reads it whole, or rewrites it as Parquet (what the import writes) or CSV, both as streams; or it also does the
heaviest work of an import, and writes each pair once and in order. Each measurement is a process of its own, so that
its peak memory is its own; the rounds take turns. On a busy machine compare processor time: seconds by the clock then
depend on who else runs.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks.timing import Spread, in_child, ratios
from mmrecun.data import files
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read


def write_events(path: Path, rows: int, seed: int = 0) -> None:
    """Write a CSV of about so many distinct pairs: 50 a user, few items with many of them, and a time in seconds."""
    rng = np.random.default_rng(seed)
    users, items = max(rows // 50, 4), max(rows // 200, 20)
    pairs = pl.DataFrame(
        {"user": rng.integers(users, size=rows), "item": (rng.beta(0.5, 3, rows) * items).astype(np.int64)}
    ).unique(maintain_order=True)
    times = rng.integers(1_500_000_000, 1_600_000_000, pairs.height)
    names = {kind: pl.format(kind[0] + "{}", kind) for kind in ("user", "item")}
    pairs.with_columns(timestamp=pl.Series(times), **names).write_csv(path)


def to_parquet(source: Path) -> Path:
    """Return the same table as Parquet, beside the file."""
    target = source.with_suffix(".parquet")
    pl.scan_csv(source).sink_parquet(target)
    return target


def nothing(_: Path, __: Path) -> tuple[float, float]:
    return 0.0, 0.0


def polars_reads(source: Path, _: Path) -> tuple[float, float]:
    reads = {".csv": pl.read_csv, ".parquet": pl.read_parquet}
    return _seconds(lambda: reads[source.suffix](source))


def polars_to_parquet(source: Path, target: Path) -> tuple[float, float]:
    return _seconds(lambda: _scan(source).sink_parquet(target))


def polars_sorts(source: Path, target: Path) -> tuple[float, float]:
    pairs = ["user", "item"]
    return _seconds(lambda: _scan(source).unique(pairs).sort(pairs).sink_parquet(target))


def polars_to_csv(source: Path, target: Path) -> tuple[float, float]:
    return _seconds(lambda: _scan(source).sink_csv(target))


def imported(source: Path, target: Path) -> tuple[float, float]:
    def both() -> None:
        files.save(read(source, ImportOptions(timestamp="timestamp")).dataset, target)

    return _seconds(both)


def _scan(source: Path) -> pl.LazyFrame:
    return pl.scan_csv(source) if source.suffix == ".csv" else pl.scan_parquet(source)


def _seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the clock and of processors, all threads together."""
    clock, processors = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - processors


ACTIONS = {
    "nothing": nothing,
    "read whole": polars_reads,
    "to Parquet": polars_to_parquet,
    "to CSV": polars_to_csv,
    "distinct pairs in order to Parquet": polars_sorts,
    "import": imported,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.importing", description=__doc__)
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["csv", "parquet"], choices=["csv", "parquet"])
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        source = Path(folder) / "events.csv"
        in_child(write_events, source, int(chosen.rows))  # a child, since its peak would be inherited
        for kind in chosen.kinds:
            path = source if kind == "csv" else in_child(to_parquet, source)[0]
            spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ACTIONS}
            peaks = dict.fromkeys(ACTIONS, 0)
            for number in range(chosen.rounds):
                for name, action in ACTIONS.items():
                    both, peak = in_child(action, path, Path(folder) / f"{kind}-{name}-{number}".replace(" ", "-"))
                    spent[name].append(both)
                    peaks[name] = max(peaks[name], peak)
            print(f"{kind}, {chosen.rows:.0e} rows, {path.stat().st_size / 2**20:.0f} MiB")
            for name in list(ACTIONS)[1:]:
                more = (peaks[name] - peaks["nothing"]) / 2**20
                print(f"  {name}: {_compared(spent[name], spent['import'])}; {more:.0f} MiB more than imports")


def _compared(spent: list[tuple[float, float]], whole: list[tuple[float, float]]) -> str:
    words = []
    for place, unit in enumerate(("s", "s of processors")):
        ours, theirs = ([times[place] for times in found] for found in (spent, whole))
        words.append(f"{Spread.of(ours)} {unit}, {ratios(ours, theirs)} of the import's")
    return "; ".join(words)


if __name__ == "__main__":
    main()

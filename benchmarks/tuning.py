"""Five settings of every published method on the requests of a shipped bench, drawn with another seed than its own.

`python -m benchmarks.tuning tiktok --out tuned` says which comes nearest to Gold, by the mean over requests of the
largest gap in tolerances. One Original, one Gold a request; the bench itself then reports on requests never seen here.
"""

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.page import Table, write
from mmrecun.bench import output
from mmrecun.bench.cache import Cache
from mmrecun.bench.distance import distance
from mmrecun.bench.groups import groups
from mmrecun.bench.run import BenchPaths, run
from mmrecun.bench.spec import BenchSpec, Method, load
from mmrecun.bench.summary import Summary, summarise
from mmrecun.errors import MMRecUnError

REQUEST_SEED = 7
RATES: list[dict[str, Any]] = [{}, {"learning_rate": 3e-3}]
GRID: dict[str, list[dict[str, Any]]] = {
    "mmrecun-paper": [*RATES, {"forget_weight": 0.2}, {"epochs": 10}, {"form": "negated"}],
    "finetune": [*RATES, {"epochs": 5}, {"epochs": 20}, {"epochs": 5, "learning_rate": 1e-2}],
    "ascent": [*RATES, {"learning_rate": 3e-4}, {"learning_rate": 1e-2}, {"steps": 60}],
    "neggrad": [*RATES, {"alpha": 0.99}, {"alpha": 0.9}, {"alpha": 0.99, "learning_rate": 3e-3}],
    "amnesiac": [*RATES, {"epochs": 3}, {"epochs": 5}, {"epochs": 5, "learning_rate": 3e-3}],
    "scrub": [*RATES, {"max_epochs": 4}, {"stay_weight": 0.1}, {"epochs": 3, "max_epochs": 3, "learning_rate": 3e-3}],
    "multidelete": [*RATES, {"decouple": 5}, {"epochs": 20}, {"unimodal": 0.1}],
    "rrl": [*RATES, {"epochs": 15}, {"stay_weight": 1e-4}, {"stay_weight": 1e-5, "learning_rate": 3e-3}],
    "tru": [*RATES, {"forget_weight": 0.2}, {"forget_weight": 0.8}, {"share": 1.0}],
    "scif": [{}, {"damping": 0.03}, {"damping": 0.1}, {"damping": 0.3}, {"damping": 3}],
    "obliviate": [{}, {"step": 2}, {"step": 10}, {"step": 20}, {"calibration": 400}],
    "cova": [{}, {"alpha": 10}, {"alpha": 3}, {"alpha": 1}, {"alpha": 1, "rank": 64}],
    "gsgcf": [{}, {"hops": 0}, {"step": 0.3}, {"forget_weight": 0.9}, {"epochs": 30}],
}


def label(method: str, settings: dict[str, Any]) -> str:
    """What the rows of a setting are called."""
    return " ".join([method, *(f"{name}={value}" for name, value in settings.items())])


def widened(spec: BenchSpec, grid: dict[str, list[dict[str, Any]]]) -> BenchSpec:
    """The same bench for every setting in `grid`, on other requests, with one Original and one Gold."""
    methods = tuple(
        Method(method=name, name=label(name, settings), settings=settings)
        for name, choices in grid.items()
        for settings in choices
    )
    return spec.model_copy(update={"methods": methods, "seeds": (0,), "golds": 1, "request_seed": REQUEST_SEED})


def distances(summaries: list[Summary], name: str) -> dict[str, float]:
    """Request -> distance from Gold of the setting called `name`, where it can forget that."""
    found: dict[str, float] = {}
    for summary in summaries:
        entry, gold = summary.line(name), summary.line("gold")
        far = distance(entry, gold) if entry is not None and gold is not None and entry.done else None
        if far is not None:
            found[summary.about.request] = far.overall
    return found


def table(summaries: list[Summary], method: str, choices: list[dict[str, Any]]) -> Table:
    """The settings of one method, the nearest first."""
    rows = []
    for settings in choices:
        name = label(method, settings)
        if far := distances(summaries, name):
            rows.append({"setting": name, "mean distance": mean(far.values()), **far})
    return Table(method, sorted(rows, key=lambda row: float(row["mean distance"])))


def main(given: list[str] | None = None) -> None:
    """Make what is missing, then say what was found."""
    parser = argparse.ArgumentParser("python -m benchmarks.tuning", description=__doc__)
    parser.add_argument("spec", help="a shipped bench, or a .toml file")
    parser.add_argument("--out", type=Path, required=True, help="folder; the same again goes on")
    parser.add_argument("--cache", type=Path, help="folder of Originals and Golds that benches may share; OUT/cache")
    parser.add_argument("--methods", nargs="+", default=list(GRID), choices=GRID)
    options = parser.parse_args(given)
    grid = {name: GRID[name] for name in options.methods}
    try:
        parsed, base = load(options.spec)
        spec = widened(parsed, grid)
        planned = groups(spec, base)
        header = output.begin(options.out, spec)
    except MMRecUnError as error:
        parser.error(str(error))
    paths = BenchPaths(options.out, Cache(options.cache or options.out / "cache"), header.started)
    summaries = summarise(run(planned, paths))
    write(options.out, "tuning", [table(summaries, *entry) for entry in grid.items()])


if __name__ == "__main__":
    main()

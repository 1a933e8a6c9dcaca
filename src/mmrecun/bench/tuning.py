"""Choose the settings of each published method on other requests than a bench's own.

Every setting in `GRID` is run on the requests of a bench, drawn with another seed. The one that comes nearest to Gold
is the method's best: the mean over datasets, models and requests of its largest gap, in tolerances. A setting that
failed somewhere comes after those that did not, since its mean is over fewer requests. There is one Original of each
model, and one Gold a request. The bench itself then reports on requests that chose nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from statistics import mean
from typing import Any

from mmrecun.atomic import replace_file
from mmrecun.bench import output
from mmrecun.bench.cache import Cache
from mmrecun.bench.distance import distance
from mmrecun.bench.groups import groups
from mmrecun.bench.run import BenchPaths, run
from mmrecun.bench.spec import GOLD, BenchSpec, Method
from mmrecun.bench.summary import Summary, summarise
from mmrecun.bench.table import markdown_table
from mmrecun.errors import ConfigError
from mmrecun.progress import Progress, no_progress
from mmrecun.text import unknown_name

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


Grid = Mapping[str, Sequence[dict[str, Any]]]


@dataclass(frozen=True)
class Tried:
    """Result of one setting of a method.

    Attributes:
        method: registered name.
        settings: settings of the method, where they differ from its defaults.
        distance: mean over the groups of a bench of the distance from Gold, in tolerances; None where all failed.
        requests: dataset, model and request in words -> distance; what the method cannot forget is left out.
        failed: dataset, model and request, where this setting failed or lacks a figure, and another one does not.
    """

    method: str
    settings: dict[str, Any]
    distance: float | None
    requests: dict[str, float]
    failed: tuple[str, ...] = ()


def grid_of(methods: Sequence[str]) -> Grid:
    """Return the part of `GRID` for `methods`; all of it without any.

    Raises:
        ConfigError: for a method whose settings are not in the grid.
    """
    for name in methods:
        if name not in GRID:
            raise ConfigError(unknown_name("method to tune", name, list(GRID)))
    return {name: GRID[name] for name in methods or GRID}


def label(method: str, settings: Mapping[str, Any]) -> str:
    """Return what the rows of a setting are called."""
    return " ".join([method, *(f"{name}={value}" for name, value in settings.items())])


def widened(spec: BenchSpec, grid: Grid) -> BenchSpec:
    """Return the same bench for every setting in `grid`, on other requests, with one Original and one Gold."""
    seed = REQUEST_SEED if spec.request_seed != REQUEST_SEED else REQUEST_SEED + 1
    methods = tuple(
        Method(method=name, name=label(name, settings), settings=settings)
        for name, choices in grid.items()
        for settings in choices
    )
    return spec.model_copy(update={"methods": methods, "seeds": (0,), "golds": 1, "request_seed": seed})


def tune(
    spec: BenchSpec,
    base: Path,
    out: Path,
    methods: Sequence[str] = (),
    cache: Cache | None = None,
    progress: Progress = no_progress,
) -> list[Tried]:
    """Run the missing rows, and write `tuning.md` and `tuning.json` into `out`.

    Args:
        spec: the bench whose requests are drawn with another seed.
        base: folder that paths in the spec start from.
        out: folder of the rows; the same call resumes there.
        methods: names in `GRID`; all by default.
        cache: Originals and Golds that benches may share; `out`/cache by default.
        progress: called with the number of finished rows, of all rows, and what is being made.

    Returns:
        Every setting: method after method, the nearest to Gold first, and after them those that failed somewhere.

    Raises:
        ConfigError: for a method without a grid, or an `out` that is not a bench.
    """
    grid = grid_of(methods)
    wide = widened(spec, grid)
    planned = groups(wide, base)
    paths = BenchPaths(out, cache or Cache(out / "cache"))
    with output.begun(out, wide, paths.cache.folder):
        summaries = summarise(run(planned, paths, progress))
    tried = [found for name, choices in grid.items() for found in ranked(summaries, name, choices)]
    replace_file(out / "tuning.md", markdown(tried).encode())
    replace_file(out / "tuning.json", (json.dumps([asdict(one) for one in tried], indent=2) + "\n").encode())
    return tried


def ranked(summaries: Sequence[Summary], method: str, choices: Sequence[dict[str, Any]]) -> list[Tried]:
    """Return the settings of one method: those without a failure, then the rest, and the nearest to Gold first.

    There is none where no setting has a distance.
    """
    found = [(settings, distances(summaries, label(method, settings))) for settings in choices]
    possible = [summary.title for summary in summaries if any(summary.title in far for _, far in found)]
    tried = [
        Tried(
            method,
            settings,
            mean(far.values()) if far else None,
            far,
            tuple(title for title in possible if title not in far),
        )
        for settings, far in found
        if possible
    ]
    return sorted(tried, key=lambda one: (len(one.failed), inf if one.distance is None else one.distance))


def distances(summaries: Sequence[Summary], name: str) -> dict[str, float]:
    """Return title of a group -> distance from Gold of the setting called `name`, where it can forget that."""
    found: dict[str, float] = {}
    for summary in summaries:
        entry, gold = summary.line(name), summary.line(GOLD)
        far = distance(entry, gold) if entry is not None and gold is not None and entry.done else None
        if far is not None:
            found[summary.title] = far.overall
    return found


def markdown(tried: Sequence[Tried]) -> str:
    """Return one table a method, the nearest setting first."""
    parts = []
    for name in dict.fromkeys(one.method for one in tried):
        of_method = [one for one in tried if one.method == name]
        requests = list(dict.fromkeys(request for one in of_method for request in (*one.requests, *one.failed)))
        rows = [("setting", "mean distance", *requests)]
        for one in of_method:
            figures = (one.requests.get(request) for request in requests)
            cells = ("failed" if figure is None else f"{figure:.2f}" for figure in figures)
            rows.append((label(name, one.settings), "–" if one.distance is None else f"{one.distance:.2f}", *cells))
        parts.append(f"## {name}\n\n{markdown_table(rows)}")
    return "\n\n".join(parts) + "\n"

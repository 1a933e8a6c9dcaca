"""How time and memory grow with the data: made, trained for a few steps, evaluated in part, and asked to forget.

Every piece of work has a process of its own, as it would from the command line, so that its peak of memory is its own.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from benchmarks.cases import made
from benchmarks.latency import request_seconds, singles
from benchmarks.page import Table, arguments, write
from benchmarks.timing import in_child, peak_bytes, seconds_of
from mmrecun import runs
from mmrecun.data import files
from mmrecun.data.bpr_sampling import NegativeSampler, Triples, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.parquet import read_parquet
from mmrecun.device import prepare
from mmrecun.evaluation.evaluate import evaluate
from mmrecun.forget.request import ForgetRequest
from mmrecun.jobs import plan
from mmrecun.manifest import Manifest, now, reference, versions
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class, model_name
from mmrecun.report.style import STYLE
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss

SIZES = ((10_000, 5_000, 100_000), (100_000, 30_000, 1_000_000), (1_000_000, 100_000, 10_000_000))
MODELS = ("lightgcn", "mgcn")
STEPS, ASKED, WIDTH = 5, 500, 64
_GIB, CPU = 1 << 30, torch.device("cpu")


def make(folder: Path, sizes: tuple[int, int, int]) -> dict[str, float]:
    """Make and save a dataset with one modality."""
    started = time.perf_counter()
    files.save(made(*sizes, modalities=1, width=WIDTH), folder)
    return {"make": time.perf_counter() - started}


class Laps:
    """Seconds from one call to the next, by name."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count what was done since the last call as `name`."""
        now = time.perf_counter()
        self.spent[name], self._since = now - self._since, now


def train(data: Path, model: str, out: Path) -> tuple[dict[str, float], dict[str, ForgetRequest]]:
    """Load, build, take some steps, evaluate some users, write a run: seconds of each, and bytes at the peak.

    Also requests of one user and one item that can be made of the run.
    """
    prepare()
    laps = Laps()
    dataset = files.load(data)
    laps.lap("load")
    kind = model_class(model)
    recommender = kind(kind.Config(), Sizes.of_dataset(dataset), Seed(0).torch())
    optimizer = adam(recommender, TrainConfig().learning_rate)
    laps.lap("model")
    inputs = build_inputs(dataset, recommender.required_inputs(), CPU)
    laps.lap("graphs")
    drawn = _first_batches(dataset)
    laps.lap("draw")

    def step(triples: Triples) -> None:
        train_batches(
            [triples], lambda given: training_loss(recommender, recommender.batch_vectors(inputs, given)), optimizer
        )

    taken = [seconds_of(partial(step, triples)) for triples in drawn]
    laps.lap("steps")
    peak = peak_bytes()
    with torch.no_grad():
        vectors = recommender.vectors(inputs)
    laps.lap("vectors")
    evaluate(vectors.users, vectors.items, dataset.train, _truth(dataset))
    laps.lap("evaluate")
    _write(recommender, dataset, data, out)
    found = laps.spent | {"step": float(np.median(taken)), "peak": peak}
    return found, singles(dataset)


def _first_batches(dataset: Dataset) -> list[Triples]:
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    batches = bpr_batches(dataset.train, sampler, TrainConfig().batch_size, Seed(0).numpy())
    return list(islice(batches, STEPS))


def _truth(dataset: Dataset) -> Interactions:
    """Test pairs of the first users that have some."""
    test = dataset.interactions.split(Split.TEST)
    return test.select(np.isin(test.users, np.unique(test.users)[:ASKED]))


def _write(model: Recommender, dataset: Dataset, data: Path, out: Path) -> None:
    manifest = Manifest(
        model=model_name(model),
        settings=model.config.model_dump(mode="json"),
        training=TrainConfig().model_dump(mode="json"),
        seed=0,
        dataset=reference(data, dataset.digest, out),
        dataset_name=dataset.name,
        seconds=0.0,
        versions=dict(versions()),
        created=now(),
    )
    out.mkdir()
    runs.write(out, manifest, model, [])


def forget(run: Path, request: ForgetRequest, out: Path) -> dict[str, float]:
    """Seconds of each phase."""
    prepare()
    return request_seconds(run, request, out, audited=False)


def planned(data: Path, model: str) -> dict[str, float | None]:
    """Return what `mmrecun plan` says."""
    told = plan(data, model)
    return {"bytes": told.memory_bytes, "seconds": told.seconds_per_epoch}


def measured(sizes: tuple[int, int, int], models: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """One row for each model, all on the same made data."""
    (making, _), rows = _told(make, folder / "data", sizes), []
    for model in models:
        told, _ = _told(planned, folder / "data", model)
        (trained, requests), _ = _told(train, folder / "data", model, folder / model)
        gone = {
            target: _told(forget, folder / model, request, folder / f"{model}-{target}")
            for target, request in requests.items()
        }
        rows.append(_row(sizes, model, making | trained, told, gone, folder / "data"))
    return rows


def _told(function: Callable[..., Any], *arguments: object) -> tuple[Any, int]:
    """As `in_child`; what came out is told at once, for whoever waits."""
    result, peak = in_child(function, *arguments)
    print(f"{function.__name__}: {result}, {peak / _GIB:.2f} GiB", file=sys.stderr, flush=True)
    return result, peak


def _row(
    sizes: tuple[int, int, int],
    model: str,
    spent: dict[str, float],
    told: dict[str, float | None],
    gone: dict[str, tuple[dict[str, float], int]],
    data: Path,
) -> dict[str, Any]:
    table = read_parquet(data / "interactions.parquet", ("split",))
    steps = -(-int((table["split"] == "train").sum()) // TrainConfig().batch_size)
    epoch_seconds = spent["draw"] + steps * spent["step"]
    assert told["bytes"] is not None
    return {
        "model": model,
        "pairs": table.height,
        "users": sizes[0],
        "items": sizes[1],
        "make, s": spent["make"],
        "load, s": spent["load"],
        "graphs, s": spent["graphs"],
        "draw an epoch, s": spent["draw"],
        "step, s": spent["step"],
        f"evaluate {ASKED} users, s": spent["evaluate"],
        **{
            f"{what} a{'n' * (target == 'item')} {target}, s": parts[key]
            for target, (parts, _) in gone.items()
            for what, key in (("forget", "total"), ("latency of", "latency"))
        },
        "training, GiB": spent["peak"] / _GIB,
        "forgetting, GiB": max(peak for _, peak in gone.values()) / _GIB,
        "planned / measured memory": told["bytes"] / spent["peak"],
        "planned / measured epoch": None if told["seconds"] is None else told["seconds"] / epoch_seconds,
    }


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds and memory against the number of pairs, one column for each model; SVG and PNG beside `path`."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(models), 6.4), layout="constrained")
        panels = figure.subplots(2, len(models), sharex=True, sharey="row", squeeze=False)
        for column, model in enumerate(models):
            mine = [row for row in rows if row["model"] == model]
            for place, unit in ((panels[0, column], ", s"), (panels[1, column], ", GiB")):
                for name in (key for key in mine[0] if key.endswith(unit)):
                    label = name.removesuffix(unit)
                    place.loglog([row["pairs"] for row in mine], [row[name] for row in mine], marker="o", label=label)
            panels[0, column].set_title(model, loc="left")
            panels[1, column].set_xlabel("pairs")
        panels[0, 0].set_ylabel("seconds")
        panels[1, 0].set_ylabel("GiB at the peak")
        for row in panels:
            row[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), fontsize=8)
        for suffix in (".svg", ".png"):
            figure.savefig(path.with_suffix(suffix), dpi=140)


def main(given: Sequence[str] | None = None) -> None:
    """Measure every size; with --sizes that one alone."""
    parser = arguments("scale", rounds=1)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--largest", type=int, default=SIZES[-1][2], help="leave out sizes with more pairs")
    parser.set_defaults(sizes=None)
    options = parser.parse_args(given)
    sizes = [tuple(options.sizes)] if options.sizes else [size for size in SIZES if size[2] <= options.largest]
    rows: list[dict[str, Any]] = []
    for size in sizes:
        with TemporaryDirectory() as folder:
            rows += measured(size, options.models, Path(folder))  # type: ignore[arg-type]
    write(options.out, "scale", [Table("Time and memory by size", rows)])
    plot(rows, options.out / "scale")


if __name__ == "__main__":
    main()

"""Training, evaluation and unlearning on one CUDA card, beside MMRec and the card's limits; about six minutes in all.

`python -m benchmarks.gpu --data DATASET [--mmrec CLONE]`: each part is a process of its own with a time limit, so that
one that fails costs no other. `DATASET` is a dataset folder with modalities; `CLONE` a clone of MMRec, with its data
beside ours (see `benchmarks.mmrec`). `--check` runs every part on small made data, without a card on the CPU: it tells
whether this script still works, and its figures mean nothing.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks import limits
from benchmarks.card import Busy, busy, limit_shares, synchronize
from benchmarks.cases import made
from benchmarks.originals import share
from benchmarks.page import OUT
from benchmarks.phases import phase_rows
from benchmarks.timing import on_device
from mmrecun import jobs, runs
from mmrecun.data import files, sparse
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.graph import build_inputs
from mmrecun.forget.request import ForgetRequest
from mmrecun.manifest import Manifest
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.propagation import propagate
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.training.captured import Steps
from mmrecun.training.epochs import DeviceEpochs, EpochTask
from mmrecun.training.loop import adam
from mmrecun.training.validation import validation_score

RATE = 2e-3
HALF_FROM = sparse._HALF_FROM  # read at import, so that a renamed limit fails here and is not measured as if it held
SECONDS = {"steps": 60, "fit": 50, "mmrec": 65, "large": 90, "unlearning": 75}
_SMALL = (120, 80, 3000)  # users, items and pairs of a check


def card() -> torch.device:
    """Return the first card; without one, the CPU, which only a check gets as far as."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def fresh(name: str, dataset: Dataset, **settings: object) -> Recommender:
    """Return a model on the card, before training."""
    kind = model_class(name)
    return kind(kind.Config.of(settings), Sizes.of_dataset(dataset), Seed(0).torch()).to(card())


def say(part: str, **facts: object) -> None:
    """Print one line of JSON at once."""
    print(json.dumps({"part": part, **facts}, default=str), flush=True)


def clocked(action: Callable[[], object], rounds: int) -> float:
    """Median seconds of one call until the card is done, after two that do not count; without a card, of one call."""
    warm, rounds = (2, rounds) if torch.cuda.is_available() else (0, 1)
    seconds = []
    for number in range(rounds + warm):
        synchronize()
        started = time.perf_counter()
        action()
        synchronize()
        if number >= warm:
            seconds.append(time.perf_counter() - started)
    return sorted(seconds)[len(seconds) // 2]


def steps(options: argparse.Namespace) -> None:
    """Epochs and validations of MGCN: captured and not, how busy the card is, shares of its limits."""
    dataset = files.load(options.data)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    there = torch.cuda.is_available()
    bounds = limits.measure(len(dataset.users) + len(dataset.items), rounds=9 if there else 1, device=card())
    say("limits", card=there and torch.cuda.get_device_name(), torch=torch.__version__, **bounds.as_json())
    for batch, layers in ((2048, 2), (2048, 4), (4096, 4))[: 1 if options.check else 3]:
        for capture in (True, False) if there else (False,):
            model = fresh("mgcn", dataset, layers=layers)
            inputs = build_inputs(dataset, model.required_inputs(), card())
            epochs = DeviceEpochs(EpochTask(model, dataset.train, sampler, inputs, batch, adam(model, RATE)), capture)
            numbers = iter(range(10**6))

            def epoch(epochs: DeviceEpochs = epochs, numbers: Any = numbers) -> float:
                return epochs.run(Seed(0).child(f"epoch {next(numbers)}"))

            seconds = clocked(epoch, 15 if capture else 3)
            found = busy(epoch)
            say("epoch", batch=batch, hops=layers, captured=capture, seconds=seconds, **_busy(found, seconds))
            if capture is there and batch == 2048:
                say("kernels", batch=batch, hops=layers, longest=found.longest(14))

        def validate(model: Recommender = model, inputs: Any = inputs) -> float:
            return validation_score(model, inputs, dataset)

        seconds = clocked(validate, 15)
        found = busy(validate)
        say("validation", hops=layers, seconds=seconds, **_busy(found, seconds), longest=found.longest(5))
    say("shares", **limit_shares(model, inputs, dataset, bounds))


def _busy(found: Busy, seconds: float) -> dict[str, float]:
    return {"kernels": found.count, "kernel_seconds": found.seconds, "busy": found.seconds / seconds}


def fit(options: argparse.Namespace) -> None:
    """Time to the best validation, by batch and hops."""
    for name, settings in {
        "cold": {"epochs": 3},
        "original": {},
        "as-mmrec": {"batch_size": 2048, "layers": 2},
        "slow-rate": {"batch_size": 2048, "layers": 2, "learning_rate": 1e-3},
        "bfloat16-hops": {"batch_size": 2048, "layers": 2},
    }.items():
        sparse._HALF_FROM = 0 if name == "bfloat16-hops" else HALF_FROM
        started = time.perf_counter()
        manifest = jobs.train(options.data, "mgcn", options.work / name, settings | options.short)
        rows = runs.history(options.work / name)
        report = jobs.evaluate(options.work / name)
        say(
            "fit",
            name=name,
            seconds=time.perf_counter() - started,
            training=manifest.seconds,
            best_epoch=manifest.best_epoch,
            epochs=manifest.epochs,
            valid=manifest.valid,
            epoch_seconds=sorted(row["seconds"] for row in rows)[len(rows) // 2],
            to_best=manifest.seconds * manifest.best_epoch / manifest.epochs,
            test={name: value for name, value in report.metrics.items() if name.endswith("@20")},
            valid_by_epoch=[round(row["valid"], 4) for row in rows][:60],
        )


def mmrec(options: argparse.Namespace) -> None:
    """MMRec's MGCN on the same data."""
    from benchmarks.mmrec import measured

    measured(options.mmrec, options.mmrec_data, 42, say)


def large(options: argparse.Namespace) -> None:
    """Time steps on made data of 10^7 pairs."""
    started = time.perf_counter()
    dataset = made(*options.sizes, modalities=1, width=64)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    say("made", pairs=len(dataset.train), seconds=time.perf_counter() - started)
    for batch in (4096, 65536, 262144):
        model = fresh("bprmf", dataset)
        inputs = build_inputs(dataset, model.required_inputs(), card())
        task = EpochTask(model, dataset.train, sampler, inputs, batch, adam(model, RATE))
        epochs = DeviceEpochs(task, card().type == "cuda")
        seconds = clocked(lambda epochs=epochs: epochs.run(Seed(1)), 1 if batch == 4096 else 3)  # type: ignore[misc]
        say("bprmf", batch=batch, epoch=seconds, triples_a_second=len(dataset.train) / seconds)
        del epochs, model
    for name in ("lightgcn", "mgcn"):
        started = time.perf_counter()
        model = fresh(name, dataset)
        inputs = build_inputs(dataset, model.required_inputs(), card())
        say("graphs", model=name, seconds=time.perf_counter() - started)
        _large_steps(name, model, inputs, DeviceTriples(dataset.train, sampler, card()))
        if name == "lightgcn":
            _hops(inputs, model)


def _large_steps(name: str, model: Recommender, inputs: Any, triples: DeviceTriples) -> None:
    ways = ((True, True), (False, True), (True, False)) if card().type == "cuda" else ((True, False),)
    for half, capture in ways:
        sparse._HALF_FROM = HALF_FROM if half else 1 << 62
        taken = Steps(model, adam(model, RATE), capture)
        drawn = list(islice(triples.epoch(4096, torch.Generator(card()).manual_seed(0)), 20))
        seconds = clocked(lambda taken=taken, drawn=drawn: taken.run(drawn, inputs), 3) / len(drawn)  # type: ignore[misc]
        found = busy(lambda taken=taken, drawn=drawn: taken.run(drawn, inputs))  # type: ignore[misc]
        say(
            "step",
            model=name,
            bfloat16=half,
            captured=capture,
            milliseconds=1e3 * seconds,
            memory=torch.cuda.max_memory_allocated() / (1 << 30),
            longest=found.longest(8),
        )
    sparse._HALF_FROM = HALF_FROM


def _hops(inputs: Any, model: Recommender) -> None:
    users, items = (table.weight.detach() for table in model.id_tables().values())
    graph = inputs.user_item
    entries = graph.forward.values().numel()
    bounds = limits.measure(len(users) + len(items), rounds=3 if card().type == "cuda" else 1, device=card())
    for half in (True, False):
        sparse._HALF_FROM = HALF_FROM if half else 1 << 62
        seconds = min(on_device(lambda: propagate(graph, users, items, 3), 3, 3)) / 3
        moved = entries * (64 * (2 if half else 4) + 8) + (len(users) + len(items)) * 64 * (4 + (2 if half else 4))
        say("hop", bfloat16=half, milliseconds=1e3 * seconds, share_of_copy=1e-9 * moved / seconds / bounds.copy)
    sparse._HALF_FROM = HALF_FROM
    kernel, sparse.has_kernel = sparse.has_kernel, lambda device: False  # noqa: ARG005
    seconds = min(on_device(lambda: sparse.product(graph.forward, torch.cat([users, items])), 3, 3))
    sparse.has_kernel = kernel
    say("hop of torch", milliseconds=1e3 * seconds)


def unlearning(options: argparse.Namespace) -> None:
    """Time requests of 5% against Gold, from the folder of an Original to a finished run, and each phase."""
    run = options.work / "original"
    dataset = files.load(options.data)
    settings = {"min_cosine": -1} if options.check else {}  # a model trained for a moment is solved for, too

    def forget(name: str, request: ForgetRequest, method: str = "mmrecun") -> Manifest:
        out = options.work / f"{name}-{time.time_ns()}"
        return jobs.unlearn(run, request, out, method, settings if method == "mmrecun" else {})

    forget("warm", share(dataset, "pairs", 0.05))
    for target in ("pairs", "users", "items"):
        request, seconds, stops = share(dataset, target, 0.05), {}, {}
        for method in ("mmrecun", "mmrecun", "retrain"):
            started = time.perf_counter()
            manifest = forget(f"{target}-{method}", request, method)
            seconds[method] = time.perf_counter() - started
            stops[method] = manifest.seconds
        say("unlearning", target=target, seconds=seconds, method=stops, ratio=seconds["retrain"] / seconds["mmrecun"])
        _phases(target, lambda request=request: forget("phases", request), seconds["retrain"])  # type: ignore[misc]


def _phases(target: str, action: Callable[[], object], gold: float) -> None:
    """Say where one unlearning spends its time, in seconds and as a share of Gold's, and what it launches."""
    found = busy(action)
    for phase in phase_rows(action, gold):
        say("phase", target=target, **phase)
    say("kernels", target=target, kernels=found.count, seconds=found.seconds, gold=gold, longest=found.longest(12))


def main(given: Sequence[str] | None = None) -> None:
    """Every part, or the one that is named."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--data", type=Path, help="a dataset folder with modalities")
    parser.add_argument("--mmrec", type=Path, help="a clone of MMRec; without one it is not measured")
    parser.add_argument("--mmrec-data", type=Path, help="the folder of MMRec's data")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the logs")
    parser.add_argument("--work", type=Path, default=Path("gpu-runs"), help="folder of the runs, which are left there")
    parser.add_argument("--parts", nargs="+", default=list(SECONDS), choices=list(SECONDS), help="all by default")
    parser.add_argument("--part", choices=SECONDS, help="run this part alone, in this process")
    parser.add_argument("--sizes", type=int, nargs=3, default=(1_000_000, 100_000, 10_000_000), help="of `large`")
    parser.add_argument("--check", action="store_true", help="run on small made data, without a card on the CPU")
    options = parser.parse_args(given, argparse.Namespace(short={}))
    if options.check:
        _made_small(options)
    elif not torch.cuda.is_available():
        raise SystemExit("no CUDA card was found; nothing is measured (--check runs the script on the CPU)")
    elif options.data is None:
        raise SystemExit("name a dataset folder with modalities: --data DATASET")
    if options.part:
        globals()[options.part](options)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in options.parts:
        if part == "mmrec" and options.mmrec is None:
            say(part, ended="left out: --mmrec names no clone")
        elif _in_process(part, options, sys.argv[1:] if given is None else given) != 0:
            failed.append(part)
    if failed:
        raise SystemExit(f"not measured to the end: {', '.join(failed)}; see the logs in {options.out}")


def _made_small(options: argparse.Namespace) -> None:
    """Make the data of a check, once, and have trainings and the measured limits short."""
    limits._SIDE, options.short = 256, {"epochs": 2}
    options.data, options.sizes = options.work / "made", _SMALL
    if not options.data.exists():
        files.save(made(*_SMALL, modalities=2, width=16), options.data)


def _in_process(part: str, options: argparse.Namespace, given: Sequence[str]) -> Any:
    """Run one part in a process of its own; returns its exit code, or why there is none."""
    started, path = time.perf_counter(), options.out / f"gpu-{part}.log"
    with path.open("w") as log:
        command = [sys.executable, "-m", "benchmarks.gpu", *given, "--part", part]
        limit = None if options.check else SECONDS[part]
        try:
            code: Any = subprocess.run(command, stdout=log, stderr=log, timeout=limit, check=False).returncode
        except subprocess.TimeoutExpired:
            code = "time is up"
    print(path.read_text()[-6000:])
    say(part, ended=code, seconds=time.perf_counter() - started)
    return code


if __name__ == "__main__":
    main()

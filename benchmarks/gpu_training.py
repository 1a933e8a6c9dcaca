"""The parts of `benchmarks.gpu` that train: steps and validations, time to the best validation, 10^7 pairs."""

import argparse
import time
from itertools import islice
from typing import Any

import torch

from benchmarks import limits
from benchmarks.card import Busy, Tried, busy, card, clocked, fresh, limit_shares, say
from benchmarks.cases import made
from benchmarks.timing import on_device
from mmrecun import jobs, runs
from mmrecun.data import files, sparse
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.graph import build_inputs
from mmrecun.models.base import Recommender
from mmrecun.models.propagation import propagate
from mmrecun.rng import Seed
from mmrecun.training.captured import Steps
from mmrecun.training.epochs import DeviceEpochs, EpochTask
from mmrecun.training.loop import adam
from mmrecun.training.validation import validation_score

RATE = 2e-3
HALF_FROM = sparse._HALF_FROM  # read at import, so that a renamed limit fails here and is not measured as if it held


def steps(options: argparse.Namespace) -> None:
    """Epochs and validations of MGCN: captured and not, how busy the card is, shares of its limits."""
    dataset = files.load(options.data)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    there = torch.cuda.is_available()
    bounds = limits.measure(len(dataset.users) + len(dataset.items), rounds=9 if there else 1, device=card())
    say("limits", card=there and torch.cuda.get_device_name(), torch=torch.__version__, **bounds.as_json())
    tried = Tried()
    for batch, layers in ((2048, 2), (2048, 4), (4096, 4))[: 1 if options.check else 3]:
        with tried(f"epochs at batch {batch} with {layers} hops"):
            _epochs(dataset, sampler, batch, layers)
    with tried("shares of limits"):
        model = fresh("mgcn", dataset)
        inputs = build_inputs(dataset, model.required_inputs(), card())
        say("shares", **limit_shares(model, inputs, dataset, bounds))
    tried.end()


def _epochs(dataset: Dataset, sampler: NegativeSampler, batch: int, layers: int) -> None:
    """Time epochs and validations at one batch size and number of hops."""
    there = torch.cuda.is_available()
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

    def validate() -> float:
        return validation_score(model, inputs, dataset)

    seconds = clocked(validate, 15)
    found = busy(validate)
    say("validation", hops=layers, seconds=seconds, **_busy(found, seconds), longest=found.longest(5))


def _busy(found: Busy, seconds: float) -> dict[str, float]:
    return {"kernels": found.count, "kernel_seconds": found.seconds, "busy": found.seconds / seconds}


def fit(options: argparse.Namespace) -> None:
    """Time to the best validation, by batch and hops."""
    tried = Tried()
    for name, settings in {
        "cold": {"epochs": 3},
        "original": {},
        "as-mmrec": {"batch_size": 2048, "layers": 2},
        "slow-rate": {"batch_size": 2048, "layers": 2, "learning_rate": 1e-3},
        "bfloat16-hops": {"batch_size": 2048, "layers": 2},
    }.items():
        sparse._HALF_FROM = 0 if name == "bfloat16-hops" else HALF_FROM
        with tried(f"fit {name}"):
            _fitted(options, name, settings)
    tried.end()


def _fitted(options: argparse.Namespace, name: str, settings: dict[str, Any]) -> None:
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


def large(options: argparse.Namespace) -> None:
    """Time steps on made data of 10^7 pairs."""
    started = time.perf_counter()
    dataset = made(*options.sizes, modalities=1, width=64)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    say("made", pairs=len(dataset.train), seconds=time.perf_counter() - started)
    tried = Tried()
    for batch in (4096, 65536, 262144):
        with tried(f"bprmf at batch {batch}"):
            model = fresh("bprmf", dataset)
            inputs = build_inputs(dataset, model.required_inputs(), card())
            task = EpochTask(model, dataset.train, sampler, inputs, batch, adam(model, RATE))
            epochs = DeviceEpochs(task, card().type == "cuda")
            seconds = clocked(lambda epochs=epochs: epochs.run(Seed(1)), 1 if batch == 4096 else 3)  # type: ignore[misc]
            say("bprmf", batch=batch, epoch=seconds, triples_a_second=len(dataset.train) / seconds)
            del epochs, model
    for name in ("lightgcn", "mgcn"):
        with tried(f"steps of {name}"):
            started = time.perf_counter()
            model = fresh(name, dataset)
            inputs = build_inputs(dataset, model.required_inputs(), card())
            say("graphs", model=name, seconds=time.perf_counter() - started)
            _large_steps(name, model, inputs, DeviceTriples(dataset.train, sampler, card()))
            if name == "lightgcn":
                _hops(inputs, model)
    tried.end()


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

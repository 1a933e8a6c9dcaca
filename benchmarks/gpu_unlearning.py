"""The part of `benchmarks.gpu` that unlearns: against Gold, phase by phase, and captured against plain solves."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.card import Tried, busy, card, clocked, say
from benchmarks.originals import share
from benchmarks.phases import phase_rows
from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.manifest import Manifest
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.mmrecun.method import MMRecUn
from mmrecun.unlearning.mmrecun.restoring import BalanceSolver

IN_PHASES = "mgcn"
KERNELS_OF = IN_PHASES, "users"
OTHERS = ("lightgcn", "bprmf")
SHARES = {"pairs": 0.05, "users": 0.05, "items": 0.05, "heavy": 0.01}  # heavy: the most active users


def unlearning(options: argparse.Namespace) -> None:
    """Time requests against Gold, from the folder of an Original to a finished run; what fails costs nothing else."""
    dataset = files.load(options.data)
    tried = Tried()
    for model in (IN_PHASES, *OTHERS):
        run = options.work / ("original" if model == IN_PHASES else f"original-{model}")
        with tried(f"training of {model}"):
            if not run.exists():  # that of the part `fit` where it has run
                jobs.train(options.data, model, run, options.short)
            _forgotten(options, run, share(dataset, "pairs", 0.05), "warm")
        for target, ratio in SHARES.items() if run.exists() else ():
            with tried(f"{model}, {target}"):
                _request(options, model, target, run, share(dataset, target, ratio))
    for model in (IN_PHASES, *OTHERS):
        run = options.work / ("original" if model == IN_PHASES else f"original-{model}")
        with tried(f"solves of {model}"):
            _solves(model, run, share(dataset, "pairs", 0.05))
    tried.end()


def _forgotten(
    options: argparse.Namespace, run: Path, request: ForgetRequest, name: str, method: str = "mmrecun"
) -> Manifest:
    settings = {"min_cosine": -1} if options.check and method == "mmrecun" else {}  # a model trained for a moment, too
    return jobs.unlearn(run, request, options.work / f"{name}-{time.time_ns()}", method, settings)


def _request(options: argparse.Namespace, model: str, target: str, run: Path, request: ForgetRequest) -> None:
    """Measure one request beside Gold, and by phase for one of the models."""
    gold = _against_gold(model, target, lambda method: _forgotten(options, run, request, method, method))
    if model == IN_PHASES:
        _phases(target, lambda: _forgotten(options, run, request, "phases"), gold)
    if (model, target) == KERNELS_OF:  # the profiler takes far longer than the request
        _kernels(target, lambda: _forgotten(options, run, request, "kernels"), gold)


def _against_gold(model: str, target: str, forget: Callable[[str], Manifest]) -> float:
    """Take the method three times and Gold once; returns Gold's seconds."""
    taken: dict[str, list[float]] = {"mmrecun": [], "retrain": []}
    methods: dict[str, float | None] = {}
    for method in ("mmrecun", "mmrecun", "mmrecun", "retrain"):
        started = time.perf_counter()
        methods[method] = forget(method).seconds
        taken[method].append(time.perf_counter() - started)
    seconds = {method: sorted(each)[len(each) // 2] for method, each in taken.items()}
    ratio = seconds["retrain"] / seconds["mmrecun"]
    say("unlearning", model=model, target=target, seconds=seconds, method=methods, ratio=ratio)
    return seconds["retrain"]


def _phases(target: str, action: Callable[[], object], gold: float) -> None:
    """Say where one unlearning spends its time, in seconds and as a share of Gold's, and what it launches."""
    for phase in phase_rows(action, gold):
        say("phase", target=target, **phase)


def _kernels(target: str, action: Callable[[], object], gold: float) -> None:
    """Say how long the kernels of one unlearning take, and which take longest."""
    found = busy(action)
    say("kernels", target=target, kernels=found.count, seconds=found.seconds, gold=gold, longest=found.longest(12))


def _solves(model: str, folder: Path, request: ForgetRequest) -> None:
    """Time a Gauss-Newton step with captured conjugate gradient steps and with plain ones, which may be fewer."""
    run = runs.load(folder)
    partition, config = Partition.from_request(run.dataset, request), MMRecUn.Config()
    for capture in (True, False) if card().type == "cuda" else (False,):
        task: Any = Task.of(run.model, partition, run.training, Seed(0))
        solver = BalanceSolver(task, config.negatives, -1, capture)
        say("solve", model=model, captured=capture, seconds=clocked(lambda s=solver: s.newton_step(8), 3))  # type: ignore[misc]

"""The part of `benchmarks.gpu` that unlearns: against Gold, phase by phase, and captured against plain solves."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.card import busy, card, clocked, say
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
OTHERS = ("lightgcn", "bprmf")
TARGETS = ("pairs", "users", "items")


def unlearning(options: argparse.Namespace) -> None:
    """Time requests of 5% against Gold, from the folder of an Original to a finished run."""
    dataset = files.load(options.data)
    settings = {"min_cosine": -1} if options.check else {}  # a model trained for a moment is solved for, too
    for model in (IN_PHASES, *OTHERS):
        run = _original(options, model)

        def forget(name: str, request: ForgetRequest, method: str = "mmrecun", run: Path = run) -> Manifest:
            out = options.work / f"{name}-{time.time_ns()}"
            return jobs.unlearn(run, request, out, method, settings if method == "mmrecun" else {})

        forget("warm", share(dataset, "pairs", 0.05))
        for target in TARGETS:
            request = share(dataset, target, 0.05)
            gold = _against_gold(model, target, lambda method, r=request: forget(method, r, method))  # type: ignore[misc]
            if model == IN_PHASES:
                _phases(target, lambda r=request: forget("phases", r), gold)  # type: ignore[misc]
        _solves(model, run, share(dataset, "pairs", 0.05))


def _original(options: argparse.Namespace, model: str) -> Path:
    """Return the folder of a trained model; that of the part `fit` where it has run."""
    folder: Path = options.work / ("original" if model == IN_PHASES else f"original-{model}")
    if not folder.exists():
        jobs.train(options.data, model, folder, options.short)
    return folder


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
    found = busy(action)
    for phase in phase_rows(action, gold):
        say("phase", target=target, **phase)
    say("kernels", target=target, kernels=found.count, seconds=found.seconds, gold=gold, longest=found.longest(12))


def _solves(model: str, folder: Path, request: ForgetRequest) -> None:
    """Time a Gauss-Newton step with captured conjugate gradient steps and with plain ones, which may be fewer."""
    run = runs.load(folder)
    partition, config = Partition.from_request(run.dataset, request), MMRecUn.Config()
    for capture in (True, False) if card().type == "cuda" else (False,):
        task: Any = Task.of(run.model, partition, run.training, Seed(0))
        solver = BalanceSolver(task, config.negatives, -1, capture)
        say("solve", model=model, captured=capture, seconds=clocked(lambda s=solver: s.newton_step(8), 5))  # type: ignore[misc]

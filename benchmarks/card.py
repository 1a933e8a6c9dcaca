"""What is measured on a CUDA card: seconds, how busy it is, and at which share of its limits it works."""

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.counting import Counting
from benchmarks.limits import Limits
from benchmarks.timing import on_device
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.interactions import Split
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.propagation import propagate
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.training.losses import training_loss
from mmrecun.training.validation import validation_score

_PRODUCTS = ("gemm", "nvjet", "cutlass", "xmma", "aten::mm", "aten::addmm", "aten::bmm")  # kernels; torch's on a CPU


@dataclass(frozen=True)
class Busy:
    """What the card did.

    Attributes:
        by_kernel: seconds by the kernels' names.
        count: of launches.
    """

    by_kernel: dict[str, float]
    count: int

    @property
    def seconds(self) -> float:
        """In all kernels."""
        return sum(self.by_kernel.values())

    @property
    def products(self) -> float:
        """Seconds in dense products."""
        return sum(s for name, s in self.by_kernel.items() if any(part in name.lower() for part in _PRODUCTS))

    def longest(self, number: int) -> dict[str, float]:
        """Return the kernels that took longest, in microseconds, by the beginnings of their names."""
        return {name[:90]: round(1e6 * s, 1) for name, s in Counter(self.by_kernel).most_common(number)}


def synchronize() -> None:
    """Wait for the card, where there is one; not while a graph is captured, since nothing is computed then."""
    if torch.cuda.is_available() and not torch.cuda.is_current_stream_capturing():
        torch.cuda.synchronize()


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


class Tried:
    """Blocks of which one that fails costs no other: it is said, with its error, and remembered."""

    def __init__(self) -> None:
        self._failed: list[str] = []

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Run a block."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            self._failed.append(what)
            say("failed", what=what, error=f"{type(error).__name__}: {error}")

    def end(self) -> None:
        """End the process with an error if any block failed."""
        if self._failed:
            raise SystemExit(f"failed: {'; '.join(self._failed)}")


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


def busy(action: Callable[[], object]) -> Busy:
    """Return what the card does during one call of `action`; without a card, the operations of the CPU."""
    card = torch.cuda.is_available()
    synchronize()
    with profile(activities=[ProfilerActivity.CUDA if card else ProfilerActivity.CPU]) as found:
        action()
        synchronize()
    kind = torch.autograd.DeviceType.CUDA if card else torch.autograd.DeviceType.CPU
    seconds: Counter[str] = Counter()
    count = 0
    for event in found.events():
        if event.device_type == kind:
            seconds[event.name] += 1e-6 * (event.device_time_total if card else event.self_cpu_time_total)
            count += 1
    return Busy(dict(seconds), count)


def limit_shares(model: Recommender, inputs: Any, dataset: Dataset, limits: Limits) -> dict[str, float]:
    """Time at the card's limit over time taken: hops by memory traffic, dense products of a step by arithmetic."""
    graph = inputs.user_item
    users, items = (table.weight.detach() for table in model.id_tables().values())
    hop = min(on_device(lambda: propagate(graph, users, items, 4), 3)) / 4
    entries, nodes = graph.forward.values().numel(), len(users) + len(items)
    moved = entries * (4 * users.shape[1] + 8) + 2 * 4 * nodes * users.shape[1]
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    drawn = DeviceTriples(dataset.train, sampler, users.device)
    triples = next(drawn.epoch(2048, torch.Generator(users.device).manual_seed(0)))

    def step() -> None:
        training_loss(model, model.batch_vectors(inputs, triples)).backward()  # type: ignore[no-untyped-call]

    step()
    with Counting() as counting:
        step()
    half = counting.flops[torch.bfloat16]
    full = sum(counting.flops.values()) - half
    best = 1e-9 * (full / limits.dense_fp32 + half / limits.dense_bf16)
    return {
        "hop_microseconds": 1e6 * hop,
        "hop_share_of_copy": 1e-9 * moved / hop / limits.copy,
        "dense_gflop_fp32": 1e-9 * full,
        "dense_gflop_bf16": 1e-9 * half,
        "dense_share": best / busy(step).products,
        "validation_share": _validation_share(model, inputs, dataset, limits),
    }


def _validation_share(model: Recommender, inputs: Any, dataset: Dataset, limits: Limits) -> float:
    """Time of the product of validated users and all items alone, at the card's limit, over that of a validation."""
    asked = len(np.unique(dataset.interactions.split(Split.VALID).users))
    with torch.no_grad():
        width = model.vectors(inputs).users.shape[1]
    flops = 2e-9 * asked * len(dataset.items) * width
    return flops / limits.dense_fp32 / clocked(lambda: validation_score(model, inputs, dataset), 5)

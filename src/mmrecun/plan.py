"""What a training would take: memory from sizes alone, time from a few real steps when they fit."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrecun import jobs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.data.triples import NegativeSampler, epoch
from mmrecun.device import prepare, resolve
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, one_pass
from mmrecun.training.losses import training_loss

_FLOAT = 4
_PROCESS_BYTES = 450 << 20
_STEPS = 4
_COPIES_OF_PARAMETERS = 5  # values, gradients, two moments of Adam, the best so far


@dataclass(frozen=True)
class Plan:
    """What a training would take.

    Attributes:
        memory_bytes: peak of the process.
        available_bytes: free memory of this machine now.
        seconds_per_epoch: one pass over the training pairs, validation not included; None when it would not fit.
        parameters: trainable numbers.
    """

    memory_bytes: int
    available_bytes: int
    seconds_per_epoch: float | None
    parameters: int


def plan(data: Path, model: str, settings: Mapping[str, Any] | None = None, device: str = "auto") -> Plan:
    """Predict memory from sizes and measure a few steps, if they fit."""
    prepare()
    cls = model_class(model)
    config, training = jobs.split_settings(cls.Config, TrainConfig, settings or {})
    dataset = files.load(data)
    recommender = cls(config, Sizes.of_dataset(dataset), Seed(0).torch())
    parameters = sum(parameter.numel() for parameter in recommender.parameters())
    memory = _PROCESS_BYTES + _training_bytes(recommender, dataset, parameters, training.batch_size)
    available = available_bytes()
    seconds = None
    if memory < available:
        seconds = _seconds_per_epoch(recommender.to(resolve(device)), dataset, training)
    return Plan(memory, available, seconds, parameters)


def available_bytes() -> int:
    """Free memory, from the system's own count."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _training_bytes(model: Recommender, dataset: Dataset, parameters: int, batch: int) -> int:
    spec, dim = model.spec(), model.settings.dim
    nodes, items = len(dataset.users) + len(dataset.items), len(dataset.items)
    modalities = len(model.modalities())
    hops = 3 + getattr(model.settings, "layers", 0)
    activations = nodes * dim * (2 * hops + 14 * modalities * bool(spec.user_item))
    features = sum(dataset.modalities[name].width for name in model.modalities()) * items * 3
    edges = (4 * 2 * len(dataset.train) * bool(spec.user_item) + 2 * modalities * spec.neighbours * items) * 3
    return _FLOAT * (_COPIES_OF_PARAMETERS * parameters + activations + features + edges + 8 * batch * dim)


def _seconds_per_epoch(model: Recommender, dataset: Dataset, training: TrainConfig) -> float:
    device = next(model.parameters()).device
    inputs = build_inputs(dataset, model.spec(), device)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    steps = list(epoch(dataset.train, sampler, training.batch_size, Seed(0).numpy()))
    optimizer = adam(model, training.learning_rate)
    spent: list[float] = []
    for triples in steps[: _STEPS + 1]:
        started = time.perf_counter()
        one_pass([triples.to(device)], lambda batch: training_loss(model, model.at(inputs, batch)), optimizer)
        spent.append((time.perf_counter() - started) * len(dataset.train) / len(triples))
    return sorted(spent)[len(spent) // 2]

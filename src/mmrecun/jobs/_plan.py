"""What a training would take: memory from sizes alone, time from a few real steps when they fit."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from mmrecun.data import files
from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.files import FolderSizes
from mmrecun.data.graph import build_inputs
from mmrecun.device import prepare, resolve
from mmrecun.errors import ConfigError
from mmrecun.models.base import ModelConfig, Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.settings import split_settings
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss

_FLOAT, _INDEX, _ROW = 4, 4, 8
_PROCESS_BYTES = 430 << 20
_PAIR_BYTES = 180  # of each pair while a dataset folder is read: its ids as text, its rows, its split
_STEPS = 4
_COPIES_OF_PARAMETERS = 5  # values, gradients, two moments of Adam, the best so far
_COPIES_AT_SAVING = 8  # values, moments and the best as bytes, twice: the state that an interrupted training leaves
_NODE_COPIES = 10  # of [U + I, D] that a step over the user-item graph holds at its peak
_USER_COPIES, _ITEM_COPIES = 3, 8  # of [U, D] and [I, D] for each modality, likewise
_MEMORY, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Plan:
    """What a training would take.

    Attributes:
        memory_bytes: peak of the process.
        available_bytes: what this machine has left for it now.
        seconds_per_epoch: one pass over the training pairs, validation not included; None when it would not fit.
        parameters: trainable numbers.
        advice: what to change when it would not fit.
    """

    memory_bytes: int
    available_bytes: int
    seconds_per_epoch: float | None
    parameters: int
    advice: str = ""

    @property
    def fits(self) -> bool:
        """Whether this machine has the memory."""
        return self.memory_bytes < self.available_bytes


def plan(data: Path, model: str, settings: Mapping[str, Any] | None = None, device: str = "auto") -> Plan:
    """Predict memory from sizes, which are read without the data, and measure a few steps, if they fit."""
    prepare()
    cls = model_class(model)
    config, training = split_settings(cls.Config, TrainConfig, settings or {})
    sizes, available = files.sizes(data), available_bytes()
    config.check_modalities(list(sizes.widths))
    memory, parameters = training_bytes(cls, config, sizes, training.batch_size)
    if memory >= available:
        advice = _advice(cls, config, sizes, training.batch_size, available)
        return Plan(memory, available, None, parameters, advice)
    dataset = files.load(data)
    recommender = cls(config, Sizes.of_dataset(dataset), Seed(0).torch())
    seconds = _seconds_per_epoch(recommender.to(resolve(device)), dataset, training)
    return Plan(memory, available, seconds, parameters)


def refuse_impossible(data: Path, model: str, settings: Mapping[str, Any] | None = None) -> None:
    """Refuse a training whose parameters, with gradients and moments, do not fit the memory that is free.

    Raises:
        ConfigError: with settings that would fit.
    """
    cls = model_class(model)
    config, training = split_settings(cls.Config, TrainConfig, settings or {})
    sizes, available = files.sizes(data), available_bytes()
    needed = _FLOAT * 4 * training_bytes(cls, config, sizes, training.batch_size)[1]
    if needed > available:
        advice = _advice(cls, config, sizes, training.batch_size, available)
        taken, free = (f"{size / (1 << 30):,.1f} GiB" for size in (needed, available))
        raise ConfigError(f"the parameters of {model} alone would take {taken}, of {free} free; {advice}")


def available_bytes() -> int:
    """Memory that can still be taken: the system's own estimate, and what the control group allows."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = dict(line.split(":") for line in _MEMORY.read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError):
        pass
    try:
        allowed, used = ((_GROUP / f"memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        return min(free, max(0, int(allowed) - int(used)))
    except (OSError, ValueError):  # no group, or "max": no limit
        return free


def training_bytes(cls: type[Recommender], config: ModelConfig, sizes: FolderSizes, batch: int) -> tuple[int, int]:
    """The peak of a training process, and how many parameters the model has.

    The process first holds the text of the folder, then graphs while they are built, then graphs, parameters and what
    a step keeps for its gradient, or what it takes to save them; the largest of these counts.
    """
    with torch.device("meta"):
        probe = cls(config, Sizes(users=1, items=1, widths=sizes.widths), None)
    rows = {"users": sizes.users, "items": sizes.items}
    tables = {name: (rows[table.side], table.weight.shape[1]) for name, table in probe.tables().items()}
    others = sum(parameter.numel() for name, parameter in probe.named_parameters() if name not in tables)
    parameters = others + sum(height * width for height, width in tables.values())
    spec, read = probe.required_inputs(), probe.modalities()
    nodes, edges = sizes.users + sizes.items, sizes.train * spec.user_item
    graphs = edges * 4 * (_FLOAT + _INDEX) + sizes.items * len(read) * spec.neighbours * 2 * (_FLOAT + _INDEX)
    features = sum(sizes.widths[name] for name in read) * sizes.items * _FLOAT
    hops = config.dim * nodes * spec.user_item * _NODE_COPIES
    branches = len(read) * config.dim * (sizes.users * spec.user_item * _USER_COPIES + sizes.items * _ITEM_COPIES)
    step = _FLOAT * (_COPIES_OF_PARAMETERS * parameters + hops + branches + 12 * batch * config.dim) + features * 2
    data_bytes = (sizes.pairs + sizes.train) * (2 * _ROW + 1 + 8) + sizes.feature_bytes
    drawn = sizes.train * 7 * _ROW
    saving = _FLOAT * (_COPIES_OF_PARAMETERS + _COPIES_AT_SAVING) * parameters
    building = edges * 5 * _ROW + features
    reading = sizes.pairs * _PAIR_BYTES
    return _PROCESS_BYTES + max(
        reading, data_bytes + graphs + max(building, drawn, drawn // 2 + step, saving)
    ), parameters


def _advice(cls: type[Recommender], config: ModelConfig, sizes: FolderSizes, batch: int, available: int) -> str:
    """A smaller `dim` that fits, or what else to do."""
    dim = config.dim // 2
    while dim >= 8:
        needed, _ = training_bytes(cls, config.model_copy(update={"dim": dim}), sizes, batch)
        if needed < available:
            return f"--set dim={dim} would take {needed / (1 << 30):.1f} GiB"
        dim //= 2
    return "take a machine with more memory, or import fewer pairs, such as with --k-core"


def _seconds_per_epoch(model: Recommender, dataset: Dataset, training: TrainConfig) -> float:
    device = next(model.parameters()).device
    inputs = build_inputs(dataset, model.required_inputs(), device)
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    optimizer = adam(model, training.learning_rate)
    started = time.perf_counter()
    batches = bpr_batches(dataset.train, sampler, training.batch_size, Seed(0).numpy(), device)
    drawn = list(islice(batches, _STEPS + 1))
    drawing = time.perf_counter() - started
    spent: list[float] = []
    for triples in drawn:
        started = time.perf_counter()
        train_batches([triples], lambda batch: training_loss(model, model.batch_vectors(inputs, batch)), optimizer)
        spent.append((time.perf_counter() - started) * len(dataset.train) / len(triples))
    counted = sorted(spent[1:] or spent)  # the first step warms up
    return drawing + counted[len(counted) // 2]

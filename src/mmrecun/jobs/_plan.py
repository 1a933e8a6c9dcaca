"""Predict training, evaluation and audit: memory from sizes, time from a few real steps if they fit."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrecun import runs
from mmrecun.auditing.sampling import sample_size
from mmrecun.chunked.folders import is_mapped
from mmrecun.data import files
from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.files import FolderSizes
from mmrecun.data.graph import GraphInputs, build_inputs
from mmrecun.data.interactions import Split
from mmrecun.device import prepared, resolve
from mmrecun.errors import ConfigError
from mmrecun.evaluation.evaluate import evaluate
from mmrecun.jobs._footprint import FLOAT, PROCESS_BYTES, ROW, footprint
from mmrecun.models.base import ModelConfig, Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.settings import split_settings
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss

_STEPS = 4
_COPIES_OF_PARAMETERS = 5  # values, gradients, two moments of Adam, the best so far
_RANKED = 1000  # users of the sample that is ranked for the time of an evaluation
# Fitted to audits of LightGCN and MGCN on 30,000 to 800,000 pairs, within a quarter of each: an audit takes this long,
# and for each model that it measures as long as so many evaluations, and this much for each pair.
_AUDIT_SECONDS, _EVALUATIONS, _SECONDS_PER_PAIR = 5.0, 4.0, 6e-6
_MEMORY, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Plan:
    """Predicted memory and time of a training, and of evaluating and auditing its run.

    Attributes:
        model: registered name.
        memory_bytes: peak of the process.
        available_bytes: memory that is free on this machine now.
        seconds_per_epoch: time of one pass over the training pairs, without validation; None if it does not fit.
        parameters: trainable numbers.
        evaluate_bytes, audit_bytes: peak of a process that evaluates such a run, or audits one without Gold.
        evaluate_seconds, audit_seconds: their times; None if the training does not fit.
        gold_seconds: further time of an audit for each Gold.
        advice: what to change if it does not fit.
    """

    model: str
    memory_bytes: int
    available_bytes: int
    seconds_per_epoch: float | None
    parameters: int
    evaluate_bytes: int
    audit_bytes: int
    evaluate_seconds: float | None = None
    audit_seconds: float | None = None
    gold_seconds: float | None = None
    advice: str = ""

    @property
    def fits(self) -> bool:
        """Say whether this machine has enough free memory."""
        return self.memory_bytes < self.available_bytes


@prepared()
def plan(data: Path, model: str | None = None, settings: Mapping[str, Any] | None = None, device: str = "auto") -> Plan:
    """Predict memory from sizes, which are read without the data, and measure a few steps, if they fit.

    Args:
        data: a dataset folder; or a run folder, for its dataset, model and settings.
        model: registered name; "mgcn", or the run's own, by default.
        settings: settings of the model and of `TrainConfig`; they override the run's own.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ConfigError: for an unknown model or setting, or another model than the run's.
        DataError: when the folder is neither.
    """
    data, model, settings = _subject(data, model, settings or {})
    cls = model_class(model)
    config, training = split_settings(cls.Config, TrainConfig, settings)
    sizes, available = files.sizes(data), available_bytes()
    config.check_modalities(list(sizes.widths))
    memory, parameters = training_bytes(cls, config, sizes, training.batch_size)
    parts = footprint(cls, config, sizes)
    if memory >= available:
        advice = _advice(cls, config, sizes, training.batch_size, available)
        return Plan(model, memory, available, None, parameters, parts.evaluation, parts.audit, advice=advice)
    dataset = files.load(data)
    recommender = cls(config, Sizes.of_dataset(dataset), Seed(0).torch()).to(resolve(device))
    started = time.perf_counter()
    inputs = build_inputs(dataset, recommender.required_inputs(), next(recommender.parameters()).device)
    building = time.perf_counter() - started
    epoch = _seconds_per_epoch(recommender, inputs, dataset, training)
    answering, ranking = _seconds_of_ranking(recommender, inputs, dataset)
    ranked = building + answering + ranking
    share = sample_size(sizes.users, sizes.items) / max(1, sizes.users)  # share of users with lists in an audit
    each = _EVALUATIONS * (building + answering + share * ranking) + _SECONDS_PER_PAIR * sizes.pairs  # for one model
    times = ranked, _AUDIT_SECONDS + 2 * each, each
    return Plan(model, memory, available, epoch, parameters, parts.evaluation, parts.audit, *times)


def _subject(data: Path, model: str | None, settings: Mapping[str, Any]) -> tuple[Path, str, Mapping[str, Any]]:
    """Return the dataset folder, model and settings that are meant."""
    if is_mapped(data):
        raise ConfigError(f"{data} is a run in chunks, which does not say where its data lie; name the dataset folder")
    if not (data / runs.MANIFEST).is_file():
        return data, model or "mgcn", settings
    manifest = runs.read_manifest(data)
    if manifest.foreign is not None:
        raise ConfigError(f"{data} holds a model of {manifest.foreign.like}, which that library trains: name a dataset")
    if model not in (None, manifest.model):
        raise ConfigError(f"{data} is a run of '{manifest.model}'; leave out --model {model}, or name a dataset folder")
    return data / manifest.dataset.path, manifest.model, {**manifest.settings, **manifest.training, **settings}


def refuse_impossible(data: Path, model: str, settings: Mapping[str, Any] | None = None) -> None:
    """Refuse a training whose parameters, with gradients and moments, do not fit the memory that is free.

    Raises:
        ConfigError: with settings that would fit.
    """
    cls = model_class(model)
    config, training = split_settings(cls.Config, TrainConfig, settings or {})
    sizes, available = files.sizes(data), available_bytes()
    needed = FLOAT * 4 * training_bytes(cls, config, sizes, training.batch_size)[1]
    if needed > available:
        advice = _advice(cls, config, sizes, training.batch_size, available)
        taken, free = (f"{size / (1 << 30):,.1f} GiB" for size in (needed, available))
        raise ConfigError(f"the parameters of {model} alone would take {taken}, of {free} free; {advice}")


def available_bytes() -> int:
    """Return the memory that is free: the system's own estimate, and what the control group allows."""
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
    """Return the peak of a training process, and how many parameters the model has.

    The process first holds the text of the folder, then graphs while they are built, then graphs, parameters and what
    a step keeps for its gradient; the largest of these counts.
    """
    parts = footprint(cls, config, sizes)
    step = FLOAT * (_COPIES_OF_PARAMETERS * parts.parameters + 12 * batch * config.dim) + parts.layers
    drawn = sizes.train * 7 * ROW
    work = max(parts.building, drawn, drawn // 2 + step + 2 * parts.features)
    return PROCESS_BYTES + max(parts.reading, parts.data + parts.graphs + work), parts.parameters


def _advice(cls: type[Recommender], config: ModelConfig, sizes: FolderSizes, batch: int, available: int) -> str:
    """Return a smaller `dim` that fits, or what else to do."""
    dim = config.dim // 2
    while dim >= 8:
        needed, _ = training_bytes(cls, config.model_copy(update={"dim": dim}), sizes, batch)
        if needed < available:
            return f"--set dim={dim} would take {needed / (1 << 30):.1f} GiB"
        dim //= 2
    return "take a machine with more memory, or import fewer pairs, such as with --k-core"


def _seconds_of_ranking(model: Recommender, inputs: GraphInputs, dataset: Dataset) -> tuple[float, float]:
    """Time the computation of all vectors, and extrapolate the evaluation of all users from a sample."""
    started = time.perf_counter()
    with torch.no_grad():
        vectors = model.vectors(inputs)
    answering = time.perf_counter() - started
    truth = max((dataset.interactions.split(split) for split in (Split.TEST, Split.VALID)), key=len)
    asked = np.intersect1d(truth.users, dataset.train.users)
    if not len(asked):
        return answering, 0.0
    chosen = asked[np.linspace(0, len(asked) - 1, min(_RANKED, len(asked))).astype(np.int64)]
    sample = truth.select(np.isin(truth.users, chosen))
    spent = evaluate(vectors.users, vectors.items, dataset.train, sample).seconds
    return answering, spent * len(asked) / len(chosen)


def _seconds_per_epoch(model: Recommender, inputs: GraphInputs, dataset: Dataset, training: TrainConfig) -> float:
    device = next(model.parameters()).device
    sampler = NegativeSampler.of_dataset(dataset)
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

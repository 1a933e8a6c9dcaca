"""Epochs of training over the same pairs: batches are drawn by NumPy for a CPU, and on the device for CUDA."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch

from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.device_triples import DeviceTriples
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions
from mmrecun.errors import DivergedError
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.training.captured import Steps
from mmrecun.training.loop import diverged, train_batches
from mmrecun.training.losses import training_loss


@dataclass(frozen=True)
class EpochTask:
    """A model, its data and the optimiser.

    Attributes:
        model: trained in place.
        pairs: positives; an epoch takes each once.
        sampler: draws their negatives.
        inputs: graphs and features of the model.
        batch_size: triples in a step.
        optimizer: optimiser of the model's parameters.
    """

    model: Recommender
    pairs: Interactions
    sampler: NegativeSampler
    inputs: GraphInputs
    batch_size: int
    optimizer: torch.optim.Optimizer

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device


class Epochs(Protocol):
    """Trains a model, epoch after epoch."""

    def run(self, seed: Seed) -> float:
        """Train for one epoch in place, drawing everything from `seed`, and return the mean loss.

        Raises:
            DivergedError: when the loss is no longer finite.
        """


def epochs_of(task: EpochTask) -> Epochs:
    """Return the epochs for the device of the model."""
    return DeviceEpochs(task) if task.device.type == "cuda" else HostEpochs(task)


class HostEpochs:
    """Draws each epoch with NumPy and steps batch by batch; on a CPU the same seed gives the same bits."""

    def __init__(self, task: EpochTask) -> None:
        self._task = task

    def run(self, seed: Seed) -> float:
        """Train for one epoch; see `Epochs`."""
        task, model = self._task, self._task.model
        model.dropout_rng = seed.child("noise").torch(task.device)
        read = model.epoch_inputs(task.inputs, seed.child("inputs").torch())
        try:
            return train_batches(
                bpr_batches(task.pairs, task.sampler, task.batch_size, seed.numpy(), task.device),
                lambda triples: training_loss(model, model.batch_vectors(read, triples)),
                task.optimizer,
            )
        finally:
            model.dropout_rng = None


class DeviceEpochs:
    """Draws each epoch on the model's device and takes its steps there, captured by default."""

    def __init__(self, task: EpochTask, capture: bool = True) -> None:
        self._task = task
        self._triples = DeviceTriples(task.pairs, task.sampler, task.device)
        self._steps = Steps(task.model, task.optimizer, capture)
        self._rng = torch.Generator(task.device)

    def run(self, seed: Seed) -> float:
        """Train for one epoch; see `Epochs`.

        Raises:
            DivergedError: when the loss is no longer finite.
        """
        task, model, noise = self._task, self._task.model, self._steps.noise
        noise.manual_seed(seed.child("noise").value)
        self._rng.manual_seed(seed.value)
        model.dropout_rng = noise
        read = model.epoch_inputs(task.inputs, seed.child("inputs").torch())
        try:
            mean = self._steps.run(self._triples.epoch(task.batch_size, self._rng), read)
        finally:
            model.dropout_rng = None
        if not math.isfinite(mean):
            raise DivergedError(diverged(mean))
        return mean

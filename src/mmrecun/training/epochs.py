"""Epochs of training over the same pairs: batches are drawn by NumPy for a CPU, and on the device for CUDA."""

import math
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


class Epochs(Protocol):
    """Trains a model, epoch after epoch."""

    def run(self, seed: Seed) -> float:
        """Train for one epoch in place, drawing everything from `seed`, and return the mean loss.

        Raises:
            DivergedError: when the loss is no longer finite.
        """


def epochs_of(
    model: Recommender,
    pairs: Interactions,
    sampler: NegativeSampler,
    inputs: GraphInputs,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
) -> Epochs:
    """Return the epochs over `pairs` for the device of `model`."""
    if next(model.parameters()).device.type == "cuda":
        return DeviceEpochs(model, pairs, sampler, inputs, batch_size, optimizer)
    return HostEpochs(model, pairs, sampler, inputs, batch_size, optimizer)


class HostEpochs:
    """Draws each epoch with NumPy and takes its steps one by one; on a CPU the same seed gives the same bits."""

    def __init__(
        self,
        model: Recommender,
        pairs: Interactions,
        sampler: NegativeSampler,
        inputs: GraphInputs,
        batch_size: int,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._model, self._optimizer, self._inputs = model, optimizer, inputs
        self._pairs, self._sampler, self._batch_size = pairs, sampler, batch_size

    def run(self, seed: Seed) -> float:
        """Train for one epoch; see `Epochs`."""
        model = self._model
        device = next(model.parameters()).device
        model.dropout_rng = seed.child("noise").torch(device)
        read = model.epoch_inputs(self._inputs, seed.child("inputs").torch())
        try:
            return train_batches(
                bpr_batches(self._pairs, self._sampler, self._batch_size, seed.numpy(), device),
                lambda triples: training_loss(model, model.batch_vectors(read, triples)),
                self._optimizer,
            )
        finally:
            model.dropout_rng = None


class DeviceEpochs:
    """Draws each epoch on the model's device and takes its steps there, captured by default."""

    def __init__(
        self,
        model: Recommender,
        pairs: Interactions,
        sampler: NegativeSampler,
        inputs: GraphInputs,
        batch_size: int,
        optimizer: torch.optim.Optimizer,
        capture: bool = True,
    ) -> None:
        self._model, self._inputs, self._batch_size = model, inputs, batch_size
        device = next(model.parameters()).device
        self._triples = DeviceTriples(pairs, sampler, device)
        self._steps = Steps(model, optimizer, capture)
        self._rng = torch.Generator(device)

    def run(self, seed: Seed) -> float:
        """Train for one epoch; see `Epochs`.

        Raises:
            DivergedError: when the loss is no longer finite.
        """
        model, noise = self._model, self._steps.noise
        noise.manual_seed(seed.child("noise").value)
        self._rng.manual_seed(seed.value)
        model.dropout_rng = noise
        read = model.epoch_inputs(self._inputs, seed.child("inputs").torch())
        try:
            mean = self._steps.run(self._triples.epoch(self._batch_size, self._rng), read)
        finally:
            model.dropout_rng = None
        if not math.isfinite(mean):
            raise DivergedError(diverged(mean))
        return mean

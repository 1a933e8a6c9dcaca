"""Train a recommender on a dataset, stopping when validation no longer improves."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from mmrecun.data.bpr_sampling import NegativeSampler, bpr_batches
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions
from mmrecun.errors import DivergedError
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.settings import Settings
from mmrecun.training.checkpoint import TrainState, load_train_state, save_train_state
from mmrecun.training.loop import Progress, adam, no_progress, train_batches
from mmrecun.training.losses import training_loss

Validate = Callable[[Recommender], float]


class TrainConfig(Settings):
    """Settings of a training.

    Attributes:
        epochs: at most.
        batch_size: triples a step.
        learning_rate: of Adam.
        patience: validations without improvement before it stops.
        patience_steps: steps without improvement that there must be as well: an epoch of little data is few steps.
        validate_every: epochs between validations.
    """

    epochs: PositiveInt = 1000
    batch_size: PositiveInt = 4096
    learning_rate: PositiveFloat = 2e-3
    patience: PositiveInt = 20
    patience_steps: NonNegativeInt = 300
    validate_every: PositiveInt = 1


@dataclass(frozen=True)
class ResumePoint:
    """Where an interrupted training leaves its state.

    Attributes:
        path: the file; removed by whoever saves the finished run.
        key: names data, settings and seed; only an equal key is resumed.
        every_seconds: between two savings.
    """

    path: Path
    key: str
    every_seconds: float = 20.0


@dataclass(frozen=True)
class FitResult:
    """What a training did.

    Attributes:
        best_epoch, epochs: the epoch whose parameters the model has now, and how many were run.
        valid: the validation score there.
        history: per epoch `epoch`, `loss`, `seconds` and, where it was measured, `valid`.
        seconds: in all.
    """

    best_epoch: int
    epochs: int
    valid: float
    history: list[dict[str, float]]
    seconds: float


def fit(
    model: Recommender,
    dataset: Dataset,
    inputs: GraphInputs,
    config: TrainConfig,
    seed: Seed,
    validate: Validate,
    progress: Progress = no_progress,
    resume: ResumePoint | None = None,
) -> FitResult:
    """Train `model` in place and leave it with the parameters that validated best.

    Every epoch draws from its own child of `seed`, so a resumed training repeats an undisturbed one bit for bit.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    optimizer = adam(model, config.learning_rate)
    state = load_train_state(resume.path, resume.key, model, optimizer) if resume else TrainState()
    sampler = NegativeSampler(dataset.train, len(dataset.users), len(dataset.items))
    started = time.perf_counter() - state.seconds
    saved = -math.inf  # the first epoch is kept at once

    steps = math.ceil(len(dataset.train) / config.batch_size)

    while state.epoch < config.epochs and not should_stop(state, config, steps):
        begun = time.perf_counter()
        drawn = seed.child(f"epoch {state.epoch}")
        loss = train_epoch(model, dataset.train, sampler, inputs, config.batch_size, drawn, optimizer)
        state.epoch += 1
        row = {"epoch": state.epoch, "loss": loss, "seconds": time.perf_counter() - begun}
        if state.epoch % config.validate_every == 0 or state.epoch == config.epochs:
            row["valid"] = validate(model)
            _keep_best(state, model, row["valid"])
        state.history.append(row)
        state.seconds = time.perf_counter() - started
        progress(state.epoch, config.epochs, f"loss {loss:.4f}  best valid {state.best_score:.4f} @ {state.best_epoch}")
        if resume and time.perf_counter() - saved >= resume.every_seconds:
            save_train_state(resume.path, resume.key, state, model, optimizer)
            saved = time.perf_counter()
    model.load_state_dict(state.best)
    return FitResult(state.best_epoch, state.epoch, state.best_score, state.history, state.seconds)


def train_epoch(
    model: Recommender,
    pairs: Interactions,
    sampler: NegativeSampler,
    inputs: GraphInputs,
    batch_size: int,
    seed: Seed,
    optimizer: torch.optim.Optimizer,
) -> float:
    """Train `model` for one epoch, in place; returns the mean loss.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    device = next(model.parameters()).device
    model.dropout_rng = seed.child("noise").torch(device)
    read = model.epoch_inputs(inputs, seed.child("inputs").torch())
    try:
        return train_batches(
            bpr_batches(pairs, sampler, batch_size, seed.numpy(), device),
            lambda triples: training_loss(model, model.batch_vectors(read, triples)),
            optimizer,
        )
    finally:
        model.dropout_rng = None


def should_stop(state: TrainState, config: TrainConfig, steps: int) -> bool:
    """Whether a training has waited long enough for a better validation, and none is in sight.

    It goes on, however long it has waited, while validation rises: some models fall for a while before they climb.

    Args:
        state: with the epochs so far.
        config: how long to wait.
        steps: of an epoch.
    """
    waited = state.epoch - state.best_epoch
    enough = waited >= config.patience * config.validate_every and waited * steps >= config.patience_steps
    return (
        bool(state.best)
        and enough
        and not still_rising([row["valid"] for row in state.history if "valid" in row], config)
    )


def still_rising(scores: list[float], config: TrainConfig) -> bool:
    """Whether the last quarter of a patience of validations is above the quarter before, beyond two standard errors."""
    width = max(3, config.patience // 4)
    if len(scores) < 2 * width:
        return False
    before, after = np.array(scores[-2 * width : -width]), np.array(scores[-width:])
    error = math.sqrt((before.var(ddof=1) + after.var(ddof=1)) / width)
    return bool(after.mean() - before.mean() > 2 * error > 0)


def _keep_best(state: TrainState, model: Recommender, score: float) -> None:
    if score > state.best_score:
        state.best_epoch, state.best_score = state.epoch, score
        state.best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        if not all(bool(torch.isfinite(value).all()) for value in state.best.values()):
            raise DivergedError("a parameter is no longer finite; lower learning_rate")

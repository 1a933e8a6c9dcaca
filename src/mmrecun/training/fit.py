"""Train a recommender on a dataset, stopping when validation no longer improves."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import GraphInputs
from mmrecun.data.interactions import Interactions
from mmrecun.models.base import Recommender
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.settings import Hyperparameters
from mmrecun.training.checkpoint import TrainState, load_train_state, save_train_state
from mmrecun.training.epochs import EpochTask, epochs_of
from mmrecun.training.loop import adam, refuse_not_finite

Validate = Callable[[Recommender], float]


class TrainConfig(Hyperparameters):
    """Settings of a training."""

    largest: ClassVar[float] = math.inf  # a training that diverges raises an error of its own

    epochs: PositiveInt = Field(default=1000, description="epochs at most")
    batch_size: PositiveInt = Field(default=4096, description="training triples in a step")
    learning_rate: PositiveFloat = Field(default=2e-3, description="learning rate of Adam")
    patience: PositiveInt = Field(default=20, description="validations without improvement after which training stops")
    patience_steps: NonNegativeInt = Field(
        default=300,
        description="steps without improvement that must have passed as well; an epoch of little data has few steps",
    )
    validate_every: PositiveInt = Field(default=1, description="epochs between two validations")


@dataclass(frozen=True)
class ResumePoint:
    """The file in which a training saves its state, to resume from.

    Attributes:
        path: the file; the caller removes it when the finished run is saved.
        key: identifies data, settings and seed; only a state with an equal key is resumed.
        every_seconds: seconds between two savings.
    """

    path: Path
    key: str
    every_seconds: float = 20.0


@dataclass(frozen=True)
class FitResult:
    """Result of a training.

    Attributes:
        best_epoch, epochs: epoch whose parameters the model has now, and number of epochs run.
        valid: validation score at the best epoch.
        history: `epoch`, `loss`, `seconds` and, if measured, `valid` of each epoch.
        seconds: wall-clock time of the training.
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

    Every epoch draws from its own child of `seed`, so a resumed training gives the same bits as an uninterrupted one.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    optimizer = adam(model, config.learning_rate)
    state = load_train_state(resume.path, resume.key, model, optimizer) if resume else TrainState()
    sampler = NegativeSampler.of_dataset(dataset)
    started = time.perf_counter() - state.seconds
    saved = -math.inf  # so that the first epoch is saved at once

    epochs = epochs_of(EpochTask(model, dataset.train, sampler, inputs, config.batch_size, optimizer))
    steps = math.ceil(len(dataset.train) / config.batch_size)

    while state.epoch < config.epochs and not should_stop(state, config, steps):
        begun = time.perf_counter()
        loss = epochs.run(seed.child(f"epoch {state.epoch}"))
        state.epoch += 1
        row = {"epoch": state.epoch, "loss": loss, "seconds": time.perf_counter() - begun}
        if state.epoch % config.validate_every == 0 or state.epoch == config.epochs:
            row["valid"] = validate(model)
            _keep_best(state, model, row["valid"])
        state.history.append(row)
        state.seconds = time.perf_counter() - started
        progress(state.epoch, config.epochs, f"loss {loss:.4f}{state.best_so_far}")
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
    """Train `model` for one epoch in place, and return the mean loss.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    return epochs_of(EpochTask(model, pairs, sampler, inputs, batch_size, optimizer)).run(seed)


def should_stop(state: TrainState, config: TrainConfig, steps: int) -> bool:
    """Say whether the validation score has not improved for long enough, and is not rising either.

    A training goes on while validation rises: some models get worse for a while before they improve.

    Args:
        state: state of the training, with the epochs so far.
        config: settings of the waiting time.
        steps: steps of an epoch.
    """
    waited = state.epoch - state.best_epoch
    enough = waited >= config.patience * config.validate_every and waited * steps >= config.patience_steps
    return (
        bool(state.best)
        and enough
        and not still_rising([row["valid"] for row in state.history if "valid" in row], config)
    )


def still_rising(scores: list[float], config: TrainConfig) -> bool:
    """Say whether the last quarter of `patience` scores is above the quarter before by two standard errors."""
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
        refuse_not_finite(model, "a parameter is no longer finite; lower learning_rate")

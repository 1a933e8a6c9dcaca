"""The epochs of a training that several processes may share, with its checkpoints; every process runs the same loop."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from mmrecun.data.interactions import Split
from mmrecun.data.mapped_dataset import MappedDataset
from mmrecun.evaluation.mapped import RowsOf, evaluate_mapped_pairs, users_to_rank
from mmrecun.models.base import ModelConfig, Recommender
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import TrainState
from mmrecun.training.distributed.checkpoint import Checkpoints
from mmrecun.training.distributed.row_exchange import RowExchange, Shard
from mmrecun.training.fit import FitResult, TrainConfig, should_stop
from mmrecun.training.validation import VALIDATION_CUTOFF, VALIDATION_METRIC


@dataclass(frozen=True)
class ShardTask:
    """The share of one process in a training; only `work` and `shard` differ between the processes.

    Attributes:
        cls, config: class and settings of the model, which has `user_parts`, or is `row_wise` and trained on disk.
        dataset: data to train on.
        training: settings of the training.
        seed: seed of the run, as given to `jobs.train`.
        work: an empty folder of this process, for its files.
        shard: number of this process, and of all.
    """

    cls: type[Recommender]
    config: ModelConfig
    dataset: MappedDataset
    training: TrainConfig
    seed: Seed
    work: Path
    shard: Shard = field(default_factory=Shard)


@dataclass(frozen=True)
class ShardFit:
    """The share of one process in the result of a training.

    Attributes:
        result: result of the training.
        best: parameter -> values of the best epoch on validation, float32 [R, D]; row r is on process r mod W, as its
            row r div W. A parameter of one axis has one column.
    """

    result: FitResult
    best: dict[str, np.ndarray]


class ShardTrainer(Protocol):
    """The share of one process in a training. All processes make the same calls in the same order.

    Attributes:
        steps_per_epoch: how many batches an epoch has.
        exchange: with the other processes.
    """

    steps_per_epoch: int
    exchange: RowExchange

    def epoch(self, seed: Seed) -> float:
        """Train for one epoch, and return the mean loss.

        Raises:
            DivergedError: when the loss is no longer finite.
        """

    def validate(self) -> float:
        """Compute recall@20 on the validation pairs, as `validation_score` does."""

    def keep_best(self) -> dict[str, Tensor]:
        """Keep the present parameters, and return them as in `ShardFit.best`.

        Raises:
            DivergedError: when one is no longer finite.
        """

    def save(self, checkpoints: Checkpoints, state: TrainState) -> str:
        """Leave a checkpoint, and return its name."""

    def restore(self, checkpoints: Checkpoints) -> TrainState:
        """Load the newest checkpoint and return its state; a new state if there is none."""


def fit_shard(
    trainer: ShardTrainer, task: ShardTask, progress: Progress = no_progress, checkpoints: Checkpoints | None = None
) -> ShardFit:
    """Train until validation no longer improves.

    Every epoch draws from its own child of the seed, so a resumed training gives the same bits as an uninterrupted one.
    Another number of processes changes the order of sums.

    Args:
        trainer: trainer of this process.
        task: the share of this process.
        progress: called after every epoch.
        checkpoints: where to resume from, and to save to.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    training = task.training
    state = trainer.restore(checkpoints) if checkpoints else TrainState()
    started, saved, cost = time.perf_counter() - state.seconds, time.perf_counter(), 0.0
    while state.epoch < training.epochs and not should_stop(state, training, trainer.steps_per_epoch):
        begun = time.perf_counter()
        loss = trainer.epoch(task.seed.child(f"epoch {state.epoch}"))
        state.epoch += 1
        row = {"epoch": state.epoch, "loss": loss, "seconds": time.perf_counter() - begun}
        if state.epoch % training.validate_every == 0 or state.epoch == training.epochs:
            row["valid"] = trainer.validate()
            if row["valid"] > state.best_score:
                state.best_epoch, state.best_score = state.epoch, row["valid"]
                state.best = trainer.keep_best()
        state.history.append(row)
        state.seconds = time.perf_counter() - started
        if checkpoints and agree(trainer.exchange, checkpoints.due(time.perf_counter() - saved, cost)):
            begun = time.perf_counter()
            _save(trainer, checkpoints, state)
            saved = time.perf_counter()
            cost = saved - begun
        progress(state.epoch, training.epochs, f"loss {loss:.4f}{state.best_so_far}")
    done = FitResult(state.best_epoch, state.epoch, state.best_score, state.history, state.seconds)
    return ShardFit(done, {name: value.numpy() for name, value in state.best.items()})


def agree(exchange: RowExchange, wish: bool) -> bool:
    """Return on all processes whether `wish` is set on any."""
    return exchange.total(float(wish))[0] > 0


def _save(trainer: ShardTrainer, checkpoints: Checkpoints, state: TrainState) -> None:
    """Leave a checkpoint, and remove the ones before when all processes have left theirs."""
    name = trainer.save(checkpoints, state)
    agree(trainer.exchange, True)
    if trainer.exchange.shard.rank == 0:
        checkpoints.remove_before(name)


def validation_of(dataset: MappedDataset, exchange: RowExchange, rows_of: RowsOf) -> float:
    """Compute recall@20 on the validation pairs; each process ranks its own users, with `rows_of` their vectors."""
    truth, shard = dataset.splits[Split.VALID], exchange.shard
    chosen = users_to_rank(np.flatnonzero(np.diff(truth.starts)), len(dataset.items))
    own, whole, users = chosen[shard.owns(chosen)], 0.0, 0
    if len(own):
        report = evaluate_mapped_pairs(
            dataset.train, truth, len(dataset.items), rows_of, own, (VALIDATION_CUTOFF,), lists=False
        )
        whole, users = report.metrics[VALIDATION_METRIC], report.users
    if shard.size == 1:
        return whole
    added, counted = exchange.total(whole * users if users else 0.0, users)
    return added / max(counted, 1)


def blocks(rows: int, size: int) -> Iterator[np.ndarray]:
    """Yield the numbers of `rows` rows, int64, in blocks of at most `size`."""
    for start in range(0, rows, size):
        yield np.arange(start, min(start + size, rows))

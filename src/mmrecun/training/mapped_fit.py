"""Train a recommender whose rows, moments and pairs stay on disk; the same losses as in memory, at any size.

The triples are those of `fit`, bit for bit, and Adam moves every row as there (see `row_adam`), so that losses and
validation differ by rounding alone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.columns import Columns
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError
from mmrecun.evaluation.mapped import evaluate_columns, users_to_rank
from mmrecun.models.base import ModelConfig, Recommender
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import TrainState
from mmrecun.training.fit import FitResult, TrainConfig, should_stop
from mmrecun.training.loop import Progress, diverged, no_progress
from mmrecun.training.mapped_tables import RowModel, create_tables, local_triples
from mmrecun.training.mapped_triples import MappedTriples
from mmrecun.training.row_adam import RowAdam
from mmrecun.training.validation import VALIDATION_CUTOFF

_BLOCK = 1 << 16


@dataclass(frozen=True)
class MappedFit:
    """A training on disk.

    Attributes:
        result: what it did.
        best: table -> float32 [R, D], mapped: the rows that validated best.
    """

    result: FitResult
    best: dict[str, np.ndarray]


def fit_mapped(
    cls: type[Recommender],
    config: ModelConfig,
    columns: Columns,
    training: TrainConfig,
    seed: Seed,
    work: Path,
    progress: Progress = no_progress,
) -> MappedFit:
    """Train until validation no longer improves, with all files in the folder `work`.

    Args:
        cls, config: of the model.
        columns: to be learned from.
        training: settings of the training.
        seed: of the whole run, as given to `jobs.train`.
        work: an empty folder with room for 13 bytes times D a row, and 8 bytes a training pair.
        progress: called after every epoch.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    trainer = MappedTrainer(cls, config, columns, training, seed, work)
    state, started = TrainState(), time.perf_counter()
    while state.epoch < training.epochs and not should_stop(state, training, trainer.steps_per_epoch):
        begun = time.perf_counter()
        loss = trainer.epoch(seed.child(f"epoch {state.epoch}"))
        state.epoch += 1
        row = {"epoch": state.epoch, "loss": loss, "seconds": time.perf_counter() - begun}
        if state.epoch % training.validate_every == 0 or state.epoch == training.epochs:
            row["valid"] = trainer.validate()
            if row["valid"] > state.best_score:
                state.best_epoch, state.best_score = state.epoch, row["valid"]
                state.best = trainer.keep_best()
        state.history.append(row)
        state.seconds = time.perf_counter() - started
        progress(
            state.epoch, training.epochs, f"loss {loss:.4f}  best valid {state.best_score:.4f} @ {state.best_epoch}"
        )
    done = FitResult(state.best_epoch, state.epoch, state.best_score, state.history, state.seconds)
    return MappedFit(done, {name: value.numpy() for name, value in state.best.items()})


class MappedTrainer:
    """The parts of a training on disk; see `fit_mapped` for the arguments."""

    def __init__(
        self,
        cls: type[Recommender],
        config: ModelConfig,
        columns: Columns,
        training: TrainConfig,
        seed: Seed,
        work: Path,
    ) -> None:
        self._columns, self._training, self._work = columns, training, work
        self.model, self._id_tables = RowModel(cls, config), cls.ID_TABLES
        self.rows = {"users": len(columns.users), "items": len(columns.items)}
        tables = create_tables(self.model, self.rows, work, seed.child("model").torch())
        self.adam = RowAdam(tables, training.learning_rate)
        self._triples = MappedTriples(columns.train, self.rows["items"], work)
        self.steps_per_epoch = -(-len(columns.train) // training.batch_size)

    def epoch(self, seed: Seed) -> float:
        """Train for one epoch; returns the mean loss."""
        total, steps = torch.zeros(()), 0
        for loss in self.steps(seed):
            total += loss
            steps += 1
        mean = total.item() / max(steps, 1)
        if not np.isfinite(mean):
            raise DivergedError(diverged(mean))
        return mean

    def steps(self, seed: Seed) -> Iterator[Tensor]:
        """Take the steps of an epoch one by one; yields the loss of each."""
        for triples in self._triples.epoch(self._training.batch_size, seed.numpy()):
            at, local = local_triples(triples)
            places = {name: at[side] for name, side in self.model.sides.items()}
            yield self.adam.step(places, lambda rows, own=local: self.model.loss(rows, own))  # type: ignore[misc]

    def validate(self) -> float:
        """Compute recall@20 on the validation pairs, as `validation_score` does."""
        truth = self._columns.splits[Split.VALID]
        chosen = users_to_rank(np.flatnonzero(np.diff(truth.starts)), self.rows["items"])
        report = evaluate_columns(
            self._columns.train, truth, self.rows["items"], self._rows_of, chosen, (VALIDATION_CUTOFF,), lists=False
        )
        return report.metrics[f"recall@{VALIDATION_CUTOFF}"]

    def _rows_of(self, side: str, at: np.ndarray) -> Tensor:
        return self.adam.rows(self._id_tables.users if side == "users" else self._id_tables.items, at)

    def keep_best(self) -> dict[str, Tensor]:
        """Write every row as it is now to files of their own, which replace the ones before."""
        kept = {}
        for name, table in self.adam.tables.items():
            count, _, width = table.records.shape
            best = np.lib.format.open_memmap(self._work / f"{name}.best.npy", "w+", np.float32, (count, width))
            for start in range(0, count, _BLOCK):
                block = self.adam.rows(name, np.arange(start, min(start + _BLOCK, count)))
                if not block.isfinite().all():
                    raise DivergedError("a parameter is no longer finite; lower learning_rate")
                best[start : start + _BLOCK] = block.numpy()
            kept[name] = torch.from_numpy(best.view(np.ndarray))
        return kept

"""Train a recommender whose rows, moments and pairs stay on disk, in one process or in several; the same losses.

The triples are those of `fit`, bit for bit, and Adam moves every row as there (see `row_adam`), so that losses and
validation differ by rounding alone. Several processes share the rows (see `row_exchange`): each learns from the triples
whose users lie with it, and the sum of their losses is that of the batch.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.columns import Columns
from mmrecun.data.interactions import Split
from mmrecun.errors import DivergedError
from mmrecun.evaluation.mapped import evaluate_columns, users_to_rank
from mmrecun.models.base import ModelConfig, Recommender
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import TrainState
from mmrecun.training.fit import FitResult, TrainConfig, should_stop
from mmrecun.training.loop import Progress, diverged, no_progress
from mmrecun.training.mapped_checkpoint import Checkpoints
from mmrecun.training.mapped_tables import RowModel, create_tables, local_triples
from mmrecun.training.mapped_triples import MappedTriples
from mmrecun.training.row_adam import RowAdam
from mmrecun.training.row_exchange import RowExchange, Shard, SharedRows
from mmrecun.training.validation import VALIDATION_CUTOFF

_BLOCK = 1 << 14


@dataclass(frozen=True)
class MappedFit:
    """A training on disk.

    Attributes:
        result: what it did.
        best: table -> float32 [R, D], mapped: the rows of this process that validated best.
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
    checkpoints: Checkpoints | None = None,
    shard: Shard = Shard(),  # noqa: B008
) -> MappedFit:
    """Train until validation no longer improves, with all files in the folder `work`.

    Every epoch draws from its own child of `seed`, so a training that goes on from a checkpoint gives the same bits as
    one that was not interrupted. On another number of processes sums are added in another order.

    Args:
        cls, config: of the model.
        columns: to be learned from.
        training: settings of the training.
        seed: of the whole run, as given to `jobs.train`.
        work: an empty folder of this process with room for 16 bytes times D a row, and 8 bytes a training pair.
        progress: told of every epoch.
        checkpoints: where to go on from, and what to leave.
        shard: of this process; all that are joined must make the same call.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    trainer = MappedTrainer(cls, config, columns, training, seed, work, shard)
    state = trainer.restore(checkpoints) if checkpoints else TrainState()
    started, saved, cost = time.perf_counter() - state.seconds, time.perf_counter(), 0.0
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
        if checkpoints and trainer.agree(checkpoints.due(time.perf_counter() - saved, cost)):
            begun = time.perf_counter()
            trainer.save(checkpoints, state)
            saved = time.perf_counter()
            cost = saved - begun
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
        shard: Shard = Shard(),  # noqa: B008
    ) -> None:
        self._columns, self._training, self._work, self._shard = columns, training, work, shard
        self.model, self._id_tables = RowModel(cls, config), cls.ID_TABLES
        sizes = {"users": len(columns.users), "items": len(columns.items)}
        self.items = sizes["items"]
        self._rows = {name: sizes[side] for name, side in self.model.sides.items()}
        tables = create_tables(self.model, sizes, work, seed.child("model").torch(), shard)
        self.rows = SharedRows(RowAdam(tables, training.learning_rate), RowExchange(shard))
        self._best = {
            name: np.lib.format.open_memmap(
                work / f"{name}.best.npy", "w+", np.float32, (len(table.records), self.model.widths[name])
            ).view(np.ndarray)
            for name, table in tables.items()
        }
        self._triples = MappedTriples(columns.train, self.items, work)
        self.steps_per_epoch = -(-len(columns.train) // training.batch_size)

    def epoch(self, seed: Seed) -> float:
        """Train for one epoch; returns the mean loss.

        Raises:
            DivergedError: when the loss is no longer finite.
        """
        own, steps = torch.zeros(()), 0
        for loss in self.steps(seed):
            own += loss
            steps += 1
        mean = self.rows.exchange.total(own.item())[0] / max(steps, 1)
        if not np.isfinite(mean):
            raise DivergedError(diverged(mean))
        return mean

    def steps(self, seed: Seed) -> Iterator[Tensor]:
        """Take the steps of an epoch one by one; yields what this process adds to the loss of each."""
        for batch in self._triples.epoch(self._training.batch_size, seed.numpy()):
            yield self._step(batch)

    def _step(self, batch: Triples) -> Tensor:
        own = torch.from_numpy(np.flatnonzero(self._shard.owns(batch.users.numpy())))
        at, local = local_triples(Triples(*(column[own] for column in batch.columns())))
        share = len(own) / len(batch)  # a loss is a mean over triples

        def loss_of(rows: dict[str, Tensor]) -> Tensor:
            if not len(own):
                return torch.stack([part.sum() for part in rows.values()]).sum()  # of nothing
            return self.model.loss(rows, local) * share

        return self.rows.step({name: at[side] for name, side in self.model.sides.items()}, loss_of)

    def validate(self) -> float:
        """Compute recall@20 on the validation pairs, as `validation_score` does; each process ranks its users."""
        truth = self._columns.splits[Split.VALID]
        chosen = users_to_rank(np.flatnonzero(np.diff(truth.starts)), self.items)
        own = chosen[self._shard.owns(chosen)]
        items = self.rows.rows(self._id_tables.items, np.arange(self.items))
        if not len(own):
            return self._mean(0.0, 0)
        report = evaluate_columns(
            self._columns.train,
            truth,
            self.items,
            lambda side, at: items if side == "items" else self.rows.own(self._id_tables.users, at),
            own,
            (VALIDATION_CUTOFF,),
            lists=False,
        )
        return self._mean(report.metrics[f"recall@{VALIDATION_CUTOFF}"], report.users)

    def _mean(self, own: float, users: int) -> float:
        if self._shard.size == 1:
            return own
        whole, counted = self.rows.exchange.total(own * users if users else 0.0, users)
        return whole / max(counted, 1)

    def keep_best(self) -> dict[str, Tensor]:
        """Write every row of this process as it is now to files of their own, over the ones before.

        Raises:
            DivergedError: when a row is no longer finite.
        """
        finite = True
        for name, best in self._best.items():
            for start in range(0, len(best), _BLOCK):
                block = self.rows.adam.rows(name, np.arange(start, min(start + _BLOCK, len(best))))
                finite &= bool(block.isfinite().all())
                best[start : start + _BLOCK] = block.numpy()
        if self.agree(not finite):
            raise DivergedError("a parameter is no longer finite; lower learning_rate")
        return self._kept()

    def _kept(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(best) for name, best in self._best.items()}

    def agree(self, wish: bool) -> bool:
        """Say whether any process wishes something; then all do it."""
        return self.rows.exchange.total(float(wish))[0] > 0

    def save(self, checkpoints: Checkpoints, state: TrainState) -> None:
        """Leave a checkpoint, and remove the ones before when all processes have left theirs."""
        facts = {name: getattr(state, name) for name in ("epoch", "best_epoch", "best_score", "history", "seconds")}
        best = self._best if state.best else {}
        name = checkpoints.save(state.epoch, self.rows.adam.tables, best, {**facts, "steps": self.rows.adam.steps})
        self.agree(True)
        if self._shard.rank == 0:
            checkpoints.remove_before(name)

    def restore(self, checkpoints: Checkpoints) -> TrainState:
        """Return the state of the newest checkpoint, with all rows as they were then; a new one if there is none."""
        facts = checkpoints.load(self.rows.adam.tables, self._best, self._rows)
        if facts is None:
            return TrainState()
        self.rows.adam.steps = facts.pop("steps")
        return TrainState(**facts, best=self._kept() if facts["best_epoch"] else {})

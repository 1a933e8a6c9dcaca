"""Train a recommender with rows, moments and pairs on disk, in one process or in several; losses are as in `fit`.

The triples are those of `fit`, bit for bit, and Adam updates every row in the same way (see `row_adam`), so that
losses and validation differ by rounding alone. Several processes share the rows (see `row_exchange`): each trains on
the triples of its own users, and the sum of their losses is that of the batch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.bpr_sampling import Triples
from mmrecun.data.npy import new_mapped_npy
from mmrecun.errors import DivergedError
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import TrainState
from mmrecun.training.distributed.checkpoint import Checkpoints
from mmrecun.training.distributed.fit import ShardTask, agree, blocks, validation_of
from mmrecun.training.distributed.paging import read_at_random
from mmrecun.training.distributed.row_adam import RowAdam, RowStates
from mmrecun.training.distributed.row_exchange import RowExchange, SharedRows
from mmrecun.training.distributed.row_tables import RowModel, create_tables, local_triples
from mmrecun.training.distributed.triples import MappedTriples
from mmrecun.training.loop import diverged

_BLOCK = 1 << 14


class RowTrainer:
    """The trainer of one process; see `ShardTask`.

    `work` needs 16 D bytes for each row, and 8 bytes for each training pair.
    """

    def __init__(self, task: ShardTask) -> None:
        dataset, training, seed, work = task.dataset, task.training, task.seed, task.work
        self._dataset, self._training, self._shard = dataset, training, task.shard
        self.model = RowModel(task.cls, task.config, {name: each.width for name, each in dataset.features.items()})
        self._read = dataset.features if self.model.model.required_inputs().features else {}
        sizes = {"users": len(dataset.users), "items": len(dataset.items)}
        self._rows = {name: sizes[side] for name, side in self.model.sides.items()}
        self._rows |= {name: self.model.shapes[name][0] for name in self.model.whole}
        tables = create_tables(self.model, sizes, work, seed.child("model").torch(), task.shard)
        self.rows = SharedRows(RowAdam(tables, training.learning_rate), RowExchange(task.shard))
        self.exchange = self.rows.exchange
        self._best = {
            name: new_mapped_npy(work / f"{name}.best.npy", np.float32, (len(table.records), table.records.shape[2]))
            for name, table in tables.items()
        }
        self._triples = MappedTriples(dataset.train, sizes["items"], work)
        self.steps_per_epoch = -(-len(dataset.train) // training.batch_size)

    def epoch(self, seed: Seed) -> float:
        """Train for one epoch; see `ShardTrainer`."""
        own, steps = torch.zeros(()), 0
        for loss in self.steps(seed):
            own += loss
            steps += 1
        mean = self.exchange.total(own.item())[0] / max(steps, 1)
        if not np.isfinite(mean):
            raise DivergedError(diverged(mean))
        return mean

    def steps(self, seed: Seed) -> Iterator[Tensor]:
        """Take the steps of an epoch, and yield the loss of this process at each."""
        tables = (array for table in self.rows.adam.tables.values() for array in (table.records, table.last))
        with read_at_random(tables):
            for batch in self._triples.epoch(self._training.batch_size, seed.numpy()):
                yield self._step(batch)

    def _step(self, batch: Triples) -> Tensor:
        own = torch.from_numpy(np.flatnonzero(self._shard.owns(batch.users.numpy())))
        at, local = local_triples(Triples(*(column[own] for column in batch.columns())))
        share = len(own) / len(batch)  # a loss is a mean over triples

        def loss_of(rows: dict[str, Tensor]) -> Tensor:
            if not len(own):
                return torch.stack([0 * part.sum() for part in rows.values()]).sum()  # a loss of zero with gradients
            return self.model.loss(rows, self._features(at["items"]), local) * share

        return self.rows.step({name: at[side] for name, side in self.model.sides.items()}, loss_of, self.model.whole)

    def _features(self, items: Ints) -> dict[str, Tensor]:
        return {name: torch.from_numpy(each.rows(items)) for name, each in self._read.items()}

    def validate(self) -> float:
        """Compute recall@20; see `ShardTrainer`. Every process computes the vectors of all items."""
        items = torch.cat([self._vectors("items", at) for at in blocks(len(self._dataset.items), _BLOCK)])
        return validation_of(
            self._dataset, self.exchange, lambda side, at: items if side == "items" else self._vectors("users", at)
        )

    def _vectors(self, side: str, at: Ints) -> Tensor:
        """Return the vectors of items of everywhere, or of users of this process."""
        rows = {name: self.rows.adam.rows(name, np.arange(self._rows[name])) for name in self.model.whole}
        for name, whose in self.model.sides.items():
            none = whose != side
            rows[name] = (
                self.rows.own(name, at[:0] if none else at) if none or side == "users" else self.rows.rows(name, at)
            )
        return self.model.vectors_of(side, rows, self._features(at if side == "items" else at[:0]))

    def keep_best(self) -> dict[str, Tensor]:
        """Write the present rows of this process to files of the best rows, over those before."""
        finite = True
        for name, best in self._best.items():
            for at in blocks(len(best), _BLOCK):
                block = self.rows.adam.rows(name, at)
                finite &= bool(block.isfinite().all())
                best[at] = block.numpy()
        if agree(self.exchange, not finite):
            raise DivergedError("a parameter is no longer finite; lower learning_rate")
        return self._kept()

    def _kept(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(self._own(name, best)) for name, best in self._best.items()}

    def _own(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the rows of this process."""
        return rows[self._shard.rank :: self._shard.size] if name in self.model.whole else rows

    def save(self, checkpoints: Checkpoints, state: TrainState) -> str:
        """Save a checkpoint; see `ShardTrainer`."""
        tables = {
            name: RowStates(self._own(name, table.records), self._own(name, table.last))
            for name, table in self.rows.adam.tables.items()
        }
        best = {name: self._own(name, rows) for name, rows in self._best.items()} if state.best else {}
        return checkpoints.save(state.epoch, tables, best, {**state.facts(), "steps": self.rows.adam.steps})

    def restore(self, checkpoints: Checkpoints) -> TrainState:
        """Resume from the newest checkpoint; see `ShardTrainer`."""
        facts = checkpoints.load(self.rows.adam.tables, self._best, self._rows, self.model.whole)
        if facts is None:
            return TrainState()
        self.rows.adam.steps = facts.pop("steps")
        return TrainState(**facts, best=self._kept() if facts["best_epoch"] else {})

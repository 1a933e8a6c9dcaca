"""Train a recommender that reads graphs in several processes, each with a part of the users; losses are as in `fit`.

Everything is in memory. Adam is that of `fit`; each process updates its own users, and all of them update items and
other parameters in the same way (see `user_graphs`).
"""

import numpy as np
import torch
from torch import Tensor

from mmrecun.data.bpr_sampling import Triples
from mmrecun.errors import DivergedError
from mmrecun.models.base import Recommender, Sizes
from mmrecun.rng import Seed
from mmrecun.training.checkpoint import TrainState
from mmrecun.training.distributed.checkpoint import Checkpoints
from mmrecun.training.distributed.fit import ShardTask, agree, validation_of
from mmrecun.training.distributed.initial_values import initial_rows
from mmrecun.training.distributed.row_adam import RowStates
from mmrecun.training.distributed.row_exchange import RowExchange, Shard
from mmrecun.training.distributed.triples import MappedTriples
from mmrecun.training.distributed.user_graphs import joined_inputs
from mmrecun.training.loop import adam, train_batches
from mmrecun.training.losses import training_loss

_MOMENTS = "exp_avg", "exp_avg_sq"  # torch's names


class GraphTrainer:
    """The trainer of one process; see `ShardTask`.

    `work` needs 8 bytes for each training pair.
    """

    def __init__(self, task: ShardTask) -> None:
        dataset, training = task.dataset, task.training
        self._dataset, self._training = dataset, training
        self.exchange = RowExchange(task.shard)
        self.model = _begun(task)
        self._inputs = joined_inputs(dataset, self.model.required_inputs(), self.exchange)
        self._optimizer = adam(self.model, training.learning_rate)
        self._triples = MappedTriples(dataset.train, len(dataset.items), task.work)
        tables = self.model.tables()
        self._rows = {
            name: len(dataset.users) if name in tables and tables[name].side == "users" else len(value)
            for name, value in self.model.named_parameters()
        }
        self._whole = {name for name, value in self.model.named_parameters() if self._rows[name] == len(value)}
        self.steps_per_epoch = -(-len(dataset.train) // training.batch_size)

    def epoch(self, seed: Seed) -> float:
        """Train for one epoch; see `ShardTrainer`."""

        def loss_of(batch: Triples) -> Tensor:
            return training_loss(self.model, self.model.batch_vectors(self._inputs, batch))

        return train_batches(self._triples.epoch(self._training.batch_size, seed.numpy()), loss_of, self._optimizer)

    @torch.no_grad()
    def validate(self) -> float:
        """Compute recall@20; see `ShardTrainer`."""
        vectors, size = self.model.vectors(self._inputs), self.exchange.shard.size
        return validation_of(
            self._dataset,
            self.exchange,
            lambda side, at: vectors.items if side == "items" else vectors.users[torch.from_numpy(at // size)],
        )

    def keep_best(self) -> dict[str, Tensor]:
        """Copy the rows of this process; see `ShardTrainer`."""
        best = {name: self._own(name, value.detach()).clone() for name, value in self.model.named_parameters()}
        finite = all(bool(value.isfinite().all()) for value in best.values())
        if agree(self.exchange, not finite):
            raise DivergedError("a parameter is no longer finite; lower learning_rate")
        return best

    def _own(self, name: str, value: Tensor) -> Tensor:
        shard = self.exchange.shard
        rows = value.reshape(len(value), -1)
        return rows[shard.rank :: shard.size] if name in self._whole else rows

    def save(self, checkpoints: Checkpoints, state: TrainState) -> str:
        """Save a checkpoint; see `ShardTrainer`."""
        tables, steps = {}, 0
        for name, value in self.model.named_parameters():
            moments = self._optimizer.state[value]
            steps = int(moments["step"])
            parts = [self._own(name, part) for part in (value.detach(), *(moments[each] for each in _MOMENTS))]
            records = torch.stack(parts, dim=1).numpy()
            tables[name] = RowStates(records, np.full(len(records), steps, dtype=np.int32))
        best = {name: value.numpy() for name, value in state.best.items()}
        return checkpoints.save(state.epoch, tables, best, {**state.facts(), "steps": steps})

    def restore(self, checkpoints: Checkpoints) -> TrainState:
        """Resume from the newest checkpoint; see `ShardTrainer`."""
        tables, best = {}, {}
        for name, value in self.model.named_parameters():
            width = value.numel() // len(value)
            tables[name] = RowStates(np.zeros((len(value), 3, width), np.float32), np.zeros(len(value), np.int32))
            best[name] = np.zeros((len(value), width), np.float32)
        facts = checkpoints.load(tables, best, self._rows, self._whole)
        if facts is None:
            return TrainState()
        steps = float(facts.pop("steps"))
        for name, value in self.model.named_parameters():
            parts = [part.reshape(value.shape) for part in torch.from_numpy(tables[name].records).unbind(1)]
            with torch.no_grad():
                value.copy_(parts[0])
            moments = {each: part.clone() for each, part in zip(_MOMENTS, parts[1:], strict=True)}
            self._optimizer.state[value] = {"step": torch.tensor(steps), **moments}
        kept = {name: self._own(name, torch.from_numpy(rows)).clone() for name, rows in best.items()}
        return TrainState(**facts, best=kept if facts["best_epoch"] else {})


def _begun(task: ShardTask) -> Recommender:
    """Build a model with the users of this process, and the values of one with all users."""
    dataset, shard = task.dataset, task.shard
    rows = {"users": len(dataset.users), "items": len(dataset.items)}
    widths = {name: each.width for name, each in dataset.features.items()}
    sizes = Sizes(users=shard.count(rows["users"]), items=rows["items"], widths=widths)
    model = task.cls(task.config, sizes, None)
    values, tables = model.state_dict(), model.tables()
    shapes = {name: tuple(value.shape) for name, value in values.items()}
    for name, start, block in initial_rows(shapes, tables, rows, task.seed.child("model").torch()):
        own = shard if name in tables and tables[name].side == "users" else Shard()
        first, part = own.part_of(start, block)
        values[name][first : first + len(part)] = part
    return model

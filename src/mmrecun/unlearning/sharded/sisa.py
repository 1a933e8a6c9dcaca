"""SISA: random shards, one model each, averaged scores; touched shards train again (Bourtoule et al., S&P 2021).

Shards are not cut into slices: a touched shard is trained from its beginning.
"""

from pydantic import PositiveInt

from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearned, Unlearner
from mmrecun.unlearning.sharded.base import Unit, dealt, train_shards
from mmrecun.unlearning.vector_model import table_of


class SISAConfig(UnlearnConfig):
    """Settings of SISA.

    Attributes:
        shards: S.
        unit: what is dealt out; with users, a user's request touches one shard.
    """

    shards: PositiveInt = 10
    unit: Unit = Unit.INTERACTIONS


class SISA(Unlearner):
    """Exact by construction: which shard a pair is in depends on no other pair.

    The average of the shards' scores is the product of their vectors side by side, each divided by sqrt(S). A shard
    that lacks a user or an item scores zero.
    """

    Config = SISAConfig

    def __init__(self, config: SISAConfig) -> None:
        super().__init__(config)
        self.config = config

    def run(self, task: Task) -> Unlearned:
        """Train the shards; those the request leaves as they were count as set-up."""
        self.check(task.parts)
        count, original, unit = self.config.shards, task.parts.original, self.config.unit
        labels = dealt(unit.units(original), count, task.seed.child("shards").numpy())
        shards = train_shards(task, unit.of_pairs(labels, original.train), count)
        users, items = (side.vectors.flatten(1) / count**0.5 for side in shards.stacked(task.parts))
        stop = f"{int(shards.touched.sum())} of {count} shards trained again"
        return Unlearned(table_of(task.parts, users, items), stop, shards.history, shards.setup_seconds())

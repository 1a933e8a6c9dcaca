"""SISA: random shards, one model each, averaged scores; affected shards train again (Bourtoule et al., S&P 2021).

Shards are not cut into slices: an affected shard is trained from the start.
"""

from pydantic import Field, PositiveInt

from mmrecun.unlearning.base import Task, UnlearnConfig, Unlearner, UnlearnResult
from mmrecun.unlearning.sharded.base import Unit, random_shards, train_shards
from mmrecun.unlearning.vector_model import vector_model


class SISAConfig(UnlearnConfig):
    """Settings of SISA."""

    shards: PositiveInt = Field(default=10, description="number of shards (S)")
    unit: Unit = Field(
        default=Unit.INTERACTIONS,
        description="what is assigned to the shards: single pairs, or users or items with all their pairs",
    )


class SISA(Unlearner):
    """Exact by construction: the shard of a pair depends on no other pair.

    The average of the shards' scores is the dot product of their vectors side by side, each divided by sqrt(S). A shard
    that lacks a user or an item scores zero.
    """

    Config = SISAConfig
    summary = "one model for each random shard, scores averaged; gives plain vectors"
    source = "Bourtoule et al., S&P 2021"
    validates = True
    config: SISAConfig

    def run(self, task: Task) -> UnlearnResult:
        """Train the shards; the time of unaffected ones counts as set-up."""
        self.check(task.partition)
        count, original, unit = self.config.shards, task.partition.original, self.config.unit
        labels = random_shards(unit.units(original), count, task.seed.child("shards").numpy())
        shards = train_shards(task, unit.of_pairs(labels, original.train), count)
        users, items = (side.vectors.flatten(1) / count**0.5 for side in shards.stacked(task.partition))
        stop = f"{int(shards.touched.sum())} of {count} shards trained again"
        return UnlearnResult(vector_model(task.partition, users, items), stop, shards.history, shards.setup_seconds())

"""Train a recommender on disk or in several processes, with the trainer of its kind."""

from mmrecun.progress import Progress, no_progress
from mmrecun.training.distributed.checkpoint import Checkpoints
from mmrecun.training.distributed.fit import ShardFit, ShardTask, fit_shard
from mmrecun.training.distributed.graph_trainer import GraphTrainer
from mmrecun.training.distributed.row_trainer import RowTrainer


def fit_distributed(
    task: ShardTask, progress: Progress = no_progress, checkpoints: Checkpoints | None = None
) -> ShardFit:
    """Train a model that has `user_parts` in memory, or one that is `row_wise` on disk; arguments as for `fit_shard`.

    All processes that are joined must make the same call.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    trainer = GraphTrainer if task.cls.user_parts else RowTrainer
    return fit_shard(trainer(task), task, progress, checkpoints)

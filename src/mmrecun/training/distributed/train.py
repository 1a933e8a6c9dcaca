"""Train a recommender on disk or over processes, in whichever way its kind allows."""

from pathlib import Path

from mmrecun.data.columns import Columns
from mmrecun.models.base import ModelConfig, Recommender
from mmrecun.rng import Seed
from mmrecun.training.distributed.checkpoint import Checkpoints
from mmrecun.training.distributed.fit import ShardFit, fit_shard
from mmrecun.training.distributed.graph_trainer import GraphTrainer
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.row_trainer import RowTrainer
from mmrecun.training.fit import TrainConfig
from mmrecun.training.loop import Progress, no_progress


def fit_distributed(
    cls: type[Recommender],
    config: ModelConfig,
    columns: Columns,
    training: TrainConfig,
    seed: Seed,
    work: Path,
    progress: Progress = no_progress,
    checkpoints: Checkpoints | None = None,
    shard: Shard = Shard(),  # noqa: B008
) -> ShardFit:
    """Train a model that has `user_parts` in memory, or one that is `row_wise` on disk; see `fit_shard`.

    Args:
        cls, config: of the model.
        columns: to be learned from.
        training, seed, progress, checkpoints: see `fit_shard`.
        work: an empty folder of this process, for its files.
        shard: of this process; all that are joined must make the same call.

    Raises:
        DivergedError: when the loss is no longer finite.
    """
    kind = GraphTrainer if cls.user_parts else RowTrainer
    return fit_shard(kind(cls, config, columns, training, seed, work, shard), training, seed, progress, checkpoints)

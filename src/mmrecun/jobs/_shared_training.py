"""A training in one process on disk, in several of this machine, or on a cluster; and what it leaves to be stored."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrecun.atomic import refuse_existing
from mmrecun.claims import claimed
from mmrecun.data.columns import Columns
from mmrecun.data.columns_import import FOLDER, columns_of
from mmrecun.data.interactions import Split
from mmrecun.device import prepare
from mmrecun.errors import ConfigError
from mmrecun.jobs._train import no_validation
from mmrecun.models.base import ModelConfig
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.scale.choice import HERE, head_of
from mmrecun.scale.process_group import train_here, train_on_cluster, watched
from mmrecun.scale.ray_engine import Share, connected
from mmrecun.scale.remote_folders import RemoteFolders
from mmrecun.scale.sharded_training import ShardedTraining, clear, collect
from mmrecun.settings import split_settings
from mmrecun.text import counted
from mmrecun.training.distributed.checkpoint import Checkpoints
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.train import fit_distributed
from mmrecun.training.fit import FitResult, TrainConfig
from mmrecun.training.loop import Progress

_CHECKPOINTS, _FILES = "checkpoints", "files"


@dataclass(frozen=True)
class Workers:
    """Where a training on disk is made.

    Attributes:
        count: how many processes share the rows.
        on: "here", "ray" or "ray:HOST:PORT".
        store: URL of a store that all hosts reach; a cluster needs it.
        cpus: processors that a process takes of its host; 1 by default.
    """

    count: int = 1
    on: str = HERE
    store: str | None = None
    cpus: float | None = None


@dataclass(frozen=True)
class Trained:
    """What a training has left; its files are gone after the block in which it is given.

    Attributes:
        task: what was trained.
        config: settings of the model.
        columns: that it learned from.
        result: what it did.
        best: parameter -> float32 [R, D], mapped, of the epoch that validated best; one of one axis has one column.
        files: a folder for what is of no use afterwards.
        seconds: spent.
    """

    task: ShardedTraining
    config: ModelConfig
    columns: Columns
    result: FitResult
    best: dict[str, np.ndarray]
    files: Path
    seconds: float

    @property
    def facts(self) -> dict[str, Any]:
        """What the manifests of all runs say of it."""
        done = {"best_epoch": self.result.best_epoch, "epochs": self.result.epochs, "valid": self.result.valid}
        return {"training": self.task.training, "seed": self.task.seed, **done, "seconds": self.seconds}


@contextmanager
def shared_training(
    data: Path,
    model: str,
    out: Path,
    settings: Mapping[str, Any] | None,
    seed: int,
    progress: Progress,
    workers: Workers,
    every_seconds: float,
) -> Iterator[Trained]:
    """Train, and yield what is to be stored; checkpoints are removed when the block has succeeded.

    The files of the training lie beside `out`, or in the store, while it lasts. The same call goes on from the newest
    checkpoint of one that was interrupted, with any number of processes.

    Args:
        data: a dataset folder.
        model: registered name of a recommender that is `row_wise` or has `user_parts`.
        out: folder that the caller makes.
        settings: those of the model and of `TrainConfig` together.
        seed: of everything that is drawn.
        progress: told of every epoch; of every checkpoint, where several processes train.
        workers: how many processes, and where.
        every_seconds: between two checkpoints; 0 leaves one after every epoch.

    Raises:
        ConfigError: for workers that fit nothing.
    """
    prepare()
    refuse_existing(out)
    config, training, columns = _checked(data, model, settings or {}, workers)
    started, work = time.perf_counter(), training_folder(out)
    task = ShardedTraining(
        model=model,
        settings=config.model_dump(mode="json"),
        training=training.model_dump(mode="json"),
        seed=seed,
        dataset_name=columns.name,
        dataset=columns.digest,
        columns="" if _on_cluster(workers) else str((data / FOLDER).resolve()),
        store=workers.store if workers.store else str((work / _CHECKPOINTS).resolve()),
        every_seconds=every_seconds,
    )
    with claimed(out):
        with _files(work) as files:
            result, best = _fitted(task, columns, data, workers, files, progress)
            seconds = max(result.seconds, time.perf_counter() - started)
            yield Trained(task, config, columns, result, best, files, seconds)
        clear(task)
        shutil.rmtree(work, ignore_errors=True)


def _checked(
    data: Path, model: str, settings: Mapping[str, Any], workers: Workers
) -> tuple[ModelConfig, TrainConfig, Columns]:
    """Read settings and data; refuse data that cannot be learned from with them, or shared by so many processes."""
    _refuse_unfit(workers)
    config, training = split_settings(model_class(model).Config, TrainConfig, settings)
    columns = columns_of(data)
    config.check_modalities(list(columns.features))
    _refuse_untrainable(columns, data)
    if workers.count > len(columns.users):
        raise ConfigError(f"--workers {workers.count}: the dataset has {counted(len(columns.users), 'user')} to share")
    return config, training, columns


def training_folder(out: Path) -> Path:
    """Return the folder, beside the run folder, where a training on disk keeps its files."""
    return out.with_name(f".{out.name}.training")


def _on_cluster(workers: Workers) -> bool:
    return workers.on != HERE


def _refuse_unfit(workers: Workers) -> None:
    head_of(workers.on)
    if _on_cluster(workers) and not workers.store:
        raise ConfigError(f"--on {workers.on} needs --store URL here: a folder or bucket that all hosts reach")
    if not _on_cluster(workers) and (workers.store or workers.cpus):
        raise ConfigError("--store and --cpus are about a cluster; add --on ray or --on ray:HOST:PORT")


def _refuse_untrainable(columns: Columns, data: Path) -> None:
    known = [np.diff(columns.splits[split].starts) > 0 for split in (Split.TRAIN, Split.VALID)]
    if not (known[0] & known[1]).any():
        raise no_validation(str(data))


@contextmanager
def _files(work: Path) -> Iterator[Path]:
    """Yield an empty folder for files that are of no use to another call."""
    files = work / _FILES
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    try:
        yield files
    finally:
        shutil.rmtree(files, ignore_errors=True)
        if not any(work.iterdir()):
            work.rmdir()


def _fitted(
    task: ShardedTraining, columns: Columns, data: Path, workers: Workers, files: Path, progress: Progress
) -> tuple[FitResult, dict[str, np.ndarray]]:
    cls, training = model_class(task.model), TrainConfig.model_validate(task.training)
    if workers.count == 1 and not _on_cluster(workers) and cls.row_wise:
        checkpoints = Checkpoints(task.open_store(), task.key, Shard(), files, task.every_seconds)
        config = cls.Config.model_validate(task.settings)
        share = ShardTask(cls, config, columns, training, Seed(task.seed), files)
        done = fit_distributed(share, progress, checkpoints)
        return done.result, done.best
    clear(task, "failed/")
    with watched(task, training.epochs, progress):
        _run(task, data / FOLDER, workers)
    return collect(task, files)


def _run(task: ShardedTraining, columns: Path, workers: Workers) -> None:
    if not _on_cluster(workers):
        train_here(task, workers.count)
        return
    RemoteFolders(task.store).put(columns, task.columns_name)
    with connected(head_of(workers.on)) as engine:
        train_on_cluster(engine, task, workers.count, Share(workers.cpus or 1.0))

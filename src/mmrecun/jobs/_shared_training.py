"""Train on disk in one process, in several processes of this machine, or on a cluster."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrecun.atomic import beside, refuse_existing
from mmrecun.claims import claimed
from mmrecun.data.interactions import Split
from mmrecun.data.mapped_dataset import MappedDataset
from mmrecun.data.mapped_import import FOLDER, open_mapped
from mmrecun.device import prepare
from mmrecun.errors import ConfigError
from mmrecun.jobs._train import no_validation
from mmrecun.models.base import ModelConfig
from mmrecun.models.registry import model_class
from mmrecun.progress import Progress
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

_CHECKPOINTS, _FILES = "checkpoints", "files"


@dataclass(frozen=True)
class Workers:
    """The processes that train on disk.

    Attributes:
        count: number of processes, which share the rows.
        on: where they run: "here", "ray" or "ray:HOST:PORT".
        store: URL of a folder or bucket that all hosts reach; required on a cluster.
        cpus: processors reserved for each process of a cluster; 1 by default.
        every_seconds: seconds between two checkpoints; 0 for one after every epoch.
    """

    count: int = 1
    on: str = HERE
    store: str | None = None
    cpus: float | None = None
    every_seconds: float = 60.0


@dataclass(frozen=True)
class Trained:
    """A finished training; its files are removed at the end of the block of `shared_training`.

    Attributes:
        task: the training as its processes were given it.
        config: settings of the model.
        dataset: the data that was trained on.
        result: epochs and validation.
        best: parameter -> values of the best epoch on validation, float32 [R, D], mapped; a parameter of one axis is
            [R, 1].
        files: folder for temporary files.
        seconds: duration of the training.
    """

    task: ShardedTraining
    config: ModelConfig
    dataset: MappedDataset
    result: FitResult
    best: dict[str, np.ndarray]
    files: Path
    seconds: float

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of a manifest that describe the training."""
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
) -> Iterator[Trained]:
    """Train, and yield the result to be stored; checkpoints are removed when the block succeeds.

    Checkpoints are kept beside `out`, or in the store of the workers. An interrupted training resumes from its newest
    checkpoint when the call is repeated, with any number of processes.

    Args:
        data: dataset folder.
        model: registered name of a recommender that is `row_wise` or has `user_parts`.
        out: run folder, which the caller writes.
        settings: settings of the model and of `TrainConfig`.
        seed: seed of all random draws.
        progress: called after every epoch; with several processes, after every checkpoint.
        workers: the processes that train.

    Raises:
        ConfigError: for workers that contradict each other or the data.
    """
    prepare()
    refuse_existing(out)
    config, training, dataset = _checked(data, model, settings or {}, workers)
    started, work = time.perf_counter(), training_folder(out)
    task = ShardedTraining(
        model=model,
        settings=config.model_dump(mode="json"),
        training=training.model_dump(mode="json"),
        seed=seed,
        dataset_name=dataset.name,
        dataset=dataset.digest,
        columns="" if _on_cluster(workers) else str((data / FOLDER).resolve()),
        store=workers.store if workers.store else str((work / _CHECKPOINTS).resolve()),
        every_seconds=workers.every_seconds,
    )
    with claimed(out):
        with _files(work) as files:
            result, best = _fitted(task, dataset, data, workers, files, progress)
            seconds = max(result.seconds, time.perf_counter() - started)
            yield Trained(task, config, dataset, result, best, files, seconds)
        clear(task)
        shutil.rmtree(work, ignore_errors=True)


def _checked(
    data: Path, model: str, settings: Mapping[str, Any], workers: Workers
) -> tuple[ModelConfig, TrainConfig, MappedDataset]:
    """Read settings and data, and refuse a combination that cannot be trained."""
    _refuse_unfit(workers)
    config, training = split_settings(model_class(model).Config, TrainConfig, settings)
    dataset = open_mapped(data)
    config.check_modalities(list(dataset.features))
    _refuse_untrainable(dataset, data)
    if workers.count > len(dataset.users):
        raise ConfigError(f"--workers {workers.count}: the dataset has {counted(len(dataset.users), 'user')} to share")
    return config, training, dataset


def training_folder(out: Path) -> Path:
    """Return the folder of temporary files of a training on disk, beside the run folder `out`."""
    return beside(out, "training")


def _on_cluster(workers: Workers) -> bool:
    return workers.on != HERE


def _refuse_unfit(workers: Workers) -> None:
    head_of(workers.on)
    if _on_cluster(workers) and not workers.store:
        raise ConfigError(f"--on {workers.on} needs --store URL here: a folder or bucket that all hosts reach")
    if not _on_cluster(workers) and (workers.store or workers.cpus):
        raise ConfigError("--store and --cpus are for a cluster; add --on ray or --on ray:HOST:PORT")


def _refuse_untrainable(dataset: MappedDataset, data: Path) -> None:
    known = [np.diff(dataset.splits[split].starts) > 0 for split in (Split.TRAIN, Split.VALID)]
    if not (known[0] & known[1]).any():
        raise no_validation(str(data))


@contextmanager
def _files(work: Path) -> Iterator[Path]:
    """Yield an empty folder for temporary files, and remove it at the end."""
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
    task: ShardedTraining, dataset: MappedDataset, data: Path, workers: Workers, files: Path, progress: Progress
) -> tuple[FitResult, dict[str, np.ndarray]]:
    cls, training = model_class(task.model), TrainConfig.model_validate(task.training)
    if workers.count == 1 and not _on_cluster(workers) and cls.row_wise:
        checkpoints = Checkpoints(task.open_store(), task.key, Shard(), files, task.every_seconds)
        config = cls.Config.model_validate(task.settings)
        share = ShardTask(cls, config, dataset, training, Seed(task.seed), files)
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

"""One training on several processes: the work of each process, and the collection of their results.

The processes and the command that started them exchange files through one store that all reach: the columns of the
dataset if the hosts share no folder, checkpoints, and at the end the best rows of each process.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from mmrecun.data.mapped_dataset import MappedDataset
from mmrecun.data.npy import new_mapped_npy, read_npy
from mmrecun.errors import ArtifactError, MMRecUnError
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.scale.piece import SCRATCH, Failure, digest_of
from mmrecun.scale.remote_folders import RemoteFolders
from mmrecun.settings import Settings
from mmrecun.training.distributed.checkpoint import Checkpoints, FolderStore, LocalFolders
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.train import fit_distributed
from mmrecun.training.fit import FitResult, TrainConfig

_STATE, _LOST_AFTER = "state.json", timedelta(minutes=10)


class ShardedTraining(Settings):
    """A training as plain values, for another process or host.

    Attributes:
        model: registered name of a recommender that is `row_wise` or has `user_parts`.
        settings, training: settings of the model, and of `TrainConfig`.
        seed: random seed.
        dataset_name, dataset: name of the dataset, and digest of its content.
        columns: the folder of its columns; empty if they are in the store.
        store: where files are exchanged: a folder, or the URL of `RemoteFolders`.
        every_seconds: seconds between two checkpoints.
    """

    model: str
    settings: dict[str, Any]
    training: dict[str, Any]
    seed: int
    dataset_name: str
    dataset: str
    columns: str = ""
    store: str
    every_seconds: float = 60.0

    @property
    def key(self) -> str:
        """A name for everything that decides the result; not for the place, nor for the number of processes."""
        facts = self.model_dump(include={"model", "settings", "training", "seed", "dataset"})
        return f"training-{digest_of(facts)}"

    @property
    def columns_name(self) -> str:
        """The name of the columns in the store."""
        return f"columns/{self.dataset[:16]}"

    def open_store(self) -> FolderStore:
        """Open the store."""
        return RemoteFolders(self.store) if "://" in self.store else LocalFolders(Path(self.store))


def work(task_json: str) -> None:
    """Do the share of this process, which RANK, WORLD_SIZE and so on identify, as torchrun and Ray Train set them.

    An error of the training itself is written to the store, since a restart would not help.

    Args:
        task_json: a `ShardedTraining` as JSON.
    """
    task = ShardedTraining.model_validate_json(task_json)
    begun_here = not dist.is_initialized()
    if begun_here:
        meeting, rank, size = rendezvous_store()
        dist.init_process_group("gloo", store=meeting, rank=rank, world_size=size, timeout=_LOST_AFTER)
    shard, store = Shard.joined(), task.open_store()
    try:
        with _own_folder(task, shard) as place:
            try:
                result: dict[str, Any] = vars(_fitted(task, shard, store, place))
                name = f"{task.key}/done/{shard.rank}-of-{shard.size}"
            except MMRecUnError as error:
                result = Failure.from_error(error).model_dump()
                name = f"{task.key}/failed/{shard.rank}"
            _leave(store, place, result, name)
    finally:
        if begun_here:
            dist.destroy_process_group()


def rendezvous_store() -> tuple[Store, int, int]:
    """Return the store in which the processes of this attempt find each other, the rank of this one, and their number.

    torchrun keeps one store for all attempts. Here each attempt has names of its own in it. Restarted processes would
    otherwise find the addresses of those that died, and wait for them.
    """
    store, rank, size = next(rendezvous("env://", timeout=_LOST_AFTER))
    return PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store), rank, size


def _fitted(task: ShardedTraining, shard: Shard, store: FolderStore, place: Path) -> FitResult:
    """Train, and write the best rows into `place / "leave"`."""
    columns = Path(task.columns)
    if not task.columns:
        columns = place / "columns"
        store.get(task.columns_name, columns)
    cls, files = model_class(task.model), place / "files"
    files.mkdir()
    share = ShardTask(
        cls,
        cls.Config.model_validate(task.settings),
        MappedDataset.read(columns, task.dataset_name, task.dataset),
        TrainConfig.model_validate(task.training),
        Seed(task.seed),
        files,
        shard,
    )
    fitted = fit_distributed(share, checkpoints=Checkpoints(store, task.key, shard, place, task.every_seconds))
    (place / "leave").mkdir()
    for name, rows in fitted.best.items():
        np.save(place / "leave" / f"{name}.npy", rows)
    return fitted.result


def _leave(store: FolderStore, place: Path, facts: dict[str, Any], name: str) -> None:
    folder = place / "leave"
    folder.mkdir(exist_ok=True)
    (folder / _STATE).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    store.put(folder, name)


@contextmanager
def _own_folder(task: ShardedTraining, shard: Shard) -> Iterator[Path]:
    """Yield an empty folder for this process: on the file system of the store if that is a folder."""
    if "://" in task.store:
        place = Path(tempfile.mkdtemp(prefix=SCRATCH))
    else:
        place = Path(task.store) / f".process-{shard.rank}"
        shutil.rmtree(place, ignore_errors=True)  # of one that was killed
        place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def collect(task: ShardedTraining, place: Path) -> tuple[FitResult, dict[str, np.ndarray]]:
    """Join the best rows of all processes.

    Args:
        task: a training whose processes have ended.
        place: an empty folder for the tables.

    Returns:
        The result of the training, and parameter -> float32 [R, D], memory-mapped.

    Raises:
        MMRecUnError: the error of the training, if it had one.
    """
    store = task.open_store()
    names = [name for name in store.names() if name.startswith(f"{task.key}/")]
    for name in (name for name in names if name.startswith(f"{task.key}/failed/")):
        raise Failure.model_validate(_facts(store, name, place / "failed")).error()
    done = [name for name in names if name.startswith(f"{task.key}/done/")]
    size = int(done[0].rpartition("-of-")[2]) if done else 0
    if not size or len(done) != size:
        raise ArtifactError(f"{task.store}: the training has left {len(done)} of {size or 'its'} parts; run it again")
    facts, parts = {}, []
    for rank in range(size):
        folder = place / str(rank)
        facts = _facts(store, f"{task.key}/done/{rank}-of-{size}", folder)
        parts.append({path.name.removesuffix(".npy"): read_npy(path) for path in folder.glob("*.npy")})
    return FitResult(**facts), {
        name: _joined([part[name] for part in parts], place / f"{name}.npy") for name in parts[0]
    }


def _joined(parts: list[np.ndarray], path: Path) -> np.ndarray:
    """Write the rows of all processes into one file: row r from process r mod W."""
    rows, width = sum(map(len, parts)), parts[0].shape[1]
    whole = new_mapped_npy(path, np.float32, (rows, width))
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole


def _facts(store: FolderStore, name: str, place: Path) -> dict[str, Any]:
    store.get(name, place)
    facts: dict[str, Any] = json.loads((place / _STATE).read_text(encoding="utf-8"))
    return facts


def clear(task: ShardedTraining, prefix: str = "") -> None:
    """Remove the files of a training from the store: all, or those whose names begin with `prefix`."""
    store = task.open_store()
    for name in store.names():
        if name.startswith(f"{task.key}/{prefix}"):
            store.remove(name)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    work(sys.argv[1])

"""One training on several processes: what each of them does, and what comes of it.

Everything that they leave for one another, and for the command that started them, lies on one shelf that all reach: the
columns of the dataset where hosts share no folder, checkpoints, and in the end the best rows of each.
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

from mmrecun.data.columns import Columns
from mmrecun.data.npy import read_npy
from mmrecun.errors import ArtifactError, MMRecUnError
from mmrecun.models.registry import model_class
from mmrecun.rng import Seed
from mmrecun.scale.depot import Depot
from mmrecun.scale.piece import SCRATCH, Failure, digest_of
from mmrecun.settings import Settings
from mmrecun.training.distributed.checkpoint import Checkpoints, FolderShelf, Shelf
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.train import fit_distributed
from mmrecun.training.fit import FitResult, TrainConfig

_STATE, _LOST_AFTER = "state.json", timedelta(minutes=10)


class ShardedTraining(Settings):
    """A training, in words that another machine understands.

    Attributes:
        model: registered name of a recommender that is `row_wise` or has `user_parts`.
        settings, training: of the model, and of `TrainConfig`.
        seed: of everything that is drawn.
        dataset_name, dataset: of the dataset: name, and digest of its content.
        columns: the folder of its columns; empty where they lie on the shelf.
        store: the shelf: a folder, or the URL of a `Depot`.
        every_seconds: between two checkpoints.
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
        """Name all that decides the result; neither where it is made nor by how many processes."""
        facts = self.model_dump(include={"model", "settings", "training", "seed", "dataset"})
        return f"training-{digest_of(facts)}"

    @property
    def columns_name(self) -> str:
        """Name the columns on the shelf."""
        return f"columns/{self.dataset[:16]}"

    def shelf(self) -> Shelf:
        """Open the shelf."""
        return Depot(self.store) if "://" in self.store else FolderShelf(Path(self.store))


def work(task_json: str) -> None:
    """Do the share of this process; RANK, WORLD_SIZE and the like say which, as torchrun and Ray Train set them.

    An error of the training itself is left on the shelf, since trying again would not help.

    Args:
        task_json: a `ShardedTraining`.
    """
    task = ShardedTraining.model_validate_json(task_json)
    begun_here = not dist.is_initialized()
    if begun_here:
        store, rank, size = meeting()
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_LOST_AFTER)
    shard, shelf = Shard.joined(), task.shelf()
    try:
        with _own_folder(task, shard) as place:
            try:
                result: dict[str, Any] = vars(_fitted(task, shard, shelf, place))
                name = f"{task.key}/done/{shard.rank}-of-{shard.size}"
            except MMRecUnError as error:
                result = Failure.from_error(error).model_dump()
                name = f"{task.key}/failed/{shard.rank}"
            _leave(shelf, place, result, name)
    finally:
        if begun_here:
            dist.destroy_process_group()


def meeting() -> tuple[Store, int, int]:
    """Return the store where processes that were started together find one another, and rank and number of this one.

    torchrun keeps one store for all its attempts. Each has names of its own in it here: processes that are begun again
    would otherwise find the addresses of those that have died, and wait for them.
    """
    store, rank, size = next(rendezvous("env://", timeout=_LOST_AFTER))
    return PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store), rank, size


def _fitted(task: ShardedTraining, shard: Shard, shelf: Shelf, place: Path) -> FitResult:
    """Train; the best rows are moved to `place / "leave"`."""
    columns = Path(task.columns)
    if not task.columns:
        columns = place / "columns"
        shelf.get(task.columns_name, columns)
    cls, files = model_class(task.model), place / "files"
    files.mkdir()
    share = ShardTask(
        cls,
        cls.Config.model_validate(task.settings),
        Columns.read(columns, task.dataset_name, task.dataset),
        TrainConfig.model_validate(task.training),
        Seed(task.seed),
        files,
        shard,
    )
    fitted = fit_distributed(share, checkpoints=Checkpoints(shelf, task.key, shard, place, task.every_seconds))
    (place / "leave").mkdir()
    for name, rows in fitted.best.items():
        np.save(place / "leave" / f"{name}.npy", rows)
    return fitted.result


def _leave(shelf: Shelf, place: Path, facts: dict[str, Any], name: str) -> None:
    folder = place / "leave"
    folder.mkdir(exist_ok=True)
    (folder / _STATE).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    shelf.put(folder, name)


@contextmanager
def _own_folder(task: ShardedTraining, shard: Shard) -> Iterator[Path]:
    """Yield an empty folder of this process: on the shelf's file system if that is of this machine."""
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
    """Put the best rows of all processes together.

    Args:
        task: a training whose processes have ended.
        place: an empty folder for the tables.

    Returns:
        What the training did, and table -> float32 [R, D], mapped.

    Raises:
        MMRecUnError: the error of the training, if it had one.
    """
    shelf = task.shelf()
    names = [name for name in shelf.names() if name.startswith(f"{task.key}/")]
    for name in (name for name in names if name.startswith(f"{task.key}/failed/")):
        raise Failure.model_validate(_facts(shelf, name, place / "failed")).error()
    done = [name for name in names if name.startswith(f"{task.key}/done/")]
    size = int(done[0].rpartition("-of-")[2]) if done else 0
    if not size or len(done) != size:
        raise ArtifactError(f"{task.store}: the training has left {len(done)} of {size or 'its'} parts; run it again")
    facts, parts = {}, []
    for rank in range(size):
        folder = place / str(rank)
        facts = _facts(shelf, f"{task.key}/done/{rank}-of-{size}", folder)
        parts.append({path.name.removesuffix(".npy"): read_npy(path) for path in folder.glob("*.npy")})
    return FitResult(**facts), {
        name: _joined([part[name] for part in parts], place / f"{name}.npy") for name in parts[0]
    }


def _joined(parts: list[np.ndarray], path: Path) -> np.ndarray:
    """Deal the rows of all processes in turn into one file."""
    rows, width = sum(map(len, parts)), parts[0].shape[1]
    whole = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width)).view(np.ndarray)
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole


def _facts(shelf: Shelf, name: str, place: Path) -> dict[str, Any]:
    shelf.get(name, place)
    facts: dict[str, Any] = json.loads((place / _STATE).read_text(encoding="utf-8"))
    return facts


def clear(task: ShardedTraining, prefix: str = "") -> None:
    """Remove from the shelf what belongs to a training: all, or what begins with `prefix`, such as "failed/"."""
    shelf = task.shelf()
    for name in shelf.names():
        if name.startswith(f"{task.key}/{prefix}"):
            shelf.remove(name)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    work(sys.argv[1])

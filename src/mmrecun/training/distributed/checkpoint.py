"""Checkpoints of a training on disk: the rows, moments and best rows of each process, in a folder for each process.

A checkpoint is complete when the folders of all W processes are there; each folder appears whole or not at all. A
different number of processes can read it: row r of a table is on process r mod W, as its row r div W.
"""

import json
import math
import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmrecun.data.npy import read_npy
from mmrecun.training.distributed.row_adam import RowStates
from mmrecun.training.distributed.row_exchange import Shard

_STATE, _BLOCK = "state.json", 1 << 16
_SAVINGS = 10  # the time between two checkpoints is at least this many times the time that writing one takes


class FolderStore(Protocol):
    """A store of folders by name; each is whole or absent.

    `scale.remote_folders.RemoteFolders` is one that other hosts reach.
    """

    def names(self) -> list[str]:
        """Return the names of all folders, sorted."""

    def put(self, folder: Path, name: str) -> None:
        """Store `folder` under `name`, unless that name exists."""

    def get(self, name: str, place: Path) -> None:
        """Make the folder `place` from what is stored under `name`."""

    def remove(self, name: str) -> None:
        """Remove what is stored under `name`, if there is anything."""


@dataclass(frozen=True)
class LocalFolders:
    """A store in a folder of this machine; names that begin with a dot do not belong to it.

    Attributes:
        path: the folder; it need not exist.
    """

    path: Path

    def names(self) -> list[str]:
        """Return the names; see `FolderStore`."""
        found = (path.parent.relative_to(self.path) for path in self.path.rglob(_STATE))
        return sorted(place.as_posix() for place in found if not place.parts[0].startswith("."))

    def put(self, folder: Path, name: str) -> None:
        """Store a folder; see `FolderStore`. The folder is moved, so nothing is written twice."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            folder.rename(place)

    def get(self, name: str, place: Path) -> None:
        """Fetch a folder; see `FolderStore`."""
        shutil.copytree(self.path / name, place)

    def remove(self, name: str) -> None:
        """Remove a folder; see `FolderStore`."""
        shutil.rmtree(self.path / name, ignore_errors=True)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training.

    Attributes:
        store: where they are stored.
        key: identifies data, settings and seed; only checkpoints with the same key are resumed.
        shard: the shard of this process.
        work: a folder of this process for temporary files.
        every_seconds: seconds between two checkpoints; 0 for one after every epoch.
    """

    store: FolderStore
    key: str
    shard: Shard
    work: Path
    every_seconds: float = 60.0

    def due(self, since: float, cost: float) -> bool:
        """Say whether a checkpoint is due `since` seconds after the last one, which took `cost` seconds to write."""
        return since >= max(self.every_seconds, _SAVINGS * cost if self.every_seconds else 0.0)

    def newest(self) -> tuple[str, int] | None:
        """Return the newest complete checkpoint and the number of processes that wrote it."""
        here = [name.split("/") for name in self.store.names() if name.startswith(f"{self.key}/epoch-")]
        found = Counter((epoch, int(part.split("-of-")[1])) for _, epoch, part in here)
        whole = sorted((epoch, size) for (epoch, size), count in found.items() if count == size)
        return whole[-1] if whole else None

    def save(self, epoch: int, tables: dict[str, RowStates], best: dict[str, np.ndarray], facts: dict[str, Any]) -> str:
        """Write the rows of this process; return the name of the checkpoint."""
        staging = self.work / "checkpoint.partial"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        for name, table in tables.items():
            np.save(staging / f"{name}.npy", table.records)
            np.save(staging / f"{name}.last.npy", table.last)
        for name, rows in best.items():
            np.save(staging / f"{name}.best.npy", rows)
        (staging / _STATE).write_text(json.dumps(facts) + "\n", encoding="utf-8")
        checkpoint = f"epoch-{epoch:06d}"
        self.store.put(staging, f"{self.key}/{checkpoint}/{self.shard.rank}-of-{self.shard.size}")
        shutil.rmtree(staging, ignore_errors=True)
        return checkpoint

    def remove_before(self, checkpoint: str) -> None:
        """Remove all older checkpoints of this training."""
        for name in self.store.names():
            if name.startswith(f"{self.key}/epoch-") and name < f"{self.key}/{checkpoint}":
                self.store.remove(name)

    def load(
        self,
        tables: dict[str, RowStates],
        best: dict[str, np.ndarray],
        rows: dict[str, int],
        whole: Collection[str] = (),
    ) -> dict[str, Any] | None:
        """Fill tables and best rows from the newest checkpoint; return its facts, or None if there is none.

        Args:
            tables, best: tables and best rows of this process, by name.
            whole: tables that every process holds whole; each process has written its share of their rows.
            whole: tables that lie whole on every process; each process has written its share of their rows.
        """
        found = self.newest()
        if found is None:
            return None
        checkpoint, size = found
        facts: dict[str, Any] = {}
        shared = 1 if whole else math.gcd(size, self.shard.size)
        for rank in (rank for rank in range(size) if (rank - self.shard.rank) % shared == 0):
            place = self.work / f"restored-{rank}"
            shutil.rmtree(place, ignore_errors=True)
            self.store.get(f"{self.key}/{checkpoint}/{rank}-of-{size}", place)
            facts = json.loads((place / _STATE).read_text(encoding="utf-8"))
            for name, table in tables.items():
                mine = Shard() if name in whole else self.shard
                for part, target in (("", table.records), (".last", table.last), (".best", best[name])):
                    source = place / f"{name}{part}.npy"
                    if source.exists():
                        _take_over(read_npy(source), Shard(rank, size), target, mine, rows[name])
            shutil.rmtree(place)
        return facts


def _take_over(source: np.ndarray, whose: Shard, target: np.ndarray, mine: Shard, rows: int) -> None:
    """Copy the rows that a process held when it wrote the checkpoint and that this process holds now, in blocks."""
    for start in range(0, len(source), _BLOCK):
        numbers = np.arange(whose.rank + start * whose.size, rows, whose.size)[:_BLOCK]
        own = mine.owns(numbers)
        target[numbers[own] // mine.size] = source[start : start + _BLOCK][own]

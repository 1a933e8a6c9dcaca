"""What a training on disk needs to go on: the rows, moments and best rows of each process, in a folder each.

A checkpoint is complete when the folders of all processes are there; each appears whole or not at all. It can be read
by another number of processes than wrote it, since row r of a table is known to lie on process r mod W at r div W.
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
_SAVINGS = 10  # at least so many times what a saving takes lies between two


class Shelf(Protocol):
    """Where folders are kept by name, each whole or absent; `scale.depot.Depot` is one that other hosts reach."""

    def names(self) -> list[str]:
        """Return the names of all folders, sorted."""

    def put(self, folder: Path, name: str) -> None:
        """Keep `folder` under `name`, unless it is there."""

    def get(self, name: str, place: Path) -> None:
        """Make the folder `place` of what is kept under `name`."""

    def remove(self, name: str) -> None:
        """Remove what is kept under `name`, if it is there."""


@dataclass(frozen=True)
class FolderShelf:
    """A shelf on this machine; names that begin with a point are those of others.

    Attributes:
        path: the folder; it need not exist.
    """

    path: Path

    def names(self) -> list[str]:
        """Return the names; see `Shelf`."""
        found = (path.parent.relative_to(self.path) for path in self.path.rglob(_STATE))
        return sorted(place.as_posix() for place in found if not place.parts[0].startswith("."))

    def put(self, folder: Path, name: str) -> None:
        """Store a folder; see `Shelf`. The folder is moved, so nothing of it is written twice."""
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            folder.rename(place)

    def get(self, name: str, place: Path) -> None:
        """Fetch a folder; see `Shelf`."""
        shutil.copytree(self.path / name, place)

    def remove(self, name: str) -> None:
        """Remove a folder; see `Shelf`."""
        shutil.rmtree(self.path / name, ignore_errors=True)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training.

    Attributes:
        shelf: where they are kept.
        key: names data, settings and seed; only checkpoints of the same are gone on from.
        shard: of this process.
        work: a folder of this process for files on their way.
        every_seconds: between two of them; 0 leaves one after every epoch.
    """

    shelf: Shelf
    key: str
    shard: Shard
    work: Path
    every_seconds: float = 60.0

    def due(self, since: float, cost: float) -> bool:
        """Say whether it is time, `since` seconds after the last one, which took `cost` seconds."""
        return since >= max(self.every_seconds, _SAVINGS * cost if self.every_seconds else 0.0)

    def newest(self) -> tuple[str, int] | None:
        """Return the newest complete checkpoint, and by how many processes it was written."""
        here = [name.split("/") for name in self.shelf.names() if name.startswith(f"{self.key}/epoch-")]
        found = Counter((epoch, int(part.split("-of-")[1])) for _, epoch, part in here)
        whole = sorted((epoch, size) for (epoch, size), count in found.items() if count == size)
        return whole[-1] if whole else None

    def save(self, epoch: int, tables: dict[str, RowStates], best: dict[str, np.ndarray], facts: dict[str, Any]) -> str:
        """Keep the rows of this process; returns the name of the checkpoint."""
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
        self.shelf.put(staging, f"{self.key}/{checkpoint}/{self.shard.rank}-of-{self.shard.size}")
        shutil.rmtree(staging, ignore_errors=True)
        return checkpoint

    def remove_before(self, checkpoint: str) -> None:
        """Remove all checkpoints of this training that are older."""
        for name in self.shelf.names():
            if name.startswith(f"{self.key}/epoch-") and name < f"{self.key}/{checkpoint}":
                self.shelf.remove(name)

    def load(
        self,
        tables: dict[str, RowStates],
        best: dict[str, np.ndarray],
        rows: dict[str, int],
        whole: Collection[str] = (),
    ) -> dict[str, Any] | None:
        """Fill tables and best rows from the newest checkpoint; returns its facts, or None if there is none.

        Args:
            tables, best: of this process, by name.
            rows: how many rows each table has over all processes.
            whole: tables that lie whole on every process, each of which has left its rows of them.
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
            self.shelf.get(f"{self.key}/{checkpoint}/{rank}-of-{size}", place)
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
    """Copy the rows that another process of then held and this one holds now, in blocks."""
    for start in range(0, len(source), _BLOCK):
        numbers = np.arange(whose.rank + start * whose.size, rows, whose.size)[:_BLOCK]
        own = mine.owns(numbers)
        target[numbers[own] // mine.size] = source[start : start + _BLOCK][own]

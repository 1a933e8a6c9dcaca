"""A run in chunks: a model's rows, its pairs and ids, each in pieces of about 1 MiB.

`mapped.json` lists the chunks; its digest covers the whole content, as the root of a Merkle tree does. Rows are never
renumbered: a forgotten user or item leaves a row of zeros.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from mmrecun.arrays import Floats, Ints
from mmrecun.chunked import ids
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.folders import CHUNKS, MANIFEST
from mmrecun.chunked.lists import ChunkedLists, ListsSpec
from mmrecun.chunked.rows import ChunkedRows, RowsSpec
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.mapped_dataset import MappedDataset
from mmrecun.data.npy import new_mapped_npy
from mmrecun.errors import ArtifactError, DataError
from mmrecun.forget.record import ForgetRecord
from mmrecun.manifest import Reference, now, versions
from mmrecun.settings import Settings, first_fault
from mmrecun.text import preview

FORMAT = 1
SIDES = ("users", "items")
_BLOCK = 1 << 16

if TYPE_CHECKING:
    from torch import Tensor


class MappedManifest(Settings):
    """The description of a run in chunks.

    Attributes:
        model, settings, training, seed: as in the manifest of a run in memory.
        dataset_name, dataset: name and digest of the data that was trained on.
        pairs: split -> number of retained interactions.
        rows: name -> table; the vectors and ids of both sides, and the hashes of ids.
        lists: "users" -> items of each user, "items" -> users of each item; each number is row * 4 + split.
        fixed: "users" and "items" -> columns of the vectors that are not trained, such as content of an item.
        part: k and W, where this is a part of a run (see `chunked.parts`); `pairs` are those of the whole run.
        change: digest of the erasure that made this part, the same in all parts.
        digest: digest of `rows` and `lists`, that is, of all content.
        parent: the run that was unlearned; None for a trained run.
        folded: the run, with rows in patches, that this one was folded from; None for any other.
        forgotten: numbers of removed users, items and pairs, in this run alone.
        requested: sizes of the request and, with a key, hashes of its ids; None for a trained run.
        moved: numbers of users and items that the unlearning moved.
        best_epoch, epochs, valid, seconds: as in the manifest of a run in memory.
    """

    format: int = FORMAT
    model: str
    settings: dict[str, Any]
    training: dict[str, Any]
    seed: int
    dataset_name: str
    dataset: str
    pairs: dict[str, int]
    rows: dict[str, RowsSpec]
    lists: dict[str, ListsSpec]
    fixed: dict[str, list[int]] = {}
    part: tuple[int, int] | None = None
    change: str = ""
    digest: str
    parent: Reference | None = None
    folded: Reference | None = None
    method: str = ""
    forgotten: dict[str, int] = {}
    requested: ForgetRecord | None = None
    moved: dict[str, int] = {}
    stop: str = ""
    references: dict[str, int] = {}
    best_epoch: int = 0
    epochs: int = 0
    valid: float | None = None
    seconds: float = 0.0
    versions: dict[str, str]
    created: str

    def chunks(self) -> set[str]:
        """Return the digests of all chunks."""
        parts: list[RowsSpec | ListsSpec] = [*self.rows.values(), *self.lists.values()]
        return {digest for part in parts for digest in part.digests()}

    def waiting(self) -> int:
        """Return how many rows and lists wait in patches, so that chunks still hold what they were before."""
        parts: list[RowsSpec | ListsSpec] = [*self.rows.values(), *self.lists.values()]
        return sum(part.patch[0].shape[0] for part in parts if part.patch is not None)


def content_digest(rows: Mapping[str, RowsSpec], lists: Mapping[str, ListsSpec]) -> str:
    """Compute SHA-256 over the digests of all chunks, in order, and the shapes of the parts."""
    parts = {
        name: spec.model_dump(mode="json", exclude_none=True) for name, spec in sorted([*rows.items(), *lists.items()])
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class MappedRun:
    """A run folder in chunks, of which only the pages that are needed are read.

    Attributes:
        folder: the run folder.
        manifest: its description.
    """

    folder: Path
    manifest: MappedManifest

    @cached_property
    def chunks(self) -> ChunkFolder:
        """Its chunks."""
        return ChunkFolder(self.folder / CHUNKS)

    def table(self, name: str) -> ChunkedRows:
        """Return a table by its name in the manifest."""
        return ChunkedRows(self.manifest.rows[name], self.chunks)

    def pairs_of(self, side: str) -> ChunkedLists:
        """Return the items of each user, or the users of each item, with their splits."""
        return ChunkedLists(self.manifest.lists[side], self.chunks)

    def size(self, side: str) -> int:
        """Return U or I, with the rows of removed ones."""
        return self.manifest.rows[f"{side}.vectors"].shape[0]

    def retained(self, side: str) -> Ints:
        """Return the rows of all but the removed users or items, which have no id: int64, ascending."""
        table = self.table(f"{side}.ids")
        # an id is never empty and has no NUL, so that its first byte says whether the row has one
        each = [np.flatnonzero(table.chunk(number)[:, 0]) for number in range(len(table.spec.chunks))]
        return np.concatenate([number * table.spec.per_chunk + rows for number, rows in enumerate(each)])

    def find(self, side: str, names: tuple[str, ...]) -> Ints:
        """Find the rows of ids, -1 where one is unknown: int64 [K]."""
        return ids.find(names, *self.index(side))

    def index(self, side: str) -> tuple[ChunkedRows, ChunkedRows, ChunkedRows]:
        """Return the tables by which an id is found: ids, hashes, and the rows of the hashes; see `chunked.ids`."""
        names, hashes, rows = (self.table(f"{side}.{part}") for part in ids.TABLES)
        return names, hashes, rows

    def require(self, side: str, names: tuple[str, ...]) -> Ints:
        """Find the rows of ids: int64 [K].

        Raises:
            DataError: listing the ids that are not known.
        """
        found = self.find(side, names)
        if (found < 0).any():
            unknown = [name for name, row in zip(names, found, strict=True) if row < 0]
            raise DataError(f"unknown {side[:-1]} id{'s' * (len(unknown) > 1)}: {preview(unknown)}")
        return found

    def names(self, side: str, at: Ints) -> list[str]:
        """Return the ids of rows `at` (int64 [K]); empty text for a removed one."""
        rows = self.table(f"{side}.ids").rows(at)
        # as text of fixed length, which NumPy returns without the zeros at its end
        return [name.decode() for name in rows.view(f"S{rows.shape[1]}").ravel().tolist()]

    def rows(self, side: str, at: Ints) -> Floats:
        """Return the vectors of rows `at` (int64 [K]): float32 [K, D], a copy."""
        return self.table(f"{side}.vectors").rows(at)

    def vectors(self, side: str, at: Ints) -> "Tensor":
        """Return the same as a tensor."""
        import torch  # takes longer to load than a request to forget takes

        return torch.from_numpy(self.rows(side, at))

    def interactions(self, users: Ints, *splits: Split) -> Interactions:
        """Return the pairs of `users` (int64 [M], ascending) in some splits, with users renumbered as 0 to M - 1."""
        lists = self.pairs_of("users").lists(users)
        values = np.concatenate(lists) if lists else np.empty(0, dtype=np.uint32)
        rows = np.repeat(np.arange(len(users)), [len(each) for each in lists])
        labels = (values & 3).astype(np.int8)
        chosen = np.isin(labels, splits)
        return Interactions(rows[chosen], (values[chosen] >> 2).astype(np.int64), labels[chosen])


def read(folder: Path, part: bool = False) -> MappedRun:
    """Read the manifest of a run in chunks.

    Args:
        folder: the run folder.
        part: whether it is a part of a run.

    Raises:
        ArtifactError: when there is none, it is damaged or of an unknown format, or a part where a whole run is
            expected.
    """
    path = folder / MANIFEST
    try:
        manifest = MappedManifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        hint = "a run in parts, and this takes whole ones" if any(folder.glob(f"*-of-*/{MANIFEST}")) else ""
        raise ArtifactError(f"{folder} is {hint or f'not a mapped run: it has no {MANIFEST}'}") from None
    except ValidationError as error:
        raise ArtifactError(f"{path}: damaged or from another version: {first_fault(error)}") from None
    if manifest.format != FORMAT:
        raise ArtifactError(f"{path}: format {manifest.format}; this version reads format {FORMAT}")
    if manifest.digest != content_digest(manifest.rows, manifest.lists):
        raise ArtifactError(f"{path}: its list of chunks has changed since this run was made; restore the file")
    if part != (manifest.part is not None):
        raise ArtifactError(
            f"{folder} is {'a whole run, not one part' if part else 'one part of a run, not the whole'}"
        )
    return MappedRun(folder, manifest)


def write_manifest(folder: Path, manifest: MappedManifest) -> MappedManifest:
    """Write `mapped.json` with the digest, which is worked out here; returns what was written."""
    digest = content_digest(manifest.rows, manifest.lists)
    whole = manifest.model_copy(update={"digest": digest})
    (folder / MANIFEST).write_text(whole.model_dump_json(exclude_none=True) + "\n", encoding="utf-8")
    return whole


def write(staging: Path, dataset: MappedDataset, vectors: Mapping[str, np.ndarray], **facts: Any) -> None:
    """Fill an empty (staged) run folder from what a training on disk left.

    Args:
        staging: the folder.
        dataset: the dataset.
        vectors: "users" and "items" -> float32 [R, D], may be mapped.
        facts: the other fields of the manifest.
    """
    folder = ChunkFolder(staging / CHUNKS)
    rows: dict[str, RowsSpec] = {}
    for side, names in (("users", dataset.users), ("items", dataset.items)):
        hashes, places = ids.index_of(names)
        for part, array in (("vectors", vectors[side]), ("ids", names), ("hashes", hashes), ("hash_rows", places)):
            rows[f"{side}.{part}"] = ChunkedRows.write(array, folder).spec
    lists = {"users": ChunkedLists.write(_by_user(dataset), folder).spec}
    swapped = staging / "by_item.npy"
    lists["items"] = ChunkedLists.write(_by_item(dataset, swapped), folder).spec
    swapped.unlink(missing_ok=True)
    pairs = {split.label: len(part) for split, part in dataset.splits.items()}
    manifest = MappedManifest(
        dataset_name=dataset.name,
        dataset=dataset.digest,
        pairs=pairs,
        rows=rows,
        lists=lists,
        digest="",
        versions=dict(versions()),
        created=now(),
        **facts,
    )
    write_manifest(staging, manifest)


def _by_user(dataset: MappedDataset) -> Iterator[tuple[Ints, np.ndarray]]:
    """Yield the items of each user with their splits, in blocks of users."""
    for start in range(0, len(dataset.users), _BLOCK):
        users = np.arange(start, min(start + _BLOCK, len(dataset.users)))
        owners, values = [], []
        for split, part in dataset.splits.items():
            places, counts = part.places_of(users)
            owners.append(np.repeat(np.arange(len(users)), counts))
            values.append(part.items[places].astype(np.uint32) << 2 | np.uint32(split))
        whose, what = np.concatenate(owners), np.concatenate(values)
        yield np.bincount(whose, minlength=len(users)), what[np.lexsort((what, whose))]


def _by_item(dataset: MappedDataset, scratch: Path) -> Iterator[tuple[Ints, np.ndarray]]:
    """Yield the users of each item with their splits, in blocks of items; sorted by counting, in a scratch file."""
    items = len(dataset.items)
    counts = sum((part.item_degrees(items) for part in dataset.splits.values()), np.zeros(items, dtype=np.int64))
    ends = np.cumsum(counts)
    free = ends - counts
    whole = new_mapped_npy(scratch, np.uint32, (int(ends[-1]),))
    for split, part in dataset.splits.items():
        for start in range(0, len(part), _BLOCK << 4):
            at = slice(start, start + (_BLOCK << 4))
            order = np.argsort(part.items[at], kind="stable")
            rows = part.items[at][order].astype(np.int64)
            met = np.bincount(rows, minlength=items)
            places = free[rows] + np.arange(len(rows)) - (np.cumsum(met) - met)[rows]
            whole[places] = part.users[at][order].astype(np.uint32) << 2 | np.uint32(split)
            free += met
    for start in range(0, items, _BLOCK):
        stop = min(start + _BLOCK, items)
        whose = np.repeat(np.arange(stop - start), counts[start:stop])
        values = np.asarray(whole[ends[start] - counts[start] : ends[stop - 1]])
        yield counts[start:stop], values[np.lexsort((values, whose))]

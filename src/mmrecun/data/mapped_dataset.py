"""A dataset in memory-mapped files: only the pages that are read take memory.

Each split has three files, sorted by user, then item: `users` int32 [N], `items` int32 [N], and `starts` int64
[U + 1], the index of the first pair of each user. Ids are uint8 [U, W], UTF-8 padded with zeros. The features are
those of the dataset folder, linked under another name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmrecun.arrays import Bools, Floats, Ints, concatenated_ranges
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.npy import read_npy


@dataclass(frozen=True)
class MappedPairs:
    """The pairs of one split.

    Attributes:
        users, items: int32 [N], mapped; sorted by user, then item.
        starts: int64 [U + 1], mapped; the pairs of user u are those from `starts[u]` up to `starts[u + 1]`.
    """

    users: np.ndarray
    items: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.users)

    def places_of(self, users: Ints) -> tuple[Ints, Ints]:
        """Return the indices of the pairs of `users` (int64 [M]), int64 [N'], and how many each has, int64 [M]."""
        starts = self.starts[users]
        counts = self.starts[users + 1] - starts
        return concatenated_ranges(starts, counts), counts

    def contains(self, users: Ints, items: Ints) -> Bools:
        """Say for each pair (`users[b]`, `items[b]`), both int64 [B], whether it is among these: bool [B].

        All pairs are looked up at once by bisection: `low` and `high` bound where pair b can still be.
        """
        low, high = self.starts[users], self.starts[users + 1]
        end = high.copy()
        while True:
            open_ = np.flatnonzero(low < high)
            if not len(open_):
                break
            middle = (low[open_] + high[open_]) // 2
            below = self.items[middle] < items[open_]
            low[open_[below]] = middle[below] + 1
            high[open_[~below]] = middle[~below]
        found: Bools = low < end
        at = np.flatnonzero(found)
        found[at] = self.items[low[at]] == items[at]
        return found

    def of_users(self, users: Ints, split: Split) -> Interactions:
        """Return the pairs of `users` (int64 [M], ascending) with users renumbered as 0 to M - 1."""
        places, counts = self.places_of(users)
        rows = np.repeat(np.arange(len(users)), counts)
        labels = np.full(len(rows), split, dtype=np.int8)
        return Interactions(rows, self.items[places].astype(np.int64), labels)

    def item_degrees(self, items: int) -> Ints:
        """Count the pairs of each of `items` items: int64 [I]."""
        found = np.zeros(items, dtype=np.int64)
        for start in range(0, len(self), 1 << 22):
            found += np.bincount(self.items[start : start + (1 << 22)], minlength=items)
        return found


@dataclass(frozen=True)
class MappedFeatures:
    """The features of one modality.

    Attributes:
        features: float [I, F], mapped; the rows of absent items are undefined.
        present: bool [I], mapped.
    """

    features: np.ndarray
    present: np.ndarray

    @property
    def width(self) -> int:
        """F, the number of features."""
        return int(self.features.shape[1])

    def rows(self, at: Ints) -> Floats:
        """Return the features of the items `at` (int64 [K]): float32 [K, F], zero where absent."""
        return np.where(self.present[at, None], self.features[at], 0).astype(np.float32)


@dataclass(frozen=True)
class MappedDataset:
    """A dataset whose pairs and ids stay on disk.

    Attributes:
        name: name of the dataset.
        digest: digest of its content, as `Dataset.digest`.
        users, items: ids as bytes, uint8 [U, W] and [I, W'], mapped.
        splits: split -> its pairs.
        features: modality -> its features.
    """

    name: str
    digest: str
    users: np.ndarray
    items: np.ndarray
    splits: dict[Split, MappedPairs]
    features: Mapping[str, MappedFeatures] = field(default_factory=dict)

    @property
    def train(self) -> MappedPairs:
        """The training pairs."""
        return self.splits[Split.TRAIN]

    @classmethod
    def read(cls, folder: Path, name: str, digest: str) -> "MappedDataset":
        """Map the files of a folder that `mapped_import.open_mapped` wrote."""
        splits = {
            split: MappedPairs(*(read_npy(folder / f"{split.label}.{part}.npy") for part in PARTS)) for split in Split
        }
        names = sorted(path.name[len(FEATURES) : -len(".npy")] for path in folder.glob(f"{FEATURES}*.npy"))
        features = {
            each: MappedFeatures(*(read_npy(folder / f"{part}{each}.npy") for part in (FEATURES, PRESENT)))
            for each in names
        }
        return cls(name, digest, read_npy(folder / "user_ids.npy"), read_npy(folder / "item_ids.npy"), splits, features)


PARTS = "users", "items", "starts"
FEATURES, PRESENT = "features.", "present."  # how names of files begin

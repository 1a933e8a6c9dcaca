"""Interactions as columns on disk: three mapped files for each split, and the ids as rows of bytes.

Nothing of them is resident but the pages that are read. Of each split there are, sorted by user, then item:
`users` int32 [N], `items` int32 [N], and `starts` int64 [U + 1], where the pairs of each user begin. Ids are uint8
[U, W], UTF-8 filled up with zeros. Features are the files of the dataset under another name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmrecun.arrays import Bools, Floats, Ints, concatenated_ranges
from mmrecun.data.interactions import Interactions, Split
from mmrecun.data.npy import read_npy


@dataclass(frozen=True)
class PairColumns:
    """The pairs of one split.

    Attributes:
        users, items: int32 [N], mapped; sorted by user, then item.
        starts: int64 [U + 1], mapped: the pairs of user u are at `starts[u]` to `starts[u + 1]`.
    """

    users: np.ndarray
    items: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.users)

    def places_of(self, users: Ints) -> tuple[Ints, Ints]:
        """Return the indices of the pairs of `users` (int64 [M]) and the number for each user: int64 both."""
        starts = self.starts[users]
        counts = self.starts[users + 1] - starts
        return concatenated_ranges(starts, counts), counts

    def contains(self, users: Ints, items: Ints) -> Bools:
        """Say whether each pair (`users[b]`, `items[b]`), int64 [B] both, is among these, by bisection."""
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
        """Count the pairs of each item, in blocks: int64 [I]."""
        found = np.zeros(items, dtype=np.int64)
        for start in range(0, len(self), 1 << 22):
            found += np.bincount(self.items[start : start + (1 << 22)], minlength=items)
        return found


@dataclass(frozen=True)
class FeatureColumns:
    """The features of one modality.

    Attributes:
        features: float [I, F], mapped; rows of absent items mean nothing.
        present: bool [I], mapped.
    """

    features: np.ndarray
    present: np.ndarray

    @property
    def width(self) -> int:
        """F, the number of features."""
        return int(self.features.shape[1])

    def rows(self, at: Ints) -> Floats:
        """Return the features of items `at` (int64 [K]): float32 [K, F], zero where absent."""
        return np.where(self.present[at, None], self.features[at], 0).astype(np.float32)


@dataclass(frozen=True)
class Columns:
    """A dataset whose pairs and ids stay on disk.

    Attributes:
        name: of the dataset.
        digest: of the dataset's content.
        users, items: uint8 [U, W] and [I, W'], ids as bytes, mapped.
        splits: the pairs of each split.
        features: modality -> its features.
    """

    name: str
    digest: str
    users: np.ndarray
    items: np.ndarray
    splits: dict[Split, PairColumns]
    features: Mapping[str, FeatureColumns] = field(default_factory=dict)

    @property
    def train(self) -> PairColumns:
        """The training pairs."""
        return self.splits[Split.TRAIN]

    @classmethod
    def read(cls, folder: Path, name: str, digest: str) -> "Columns":
        """Map the files of a folder that `import_columns` wrote."""
        splits = {
            split: PairColumns(*(read_npy(folder / f"{split.label}.{part}.npy") for part in PARTS)) for split in Split
        }
        names = sorted(path.name[len(FEATURES) : -len(".npy")] for path in folder.glob(f"{FEATURES}*.npy"))
        features = {
            each: FeatureColumns(*(read_npy(folder / f"{part}{each}.npy") for part in (FEATURES, PRESENT)))
            for each in names
        }
        return cls(name, digest, read_npy(folder / "user_ids.npy"), read_npy(folder / "item_ids.npy"), splits, features)


PARTS = "users", "items", "starts"
FEATURES, PRESENT = "features.", "present."  # how names of files begin

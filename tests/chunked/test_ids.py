"""What an index of ids holds after erasures, against FNV-1a in whole numbers of Python."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun.chunked import chunks, ids
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.rows import ChunkedRows


def fnv(name: bytes) -> int:
    found = 0xCBF29CE484222325
    for byte in name:
        found = (found ^ byte) * 0x100000001B3 % 2**64
    return found


class Index:
    """The three tables of some ids, in chunks of eight rows."""

    def __init__(self, names: list[str], place: Path) -> None:
        self.names, self.folder = dict(enumerate(names)), ChunkFolder(place)
        width = max(map(len, names))
        padded = np.array([list(name.encode().ljust(width, b"\0")) for name in names], dtype=np.uint8)
        self.width = width
        self.tables = tuple(ChunkedRows.write(part, self.folder) for part in (padded, *ids.index_of(padded)))

    def erase(self, *names: str) -> None:
        gone = sorted(row for row, name in self.names.items() if name in names)
        self.tables = ids.without(np.array(gone, dtype=np.int64), *self.tables, self.folder)
        for row in gone:
            del self.names[row]

    def hash_of(self, name: str) -> int:
        return fnv(name.encode().ljust(self.width, b"\0"))

    def in_order(self) -> list[str]:
        return sorted(self.names.values(), key=self.hash_of)

    def check(self, everybody: list[str]) -> None:
        """All retained ids are found, no other is, and only their hashes are in the index, in order."""
        whole = self.tables[1].whole()
        assert (np.diff(whole.astype(object)) >= 0).all()
        assert set(whole.tolist()) <= ({self.hash_of(name) for name in self.names.values()} or {0})
        found = ids.find(everybody, *self.tables).tolist()
        rows = {name: row for row, name in self.names.items()}
        assert found == [rows.get(name, -1) for name in everybody]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 64)
    return Index([f"u{number}" for number in range(40)], tmp_path / "chunks")


def test_the_last_hash_of_a_chunk_does_not_outlive_its_id(index: Index):
    """The first erasure repeats the last hash of the chunk in the place that it leaves."""
    everybody, order = list(index.names.values()), index.in_order()
    index.erase(order[2])
    index.erase(order[7])
    index.check(everybody)


@pytest.mark.parametrize("chunk", [0, 2, 4])
def test_a_chunk_that_lost_all_its_ids_holds_no_hash_of_one_that_left_later(index: Index, chunk: int):
    everybody, order = list(index.names.values()), index.in_order()
    index.erase(*order[8 * chunk : 8 * chunk + 8])
    index.check(everybody)
    for name in order[8 * chunk - 1 :: -1][:3] + order[8 * chunk + 8 :][:3]:  # its neighbours on both sides
        index.erase(name)
        index.check(everybody)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_leaves_in_whatever_order_no_hash_of_it_stays(index: Index, seed: int):
    everybody, rng = list(index.names.values()), np.random.default_rng(seed)
    left = [everybody[at] for at in rng.permutation(len(everybody))]
    while left:
        size = int(rng.integers(1, 9))
        index.erase(*left[:size])
        left = left[size:]
        index.check(everybody)


def test_chunks_in_front_that_lose_all_their_ids_at_once_stay_in_order(index: Index):
    everybody, order = list(index.names.values()), index.in_order()
    index.erase(*order[:20])
    index.check(everybody)
    index.erase(*order[20:39])
    index.check(everybody)

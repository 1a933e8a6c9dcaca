"""A run in chunks against the dataset and the vectors it was made of."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun.atomic import staged_folder
from mmrecun.chunked import ids, listed_items, run
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.rows import ChunkedRows
from mmrecun.data import files
from mmrecun.data.interactions import Split
from mmrecun.data.mapped_import import open_mapped
from mmrecun.errors import ArtifactError, DataError


@pytest.fixture
def made(folder: Path, vectors, small, tmp_path: Path) -> run.MappedRun:
    with staged_folder(tmp_path / "run") as staging:
        run.write(staging, open_mapped(folder), vectors, model="bprmf", settings={}, training={}, seed=0)
    return run.read(tmp_path / "run")


def test_a_run_holds_what_it_was_made_of(made: run.MappedRun, folder: Path, vectors):
    data = files.load(folder)
    assert len(made.manifest.rows["users.vectors"].chunks) > 3
    assert sorted(path.name for path in made.folder.iterdir()) == [run.CHUNKS, run.MANIFEST]
    for side, names in (("users", data.users.names), ("items", data.items.names)):
        everybody = np.arange(len(names))
        np.testing.assert_array_equal(made.vectors(side, everybody).numpy(), vectors[side])
        assert made.names(side, everybody) == names.to_list()
        assert made.require(side, tuple(names[::-7])).tolist() == everybody[::-7].tolist()
    pairs = data.interactions
    found = made.interactions(np.arange(200), *Split)
    for column in ("users", "items", "splits"):
        np.testing.assert_array_equal(getattr(found, column), getattr(pairs, column))
    for item, values in enumerate(made.pairs_of("items").lists(np.arange(90))):
        mine = pairs.items == item
        wanted = sorted(zip(pairs.users[mine].tolist(), pairs.splits[mine].tolist(), strict=True))
        assert [divmod(int(value), 4) for value in values] == wanted
    assert made.manifest.dataset == data.digest
    assert made.manifest.pairs == {split.name.lower(): len(pairs.split(split)) for split in Split}


@pytest.mark.parametrize("block", [7, 400])
def test_the_best_items_of_some_are_among_those_that_are_listed(
    made: run.MappedRun, vectors, monkeypatch: pytest.MonkeyPatch, block: int
):
    """Against sorting the scores of all items: without the own ones of any split, and without those not ranked."""
    monkeypatch.setattr(listed_items, "_BLOCK", block)
    users, among = np.array([0, 5, 6, 150]), np.setdiff1d(np.arange(90), [3, 44])
    own = made.interactions(users, *Split)
    scores = vectors["users"][users] @ vectors["items"].T
    scores[own.users, own.items] = -np.inf
    scores[:, [3, 44]] = -np.inf
    for k in (1, 5, 90):
        wanted = [row for row in range(4) for row in np.argsort(-scores[row])[: min(k, (scores[row] > -np.inf).sum())]]
        found = listed_items.listed_items(made, users, among, k)
        np.testing.assert_array_equal(found, np.union1d(own.items, wanted))
    assert not len(listed_items.listed_items(made, users[:0], among, 5))


def test_ids_that_are_not_there_are_listed(made: run.MappedRun):
    long = "x" * 400
    assert made.find("users", ("nobody", "", long, "a\0b")).tolist() == [-1, -1, -1, -1]
    with pytest.raises(DataError, match="unknown user ids: nobody, nothing"):
        made.require("users", ("nobody", "nothing"))


def test_an_erased_id_is_found_no_more_and_the_others_still_are(made: run.MappedRun, folder: Path, tmp_path: Path):
    names, gone = files.load(folder).users.names.to_list(), np.array([3, 4, 77, 199])
    parts = [made.table(f"users.{part}") for part in ("ids", "hashes", "hash_rows")]
    target = ChunkFolder(tmp_path / "new")
    target.share(made.chunks, made.manifest.chunks())
    kept = [ChunkedRows(part.spec, target) for part in ids.without(gone, *parts, target)]
    wanted = [-1 if row in gone else row for row in range(200)]
    assert ids.find(names, *kept).tolist() == wanted
    assert ids.find(names, *parts).tolist() == list(range(200))
    hashes = ids.hashes_of(parts[0].rows(gone))
    left = kept[1].rows(np.arange(200))
    assert not np.isin(hashes, left).any()
    assert (np.diff(left.astype(object)) >= 0).all()
    again = ids.without(np.array([5]), *kept, target)
    assert ids.find(names, *again)[5] == -1


def test_every_id_of_a_chunk_can_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mmrecun.chunked import chunks

    monkeypatch.setattr(chunks, "CHUNK_BYTES", 16)
    folder = ChunkFolder(tmp_path / "chunks")
    array = np.frombuffer(b"".join(name.encode() for name in "abcdefgh"), dtype=np.uint8).reshape(8, 1)
    hashes, places = ids.index_of(array)
    tables = [ChunkedRows.write(each, folder) for each in (array, hashes, places)]
    kept = ids.without(np.arange(7), *tables, folder)
    assert ids.find(list("abcdefgh"), *kept).tolist() == [-1] * 7 + [7]


def test_a_damaged_manifest_is_one_clear_line(made: run.MappedRun):
    path = made.folder / run.MANIFEST
    text = path.read_text()
    path.write_text(text.replace(made.manifest.rows["users.ids"].chunks[0], "0" * 64))
    with pytest.raises(ArtifactError, match="list of chunks has changed"):
        run.read(made.folder)
    path.write_text(text[:100])
    with pytest.raises(ArtifactError, match="damaged"):
        run.read(made.folder)
    path.unlink()
    with pytest.raises(ArtifactError, match="not a mapped run"):
        run.read(made.folder)

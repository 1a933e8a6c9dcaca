"""Columns on disk against the dataset in memory."""

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.interactions import Split
from mmrecun.data.mapped_import import open_mapped
from mmrecun.data.npy import new_mapped_npy
from mmrecun.errors import DataError, DiskError


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("columns") / "data"
    files.save(Dataset.synthetic(users=80, items=60, interactions=900), out)
    return out


def shuffled(folder: Path, out: Path, digest: bool) -> Path:
    """The same data with its rows in another order, and an attribute that follows them."""
    data = files.load(folder)
    pairs = data.interactions
    noted = pairs.__class__(pairs.users, pairs.items, pairs.splits, pl.DataFrame({"n": np.arange(len(pairs))}))
    files.save(data.with_interactions(noted), out)
    table = pl.read_parquet(out / "interactions.parquet")
    table.sample(fraction=1, shuffle=True, seed=1).write_parquet(out / "interactions.parquet")
    if not digest:
        header = out / "dataset.toml"
        kept = [line for line in header.read_text().splitlines() if not line.startswith("digest")]
        header.write_text("\n".join(kept))
    return out


@pytest.mark.parametrize("order", ["as saved", "another"])
def test_columns_hold_what_the_dataset_holds(folder: Path, tmp_path: Path, order: str):
    place = folder if order == "as saved" else shuffled(folder, tmp_path / "data", digest=True)
    data, columns = files.load(place), open_mapped(place)
    assert columns.digest == data.digest
    assert columns.name == data.name
    for split in Split:
        pairs, mine = data.interactions.split(split), columns.splits[split]
        np.testing.assert_array_equal(mine.users, pairs.users)
        np.testing.assert_array_equal(mine.items, pairs.items)
        np.testing.assert_array_equal(np.diff(mine.starts), np.bincount(pairs.users, minlength=len(data.users)))
    for ids, names in ((columns.users, data.users.names), (columns.items, data.items.names)):
        assert [bytes(row).rstrip(b"\0").decode() for row in ids] == names.to_list()


def test_two_that_open_at_once_get_the_same_columns(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "data", ignore=shutil.ignore_patterns("columns"))
    with ThreadPoolExecutor(2) as pool:
        opened = list(pool.map(open_mapped, [tmp_path / "data"] * 2))
    assert {data.digest for data in opened} == {files.load(folder).digest}
    assert not list((tmp_path / "data").glob(".*"))


def test_pairs_are_found_as_in_a_set(folder: Path):
    columns, rng = open_mapped(folder).train, np.random.default_rng(0)
    known = set(zip(columns.users.tolist(), columns.items.tolist(), strict=True))
    users, items = rng.integers(80, size=2000), rng.integers(60, size=2000)
    wanted = [(user, item) in known for user, item in zip(users.tolist(), items.tolist(), strict=True)]
    assert 0 < sum(wanted) < len(wanted)
    assert columns.contains(users, items).tolist() == wanted
    some = np.array([3, 40, 79])
    of_some = columns.of_users(some, Split.TRAIN)
    found = set(zip(some[of_some.users].tolist(), of_some.items.tolist(), strict=True))
    assert found == {pair for pair in known if pair[0] in some}
    np.testing.assert_array_equal(columns.item_degrees(60), np.bincount(columns.items, minlength=60))


def test_columns_are_made_once_and_again_when_the_data_change(folder: Path, tmp_path: Path):
    place = shuffled(folder, tmp_path / "data", digest=False)
    open_mapped(place)
    made = (place / "columns" / "columns.json").stat().st_mtime_ns
    open_mapped(place)
    assert (place / "columns" / "columns.json").stat().st_mtime_ns == made
    table = pl.read_parquet(place / "interactions.parquet")
    table[1:].write_parquet(place / "interactions.parquet")
    assert sum(map(len, open_mapped(place).splits.values())) == table.height - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.with_columns(user=pl.lit("nobody")), "unknown user id: nobody"),
        (lambda table: table.with_columns(item=pl.lit("nothing")), "unknown item id: nothing"),
        (lambda table: table.with_columns(split=pl.lit("other")), "split must be train, valid or test"),
        (lambda table: pl.concat([table, table[:1]]), "occurs more than once"),
        (lambda table: table.drop("item"), "column 'item' is missing"),
        (lambda table: table[1:], "content has changed"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line_and_leaves_nothing(folder: Path, tmp_path: Path, change, message):
    place = tmp_path / "data"
    files.save(files.load(folder), place)
    change(pl.read_parquet(place / "interactions.parquet")).write_parquet(place / "interactions.parquet")
    with pytest.raises(DataError, match=message):
        open_mapped(place)
    assert not (place / "columns").exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot set space aside")
def test_a_mapped_file_has_its_space_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk is an error then; without that, the process would be killed when it writes to the mapping."""
    path = tmp_path / "a.npy"
    mapped = new_mapped_npy(path, np.float32, (1 << 16, 2))
    assert path.stat().st_blocks * 512 >= mapped.nbytes
    mapped[:] = 1
    assert np.load(path).sum() == mapped.size

    def refused(number: int) -> None:
        def fallocate(file: int, start: int, size: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "posix_fallocate", fallocate)

    refused(errno.ENOSPC)
    with pytest.raises(DiskError, match=r"a\.npy: cannot be written: No space left on device"):
        new_mapped_npy(path, np.float32, (4,))
    refused(errno.EOPNOTSUPP)
    assert not new_mapped_npy(path, np.float32, (4,)).any()

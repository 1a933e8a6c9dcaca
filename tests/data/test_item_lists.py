"""Lines of a user and items, and splits in several files: LightGCN, NGCF, RecEraser, CURE4Rec."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.options import Format, Imported, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.interactions import Split
from mmrecun.errors import ConfigError, DataError
from mmrecun.forget.parsing import read_ids, read_pairs

TRAIN = "0 0 1 2\n1 3 1 0 2\n2 2 10\n10 9 1\n"
TEST = "0 3\n1 10 9\n2\n"


def lightgcn(folder: Path, train: str = TRAIN, test: str = TEST) -> Path:
    """As LightGCN publishes Gowalla: numbers that single blanks separate, and lists of the ids they stand for."""
    folder.mkdir()
    (folder / "train.txt").write_text(train)
    (folder / "test.txt").write_text(test)
    return folder


def pairs_of(data: Dataset, split: Split) -> set[tuple[str, str]]:
    part = data.interactions.split(split)
    return set(zip(data.users.names.gather(part.users), data.items.names.gather(part.items), strict=True))


def by_hand(text: str) -> set[tuple[str, str]]:
    return {(line.split()[0], item) for line in text.splitlines() for item in line.split()[1:]}


def accounted(found: Imported) -> bool:
    return found.report.rows == len(found.dataset.interactions) + sum(found.report.left_out.values())


def test_a_folder_of_lists_gives_its_pairs_and_cuts_validation_from_train_alone(tmp_path: Path):
    found = read(lightgcn(tmp_path / "gowalla"), ImportOptions())
    data = found.dataset
    assert data.name == "gowalla"
    assert pairs_of(data, Split.TEST) == by_hand(TEST)
    assert pairs_of(data, Split.TRAIN) | pairs_of(data, Split.VALID) == by_hand(TRAIN)
    assert len(pairs_of(data, Split.VALID)) == 4  # one of each user, since each has two at least
    assert data.users.names.to_list() == ["0", "1", "2", "10"]
    assert data.items.names.to_list() == ["0", "1", "2", "3", "9", "10"]
    assert found.warnings[0].endswith("test.txt: 1 line holds a user and no item")
    assert "4 were drawn from train" in found.warnings[1]
    assert found.report.rows == 14
    assert accounted(found)


def test_published_validation_is_kept(tmp_path: Path):
    folder = lightgcn(tmp_path / "set")
    (folder / "valid.txt").write_text("10 2\n")
    data = read(folder, ImportOptions()).dataset
    assert pairs_of(data, Split.VALID) == {("10", "2")}
    assert pairs_of(data, Split.TRAIN) == by_hand(TRAIN)
    named = {part: folder / f"{part}.txt" for part in ("train", "valid", "test")}
    assert read(None, ImportOptions.of(named)).dataset.digest == data.digest


def test_lists_of_ids_fix_the_order_and_bring_what_the_numbers_stand_for(tmp_path: Path):
    folder = lightgcn(tmp_path / "set")
    (folder / "user_list.txt").write_text("org_id remap_id\n" + "".join(f"A{n} {n}\n" for n in range(11)))
    (folder / "item_list.txt").write_text("org_id remap_id\n" + "".join(f"B{n} {n}\n" for n in range(11)))
    data = read(folder, ImportOptions()).dataset
    assert (len(data.users), len(data.items)) == (11, 11)
    assert data.user_attributes["org_id"].to_list() == [f"A{n}" for n in range(11)]
    np.save(folder / "image.npy", np.eye(11))
    seen = read(folder, ImportOptions(features={"image": folder / "image.npy"})).dataset
    np.testing.assert_array_equal(seen.modalities["image"].features, np.eye(11))
    (folder / "item_list.txt").write_text("org_id remap_id\nB0 0\n")
    with pytest.raises(DataError, match=r"train\.txt, line 1: item '1' is not in .*item_list\.txt"):
        read(folder, ImportOptions())


def test_a_single_file_of_lists_is_recognised_and_split(tmp_path: Path):
    path = tmp_path / "all.txt"
    path.write_text("".join(f"{user} {' '.join(str(item) for item in range(9))}\n" for user in range(5)))
    assert len(read(path, ImportOptions()).dataset.interactions) == 45
    named = path.rename(tmp_path / "all.lists")
    assert len(read(named, ImportOptions(), Format.LISTS).dataset.interactions) == 45


BAD_LISTS = {
    "a pair twice in a line": ("0 1 1\n", TEST, r"train\.txt, line 1: the same user and item as in line 1"),
    "a pair in train and test": (TRAIN, "0 5\n1 3\n", r"test\.txt, line 2: the same user .* in .*train\.txt, line 2"),
    "commas": ("0,1,2\n1,2\n", TEST, "give --separator comma"),
    "no pairs": ("0\n1\n", TEST, "holds no rows"),
    "empty": ("", TEST, r"train\.txt: holds no rows"),
}


@pytest.mark.parametrize("case", BAD_LISTS)
def test_bad_lists(case: str, tmp_path: Path):
    train, test, message = BAD_LISTS[case]
    with pytest.raises(DataError, match=message) as caught:
        read(lightgcn(tmp_path / "set", train, test), ImportOptions(), Format.LISTS)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    folder = lightgcn(tmp_path / "set")
    (folder / "test.txt").write_bytes(b"0 1\n1 \xff\xfe\n")
    with pytest.raises(DataError, match=r"test\.txt: not UTF-8 text"):
        read(folder, ImportOptions())


CURE4REC = "uid,iid,val,tag\n"  # pairs of a user, an item, a rating and a time


def cure4rec(folder: Path) -> dict[str, Path]:
    rows = [f"{user},{item},{1 + (user + item) % 5},{880_000_000 + user}" for user in range(12) for item in range(10)]
    parts = {"train": [row for n, row in enumerate(rows) if n % 5], "test": rows[::5]}
    for name, listed in parts.items():
        (folder / f"{name}.csv").write_text(CURE4REC + "\n".join(listed) + "\n")
    return {name: folder / f"{name}.csv" for name in parts}


def test_cure4rec_is_read_and_its_forget_lists_are_requests(tmp_path: Path):
    options = {**cure4rec(tmp_path), "user": "uid", "item": "iid", "weight": "val", "timestamp": "tag"}
    data = read(None, ImportOptions.of(options)).dataset
    assert (len(data.users), len(data.items), len(data.interactions.split(Split.TEST))) == (12, 10, 24)
    listed = tmp_path / "edge_data_5%.csv"
    listed.write_text(CURE4REC + "7,0,3,880000007\n7,1,2,880000007\n9,4,5,880000009\n")
    assert set(read_ids(listed, "user", data.users)) == {"7", "9"}
    assert read_pairs(listed, data) == (("7", "0"), ("7", "1"), ("9", "4"))


def test_files_of_splits_leave_out_what_weighs_too_little_and_say_so(tmp_path: Path):
    options = {**cure4rec(tmp_path), "user": "uid", "item": "iid", "weight": "val", "min_weight": 3}
    found = read(None, ImportOptions.of(options))
    assert found.report.left_out == {"'val' below 3": 48}
    assert found.report.rows == 120
    assert accounted(found)


def test_the_file_of_a_split_that_lacks_a_column_is_named(tmp_path: Path):
    files = cure4rec(tmp_path)
    files["test"].write_text("uid,iid,note\n0,0,x\n")
    options = {**files, "user": "uid", "item": "iid"}
    with pytest.raises(DataError, match=r"test\.csv: unknown column 'val'; known: iid, note, uid"):
        read(None, ImportOptions.of({**options, "weight": "val"}))
    left_out = next(line for line in read(None, ImportOptions.of(options)).warnings if "left out" in line)
    assert left_out.endswith("3 columns left out: 'val', 'tag', 'note'")


SOURCES = {
    "nothing": ({}, "name one source: SRC, or --train and --test"),
    "train alone": ({"train": "train.csv"}, "published splits need both files"),
    "valid and source": ({"valid": "v.csv"}, "name one source"),
    "sql alone": ({"sql": "sqlite:///x.db"}, "--sql needs a SELECT"),
    "train and sql": ({"train": "a", "test": "b", "sql": "c"}, "there are --train and --sql"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_sources_that_contradict_each_other(case: str):
    values, message = SOURCES[case]
    with pytest.raises(ConfigError, match=message):
        read(None, ImportOptions.of(values))


def test_files_that_say_their_split_are_not_split_again(tmp_path: Path):
    options = {**cure4rec(tmp_path), "user": "uid", "item": "iid", "split": "random"}
    with pytest.raises(ConfigError, match="leave --split and --split-column out"):
        read(None, ImportOptions.of(options))

"""MicroLens, Ducho, Cornac and Hugging Face's datasets, made after their published descriptions."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.interactions import Split
from mmrecun.errors import DataError

PAIRS = [(user, item) for user in range(1, 9) for item in range(1, 8) if (user + 2 * item) % 3]
NAMES = [(f"u{user}", f"i{item}") for user, item in PAIRS]


def found_pairs(data: Dataset) -> set[tuple[str, str]]:
    rows = data.interactions
    return set(zip(data.users.names.gather(rows.users), data.items.names.gather(rows.items), strict=True))


def as_text(pairs: list[tuple[int, int]]) -> set[tuple[str, str]]:
    return {(str(user), str(item)) for user, item in pairs}


# MicroLens


def microlens(folder: Path, suffix: str = "csv") -> Path:
    folder.mkdir()
    if suffix == "csv":
        rows = [f"{user},{item},{1_583_378_629_552 + item}" for user, item in PAIRS]
        (folder / "MicroLens-50k_pairs.csv").write_text("user,item,timestamp\n" + "\n".join(rows) + "\n")
    else:
        lines = [f"{user}\t" + " ".join(str(i) for u, i in PAIRS if u == user) for user in range(1, 9)]
        (folder / "MicroLens-50k_pairs.tsv").write_text("\n".join(lines) + "\n")
    titles = [f'{item},"Video {item}, the best"' for item in range(1, 9)]
    (folder / "MicroLens-50k_titles.csv").write_text("item,title\n" + "\n".join(titles) + "\n")
    counts = [f"{item}\t{10 * item}\t{100 * item}" for item in range(1, 10)]
    (folder / "MicroLens-50k_likes_and_views.txt").write_text("\n".join(counts) + "\n")
    return folder


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_microlens(suffix: str, tmp_path: Path):
    folder = microlens(tmp_path / "50k", suffix)
    np.save(tmp_path / "video.npy", np.eye(8, dtype=np.float32))
    options = ImportOptions(features={"video": tmp_path / "video.npy"}, split="leave-k-out")
    found = read(folder, options)
    data = found.dataset
    assert found_pairs(data) == as_text(PAIRS)
    assert data.items.names.to_list() == [str(item) for item in range(1, 9)]
    assert data.item_attributes["title"][2] == "Video 3, the best"
    assert data.item_attributes["likes"].to_list() == [10 * item for item in range(1, 9)]
    np.testing.assert_array_equal(data.modalities["video"].features[2], np.eye(8)[2])
    assert any("1 item has no title and was left out" in warning for warning in found.warnings)
    last = {user: max(i for u, i in PAIRS if u == user) for user in range(1, 9) if sum(u == user for u, _ in PAIRS) > 2}
    test = data.interactions.split(Split.TEST)
    held = dict(zip(data.users.names.gather(test.users), data.items.names.gather(test.items), strict=True))
    assert held == {str(user): str(item) for user, item in last.items()}


def test_items_without_a_title_stay(tmp_path: Path):
    folder = microlens(tmp_path / "50k")
    titles = folder / "MicroLens-50k_titles.csv"
    titles.write_text("".join(titles.read_text().splitlines(keepends=True)[:5]))  # of items 1 to 4
    found = read(folder, ImportOptions())
    data = found.dataset
    assert found_pairs(data) == as_text(PAIRS)
    titled = dict(zip(data.items.names, data.item_attributes["title"], strict=True))
    assert titled == {str(n): f"Video {n}, the best" if n < 5 else None for n in range(1, 8)}
    assert any("3 items of the pairs are not in it, and so without attributes" in told for told in found.warnings)


def test_titles_without_a_header(tmp_path: Path):
    folder = microlens(tmp_path / "50k")
    titles = folder / "MicroLens-50k_titles.csv"
    titles.write_text(titles.read_text().partition("\n")[2])
    assert read(folder, ImportOptions()).dataset.item_attributes["title"][0] == "Video 1, the best"


# Ducho


def ducho(folder: Path, shape: tuple[int, ...] = (1, 4)) -> Path:
    layer = folder / "torch" / "ResNet50" / "avgpool"
    layer.mkdir(parents=True)
    for item in range(1, 6):
        np.save(layer / f"i{item}.npy", np.full(shape, item, dtype=np.float32))
    np.save(layer / "i99.npy", np.zeros(shape))
    return folder


def events(folder: Path) -> Path:
    path = folder / "e.csv"
    path.write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in NAMES))
    return path


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4), (1, 4, 1, 1)])
def test_ducho_keeps_a_file_an_item(shape: tuple[int, ...], tmp_path: Path):
    folder = ducho(tmp_path / "visual", shape)
    found = read(events(tmp_path), ImportOptions(features={"image": folder}))
    image = found.dataset.modalities["image"]
    rows = found.dataset.items.rows([f"i{item}" for item in range(1, 6)])
    np.testing.assert_array_equal(image.features[rows], np.outer(range(1, 6), np.ones(4)))
    assert image.present.sum() == 5
    assert (image.provenance.encoder, image.provenance.pooling) == ("torch/ResNet50", "output of layer avgpool")
    assert any("1 file left out, of no item" in warning for warning in found.warnings)


def spoil(folder: Path, case: str) -> None:
    layer = folder / "torch" / "ResNet50" / "avgpool"
    if case == "frames":
        np.save(layer / "i2.npy", np.ones((3, 4)))
    elif case == "length":
        np.save(layer / "i2.npy", np.ones(5))
    elif case == "infinite":
        np.save(layer / "i2.npy", np.array([1, np.inf, 0, 0]))
    elif case == "objects":
        np.save(layer / "i2.npy", np.array([{}], dtype=object), allow_pickle=True)
    elif case == "layers":
        np.save(layer.parent / "x.npy", np.ones(3))
    else:
        for path in layer.iterdir():
            path.unlink()


BAD_FOLDERS = {
    "frames": r"i2\.npy: an array of shape \[3, 4\]; expected one row of features; pool",
    "length": r"i2\.npy: 5 features, but i1\.npy has 4",
    "infinite": r"i2\.npy: features are NaN or infinite in part",
    "objects": r"i2\.npy: holds Python objects",
    "layers": "several folders of features",
    "nothing": r"no \.npy file in it",
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders_of_features(case: str, tmp_path: Path):
    folder = ducho(tmp_path / "visual")
    spoil(folder, case)
    with pytest.raises(DataError, match=BAD_FOLDERS[case]):
        read(events(tmp_path), ImportOptions(features={"image": folder}))


@pytest.mark.parametrize("kind", ["txt", "npy", "csv"])
def test_a_matrix_with_the_ids_of_its_rows(kind: str, tmp_path: Path):
    names = ["i5", "i1", "i77"]
    np.save(tmp_path / "v.npy", np.array([[5, 0], [1, 0], [77, 0]], dtype=np.float64))
    ids = tmp_path / f"ids.{kind}"
    if kind == "npy":
        np.save(ids, np.array(names))
    else:
        ids.write_text(
            ("" if kind == "txt" else "item_id,x\n") + "".join(f"{n}{',1' * (kind == 'csv')}\n" for n in names)
        )
    options = ImportOptions(features={"v": tmp_path / "v.npy"}, feature_ids={"v": ids})
    data = read(events(tmp_path), options).dataset
    np.testing.assert_array_equal(data.modalities["v"].features[data.items.rows(["i5", "i1"]), 0], [5, 1])
    assert data.modalities["v"].present.sum() == 2


def test_ids_of_features_must_fit(tmp_path: Path):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    (tmp_path / "ids.txt").write_text("i1\ni2\n")
    options = ImportOptions(features={"v": tmp_path / "v.npy"}, feature_ids={"v": tmp_path / "ids.txt"})
    with pytest.raises(DataError, match=r"v\.npy: 3 rows of features, but .*ids\.txt has 2 ids"):
        read(events(tmp_path), options)
    with pytest.raises(DataError, match="--feature-ids w: there is no --features w=FILE"):
        read(events(tmp_path), ImportOptions(feature_ids={"w": tmp_path / "ids.txt"}))
    with pytest.raises(DataError, match="or --feature-ids v=FILE"):
        read(events(tmp_path), ImportOptions(features={"v": tmp_path / "v.npy"}))


# Cornac

TUPLES = {
    "ui": "".join(f"u{user}\t" + "\t".join(i for u, i in NAMES if u == f"u{user}") + "\n" for user in range(1, 9)),
    "uir": "".join(f"{user}\t{item}\t4.5\n" for user, item in NAMES),
    "uirt": "".join(f"{user}\t{item}\t4.5\t1363245118\n" for user, item in NAMES),
    "uitup": "".join(f"{user}\t{item}\tfood,1\tservice,-1\n" for user, item in NAMES),
}


@pytest.mark.parametrize("kind", TUPLES)
def test_cornac_tuples(kind: str, tmp_path: Path):
    path = tmp_path / "rating.txt"
    path.write_text(TUPLES[kind])
    found = read(path, ImportOptions(), Format(kind))
    assert found_pairs(found.dataset) == set(NAMES)
    kept = found.dataset.interactions.attributes
    assert [column in kept.columns for column in ("weight", "timestamp")] == [kind[:3] == "uir", kind == "uirt"]
    assert any(f"{len(NAMES)} lines go on after the pair" in text for text in found.warnings) == (kind == "uitup")


def test_another_width_is_asked_about(tmp_path: Path):
    path = tmp_path / "rating.txt"
    path.write_text(TUPLES["uirt"])
    with pytest.raises(DataError, match="line 1: 4 columns; UIR has 3: user, item, rating"):
        read(path, ImportOptions(), Format.UIR)


# Hugging Face


def saved(folder: Path, table: pl.DataFrame, shards: int = 2) -> Path:
    """As `save_to_disk` lays a dataset out."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05d}-of-{shards:05d}.arrow" for n in range(shards)]
    for n, name in enumerate(names):
        table[n::shards].write_ipc_stream(folder / name)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


TABLE = pl.DataFrame({"user_id": [u for u, _ in NAMES], "item_id": [i for _, i in NAMES], "n": range(len(NAMES))})
COLUMNS = {"user": "user_id", "item": "item_id"}


def test_a_saved_dataset(tmp_path: Path):
    folder = saved(tmp_path / "clicks", TABLE)
    data = read(folder, ImportOptions.of({**COLUMNS, "timestamp": "n"})).dataset
    assert data.name == "clicks"
    assert found_pairs(data) == set(NAMES)


def test_a_saved_dictionary_of_splits(tmp_path: Path):
    parts = {"train": TABLE[::2], "validation": TABLE[1::4], "test": TABLE[3::4]}
    for name, table in parts.items():
        saved(tmp_path / "clicks" / name, table)
    (tmp_path / "clicks" / "dataset_dict.json").write_text(json.dumps({"splits": list(parts)}))
    data = read(tmp_path / "clicks", ImportOptions.of(COLUMNS)).dataset
    sizes = [len(data.interactions.split(split)) for split in Split]
    assert sizes == [table.height for table in parts.values()]


def test_arrow_files_alone(tmp_path: Path):
    TABLE.write_ipc(tmp_path / "e.feather")
    TABLE.write_ipc_stream(tmp_path / "e.arrow")
    digests = {read(tmp_path / name, ImportOptions.of(COLUMNS)).dataset.digest for name in ("e.feather", "e.arrow")}
    TABLE.write_csv(tmp_path / "e.csv")
    assert digests == {read(tmp_path / "e.csv", ImportOptions.of(COLUMNS)).dataset.digest}


BAD_SAVED = {
    "no list": ("state.json", "{}", "lists no files"),
    "not JSON": ("state.json", "{", "not JSON"),
    "elsewhere": (
        "state.json",
        '{"_data_files": [{"filename": "../x.arrow"}]}',
        "is not the name of a file in this folder",
    ),
    "gone": ("state.json", '{"_data_files": [{"filename": "x.arrow"}]}', r"x\.arrow: not a readable Arrow file"),
    "junk": ("data-00000-of-00002.arrow", "junk", "not a readable Arrow file"),
}


@pytest.mark.parametrize("case", BAD_SAVED)
def test_bad_saved_datasets(case: str, tmp_path: Path):
    name, text, message = BAD_SAVED[case]
    folder = saved(tmp_path / "clicks", TABLE)
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder, ImportOptions.of(COLUMNS), Format.DATASETS)

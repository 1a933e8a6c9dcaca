"""Reading other tools' files: good ones, and every way in which they can be bad."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import DataError

GOOD = "userID\titemID\tx_label\n0\t0\t0\n0\t4\t1\n0\t2\t2\n2\t2\t0\n3\t4\t1\n"


def mmrec(folder: Path, table: str = GOOD, features: np.ndarray | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "x.inter").write_text(table)
    values = np.ones((6, 3), dtype=np.float16) if features is None else features
    np.save(folder / "image_feat.npy", values, allow_pickle=True)
    return folder


def test_mmrec_ids_are_row_numbers(tmp_path: Path):
    imported = read(mmrec(tmp_path / "set"), ImportOptions())
    data = imported.dataset
    assert (len(data.users), len(data.items), len(data.train)) == (4, 6, 2)
    assert data.modalities["image"].features.dtype == np.float16
    assert list(data.interactions.splits) == [0, 2, 1, 0, 1]
    text = " ".join(imported.warnings)
    assert "1 users are only in valid or test" in text
    assert "1 users have no interaction" in text
    assert "which encoder" in text


OBJECTS = np.array([[1, "a"]], dtype=object)
NAN = np.where(np.arange(18).reshape(6, 3) == 7, np.nan, 1.0)

BAD_FOLDERS = {
    "missing column": (GOOD.replace("itemID", "thing"), None, "column 'itemID' is missing; there are: userID, thing"),
    "negative id": (GOOD.replace("2\t2\t0", "-2\t2\t0"), None, r"x\.inter, line 5: userID is -2"),
    "fractional id": (GOOD.replace("2\t2\t0", "2.5\t2\t0"), None, r"line 5: userID is '2.5', not a whole number"),
    "unknown label": (GOOD.replace("2\t2\t0", "2\t2\t7"), None, r"line 5: x_label is '7'"),
    "repeated pair": (GOOD + "0\t4\t0\n", None, r"line 7: the same user and item as in line 3"),
    "ragged line": (GOOD + "1\t1\n", None, r"line 7: 2 columns, but the header has 3"),
    "commas": (GOOD.replace("\t", ","), None, "looks comma separated: give --separator comma"),
    "no test pairs": (GOOD.replace("2\t2\n", "2\t0\n", 1), None, "the test split is empty"),
    "empty file": ("", None, "the file is empty"),
    "header only": ("userID\titemID\tx_label\n", None, "holds no rows"),
    "too few features": (GOOD, np.ones((3, 2)), "3 feature rows for 5 items; item row 3 has none"),
    "not a number": (GOOD, NAN, "NaN or infinity in row 2"),
    "python objects": (GOOD, OBJECTS, "Python objects, which are never loaded"),
    "one dimension": (GOOD, np.ones(6), "expected one row of features per item"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_mmrec_folders(case: str, tmp_path: Path):
    table, features, message = BAD_FOLDERS[case]
    folder = mmrec(tmp_path / "set", table, features)
    with pytest.raises(DataError, match=message) as caught:
        read(folder, ImportOptions())
    assert "\n" not in str(caught.value)


def events(size: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    keys = rng.choice(20 * 10, size, replace=False)
    return pl.DataFrame(
        {
            "who": [f"u{key // 10}" for key in keys],
            "what": [f"i{key % 10}" for key in keys],
            "when": rng.integers(1_000, 2_000, size),
        }
    )


OPTIONS = ImportOptions(user="who", item="what", timestamp="when")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_same_dataset(suffix: str, tmp_path: Path):
    table, path = events(), tmp_path / f"events.{suffix}"
    writers = {
        "csv": lambda: table.write_csv(path),
        "tsv": lambda: table.write_csv(path, separator="\t"),
        "jsonl": lambda: table.write_ndjson(path),
        "parquet": lambda: table.write_parquet(path),
    }
    writers[suffix]()
    found = read(path, OPTIONS).dataset
    table.write_parquet(tmp_path / "reference.parquet")
    assert found.digest == read(tmp_path / "reference.parquet", OPTIONS).dataset.digest
    assert len(found.interactions) == 60


def test_features_by_id_leave_the_rest_absent(tmp_path: Path):
    events().write_parquet(tmp_path / "events.parquet")
    features = pl.DataFrame({"id": ["i3", "i1", "i99"], "vector": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]})
    features.write_parquet(tmp_path / "text.parquet")
    options = OPTIONS.model_copy(update={"features": {"text": tmp_path / "text.parquet"}})
    data = read(tmp_path / "events.parquet", options).dataset
    text = data.modalities["text"]
    rows = data.items.rows(["i3", "i1"])
    assert text.present.sum() == 2
    np.testing.assert_array_equal(text.features[rows], [[1, 2], [3, 4]])


def test_item_tables_bring_attributes_and_the_order_of_features(tmp_path: Path):
    events().write_parquet(tmp_path / "events.parquet")
    pl.DataFrame({"id": [f"i{n}" for n in range(10)], "year": range(10)}).write_csv(tmp_path / "items.csv")
    np.save(tmp_path / "text.npy", np.arange(20, dtype=np.float32).reshape(10, 2))
    update = {"features": {"text": tmp_path / "text.npy"}, "items": tmp_path / "items.csv"}
    data = read(tmp_path / "events.parquet", OPTIONS.model_copy(update=update)).dataset
    assert data.item_attributes["year"].to_list() == list(range(10))
    assert data.modalities["text"].features[3].tolist() == [6, 7]


def test_bad_tables(tmp_path: Path):
    path = tmp_path / "events.parquet"
    path.write_bytes(b"PAR1 this is not one")
    with pytest.raises(DataError, match=r"events\.parquet: not a readable Parquet file"):
        read(path, OPTIONS)
    events().write_parquet(path)
    with pytest.raises(DataError, match="unknown column 'user'; known: what, when, who"):
        read(path, ImportOptions())
    ragged = pl.DataFrame({"id": ["i1", "i2", "i3"], "vector": [[1.0, 2.0], [3.0], [5.0, 6.0]]})
    ragged.write_parquet(tmp_path / "text.parquet")
    options = OPTIONS.model_copy(update={"features": {"text": tmp_path / "text.parquet"}})
    with pytest.raises(DataError, match=r"text\.parquet, row 1 \(id i2\): 1 features, others have 2"):
        read(path, options)
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "nowhere", OPTIONS)
    with pytest.raises(DataError, match="use --format mmrec"):
        read(tmp_path, OPTIONS, Format.TABLE)

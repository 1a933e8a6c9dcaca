"""Files of features and attributes of items: what does not fit, and what their values are read as."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data.files import save
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import DataError
from tests.data.test_importers import EVENTS

NAMES = ["i4", "i1", "i0"]

BAD_FEATURES = {
    "not finite": (
        {"id": NAMES, "v": [[1.0, 2], [float("nan"), 1], [1.0, 2]]},
        r"row 1 \(id i1\): features are missing",
    ),
    "infinite": (
        {"id": NAMES, "v": [[1.0], [float("inf")], [1.0]]},
        r"row 1 \(id i1\): features are missing, NaN or inf",
    ),
    "missing inside": (
        {"id": NAMES, "v": [[1.0, 2], [1.0, 2], [None, 1]]},
        r"row 2 \(id i0\): features are missing, NaN",
    ),
    "missing number": ({"id": NAMES, "a": [1.0, None, 2.0], "b": [1.0] * 3}, r"row 1 \(id i1\): features are missing"),
    "missing id": ({"id": ["i4", None, "i0"], "v": [[1.0], [2.0], [3.0]]}, "row 1: 'id' is missing"),
    "texts": ({"id": NAMES, "v": [["a"], ["b"], ["c"]]}, "column 'v' holds lists of String, not of numbers"),
    "no features": ({"id": NAMES, "v": ["a", "b", "c"]}, "neither a list column nor numeric columns"),
    "no id": ({"name": NAMES, "v": [[1.0], [1.0], [1.0]]}, "column 'id' is missing; there are: name, v"),
    "id twice": ({"id": ["i1", "i1"], "v": [[1.0], [1.0]]}, "ids occur more than once: i1"),
    "strangers": ({"id": ["x", "y"], "v": [[1.0], [1.0]]}, "none of its 2 ids is an item"),
    "all missing": ({"id": NAMES, "v": pl.Series([None] * 3, dtype=pl.List(pl.Float32))}, "no row holds a number"),
    "all not a number": ({"id": NAMES, "a": [float("nan")] * 3}, "no row holds a number"),
    "two columns": ({"id": NAMES, "v": [[1.0]] * 3, "w": [[1.0]] * 3}, r"several list columns \(v, w\)"),
    "too large": ({"id": NAMES, "v": [[1.0], [1e300], [1.0]]}, r"row 1 \(id i1\): features are missing, NaN"),
    "lists of ids": ({"id": [["i1"]], "v": [[1.0]]}, r"column 'id' holds List\(String\), not ids"),
    "no rows": ({"id": [], "v": []}, "holds no rows"),
}


@pytest.mark.parametrize("case", BAD_FEATURES)
def test_bad_features(case: str, tmp_path: Path):
    columns, message = BAD_FEATURES[case]
    (tmp_path / "e.csv").write_text(EVENTS)
    pl.DataFrame(columns).write_parquet(tmp_path / "v.parquet")
    with pytest.raises(DataError, match=rf"v\.parquet.*{message}"):
        read(tmp_path / "e.csv", ImportOptions(features={"v": tmp_path / "v.parquet"}))


def imported(table: pl.DataFrame, tmp_path: Path) -> tuple[np.ndarray, str]:
    """Return the features that a Parquet file holds, and all warnings as one text."""
    (tmp_path / "e.csv").write_text(EVENTS)
    table.write_parquet(tmp_path / "v.parquet")
    found = read(tmp_path / "e.csv", ImportOptions(features={"v": tmp_path / "v.parquet"}))
    return found.dataset.modalities["v"].features, "\n".join(found.warnings)


def test_truth_values_are_features_and_other_columns_are_told(tmp_path: Path):
    every = [f"i{n}" for n in range(5)]
    table = pl.DataFrame({"id": every, "length": range(5), "live": [True, False] * 2 + [True], "genre": ["x"] * 5})
    features, warnings = imported(table, tmp_path)
    assert features.tolist() == [[0, 1], [1, 0], [2, 1], [3, 0], [4, 1]]
    assert "1 column that is no features, left out: 'genre'" in warnings
    features, warnings = imported(pl.DataFrame({"id": every, "year": range(5), "v": [[2.0]] * 5}), tmp_path)
    assert features.tolist() == [[2]] * 5
    assert "left out: 'year'" in warnings


def test_the_column_of_ids_is_the_one_that_holds_items(tmp_path: Path):
    vectors = [[float(n)] for n in range(5)]
    table = pl.DataFrame({"id": range(5), "item_id": [f"i{n}" for n in reversed(range(5))], "v": vectors})
    features, warnings = imported(table, tmp_path)
    assert features.ravel().tolist() == [4, 3, 2, 1, 0]
    assert "left out: 'id'" in warnings
    with pytest.raises(DataError, match="the item ids may be those of id and item_id; leave all but one out"):
        imported(table.with_columns(id=pl.col("item_id").reverse()), tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"), [(4, "item row 4 .'i4'. has none"), (6, "6 feature rows for only 5 items")]
)
def test_npy_rows_must_be_the_items(rows: int, message: str, tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS)
    (tmp_path / "items.csv").write_text("id\n" + "".join(f"i{n}\n" for n in range(5)))
    np.save(tmp_path / "v.npy", np.ones((rows, 2)))
    options = {"features": {"v": tmp_path / "v.npy"}, "items": tmp_path / "items.csv"}
    with pytest.raises(DataError, match=message):
        read(tmp_path / "e.csv", ImportOptions.of(options))
    with pytest.raises(DataError, match="npy rows need an order; give --items"):
        read(tmp_path / "e.csv", ImportOptions.of({"features": options["features"]}))


def test_a_second_column_of_ids_is_told(tmp_path: Path):
    """A dataset folder has a column `id` of its own."""
    (tmp_path / "e.csv").write_text(EVENTS)
    (tmp_path / "items.csv").write_text("id,item_id,year\n" + "".join(f"{n},i{n},{2000 + n}\n" for n in range(5)))
    found = read(tmp_path / "e.csv", ImportOptions(items=tmp_path / "items.csv"))
    assert found.dataset.item_attributes.columns == ["year"]
    assert any("items.csv: column 'id' was left out, since the ids are those of 'item_id'" in w for w in found.warnings)
    save(found.dataset, tmp_path / "data")


def test_whole_numbers_in_attributes_keep_their_last_digits(tmp_path: Path):
    """A hash of 64 bits is too large for int64, and float64 would round it; it may be the id of a user to be erased."""
    (tmp_path / "e.csv").write_text(EVENTS)
    owners = [2**64 - 1 - n for n in range(5)]
    rows = (f"i{n},{owner},{owner}.0,1e20\n" for n, owner in enumerate(owners))
    (tmp_path / "items.csv").write_text("id,owner,author,views\n" + "".join(rows))
    found = read(tmp_path / "e.csv", ImportOptions(items=tmp_path / "items.csv")).dataset.item_attributes
    assert found.schema == {"owner": pl.String, "author": pl.String, "views": pl.Float64}
    assert found["owner"].to_list() == [str(owner) for owner in owners]


def test_numbers_in_attributes_are_numbers_and_codes_stay_text(tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS)
    header, rows = "id,year,score,code,mixed\n", (f"i{n},{2000 + n},{n}.5,00{n},{n}\n" for n in range(4))
    (tmp_path / "items.csv").write_text(header + "".join(rows) + "i4,,-1,0.5,x\n")
    found = read(tmp_path / "e.csv", ImportOptions(items=tmp_path / "items.csv")).dataset.item_attributes
    assert found.schema == {"year": pl.Int64, "score": pl.Float64, "code": pl.String, "mixed": pl.String}
    assert found["code"].to_list() == ["000", "001", "002", "003", "0.5"]

"""Datasets from frames and arrays: what is in them, and what is refused."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from mmrecun import Dataset
from mmrecun.data import files
from mmrecun.data.interactions import Split
from mmrecun.errors import DataError

USERS = ["u3", "u1", "u1", "u2", "u2", "u1"]
ITEMS = ["b", "a", "c", "c", "a", "b"]
SPLITS = ["train", "train", "valid", "train", "test", "train"]
EVENTS = pl.DataFrame({"user": USERS, "item": ITEMS, "split": SPLITS})
CATALOGUE = pl.DataFrame({"id": ["a", "b", "c", "d"], "year": [1999, 2001, None, 2003]})
FEATURES = np.arange(8, dtype=np.float32).reshape(4, 2)


def triples(data):
    pairs = data.interactions
    names = data.users.names.gather(pairs.users), data.items.names.gather(pairs.items)
    return set(zip(*names, [Split(label).name.lower() for label in pairs.splits], strict=True))


@pytest.mark.parametrize("frame", [EVENTS, EVENTS.lazy(), pd.DataFrame(EVENTS.to_dict(as_series=False))])
def test_every_row_is_a_pair_with_its_split(frame):
    assert triples(Dataset.from_frames(frame)) == set(zip(USERS, ITEMS, SPLITS, strict=True))


def test_pandas_and_polars_give_the_same_content():
    columns = {"user": [7, 7, 8, 8, 9], "item": [1, 2, 1, 3, 2], "split": [0, 1, 0, 2, 0], "timestamp": [5, 6, 7, 8, 9]}
    of_pandas = Dataset.from_frames(pd.DataFrame(columns, index=list("vwxyz")), name="p")
    assert of_pandas.digest == Dataset.from_frames(pl.DataFrame(columns)).digest
    assert of_pandas.users.names.to_list() == ["7", "8", "9"]
    assert of_pandas.interactions.attributes["timestamp"].to_list() == [5, 6, 7, 8, 9]


def test_pandas_kinds_that_hold_missing_values_are_read():
    items = pd.DataFrame(
        {
            "year": pd.array([1999, None, 2001], dtype="Int64"),
            "score": [0.5, np.nan, 1.5],
            "title": ["x", None, "z"],
            "kind": pd.Categorical(["film", "song", "film"]),
            "made": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        },
        index=pd.Index(["a", "b", "c"], name="item"),
    )
    data = Dataset.from_frames(EVENTS, items=items)
    assert data.items.names.to_list() == ["a", "b", "c"]
    assert data.item_attributes["year"].to_list() == [1999, None, 2001]
    assert data.item_attributes["score"].to_list() == [0.5, None, 1.5]
    assert data.item_attributes["title"].to_list() == ["x", None, "z"]
    assert data.item_attributes["kind"].to_list() == ["film", "song", "film"]
    assert data.item_attributes["made"].null_count() == 1


def test_pandas_is_not_imported_for_polars_and_is_read_without_pyarrow():
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import polars as pl; from mmrecun import Dataset\n"
        f"columns = {EVENTS.to_dict(as_series=False)}\n"
        "print(len(Dataset.from_frames(pl.DataFrame(columns)).interactions), 'pandas' in sys.modules)\n"
        "import pandas as pd\n"
        "print(len(Dataset.from_frames(pd.DataFrame(columns)).interactions))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["6", "False", "6"]), done.stderr


def test_a_masked_row_is_an_absent_item():
    masked = np.ma.masked_array(FEATURES, np.arange(4)[:, None] == [2, 2])
    found = Dataset.from_frames(EVENTS, items=CATALOGUE, features={"image": masked}).modalities["image"]
    assert found.present.tolist() == [True, True, False, True]


def test_the_frame_of_items_fixes_their_order_and_may_name_more():
    data = Dataset.from_frames(EVENTS, items=CATALOGUE, features={"image": FEATURES})
    assert data.items.names.to_list() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(data.modalities["image"].features, FEATURES)
    assert data.item_attributes["year"].to_list() == [1999, 2001, None, 2003]


@pytest.mark.parametrize(
    "values",
    [
        (["c", "b"], FEATURES[:2]),
        (pl.Series(["c", "b"]), FEATURES[:2].tolist()),
        pl.DataFrame({"item": ["c", "b"], "x": FEATURES[:2, 0], "y": FEATURES[:2, 1]}),
        pl.DataFrame({"id": ["c", "b"], "vector": FEATURES[:2].tolist()}),
        pd.DataFrame({"id": ["c", "b"], "vector": list(FEATURES[:2])}),
        pd.DataFrame(FEATURES[:2], index=pd.Index(["c", "b"], name="item")),
    ],
)
def test_features_find_their_items(values):
    image = Dataset.from_frames(EVENTS, features={"image": values}).modalities["image"]
    by_item = dict(zip(["b", "a", "c"], image.features.tolist(), strict=True))
    assert (by_item["c"], by_item["b"]) == (FEATURES[0].tolist(), FEATURES[1].tolist())
    assert image.present.tolist() == [True, False, True]


def test_a_second_column_of_ids_is_refused():
    frame = pl.DataFrame({"id": range(3), "item": ["a", "b", "c"]})
    with pytest.raises(DataError, match="items: column 'id' is no attribute, since the ids are those of 'item'"):
        Dataset.from_frames(EVENTS, items=frame)


def test_a_frame_of_features_holds_ids_and_numbers_alone():
    frame = pl.DataFrame({"id": ["a", "b"], "live": [True, False], "genre": ["x", "y"]})
    with pytest.raises(DataError, match="features 'v': 1 column that is no features: 'genre'; leave it out"):
        Dataset.from_frames(EVENTS, features={"v": frame})
    assert Dataset.from_frames(EVENTS, features={"v": frame.drop("genre")}).modalities["v"].features.sum() == 1


def test_a_row_of_nan_is_an_item_without_features():
    holes = FEATURES.copy()
    holes[1] = np.nan
    data = Dataset.from_frames(EVENTS, items=CATALOGUE, features={"image": holes})
    assert data.modalities["image"].present.tolist() == [True, False, True, True]


def test_without_splits_a_tenth_of_each_user_is_held_out_each_way():
    frame = pl.DataFrame({"user": np.repeat(range(4), 30), "item": np.tile(range(30), 4)})
    data = Dataset.from_frames(frame)
    for user in range(4):
        of_user = data.interactions.splits[data.interactions.users == user]
        assert [int((of_user == split).sum()) for split in Split] == [24, 3, 3]
    assert data.digest == Dataset.from_frames(frame).digest != Dataset.from_frames(frame, seed=1).digest


def test_what_was_built_is_the_same_when_read_again(tmp_path):
    data = Dataset.from_frames(EVENTS, items=CATALOGUE, features={"image": FEATURES})
    files.save(data, tmp_path / "data")
    assert files.load(tmp_path / "data").digest == data.digest


@pytest.mark.parametrize("held_out", [[], ["test"], ["valid"]])
def test_labels_may_hold_nothing_out_as_in_the_data_of_a_model_that_was_trained_on_all(held_out: list[str]):
    labels = ["train"] * (6 - len(held_out)) + held_out
    data = Dataset.from_frames(events(split=labels))
    assert [len(data.train), len(data.interactions)] == [6 - len(held_out), 6]


def events(**columns):
    return EVENTS.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


MISTAKES = [
    ("a list; give a polars or pandas", {"interactions": [1, 2]}),
    ("interactions: the frame has no rows", {"interactions": EVENTS.clear()}),
    ("unknown column 'item'", {"interactions": EVENTS.drop("item")}),
    ("unknown column 'users'; did you mean 'user'", {"interactions": EVENTS.rename({"user": "users"})}),
    ("unknown column 'rating'", {"interactions": events(rating=[1] * 6)}),
    ("row 2: 'user' is missing", {"interactions": events(user=["a", "b", None, "d", "e", "f"])}),
    ("row 1: user 'b' has blank or invisible signs", {"interactions": events(user=["a", "b ", "c", "d", "e", "f"])}),
    ("row 5: the same user and item as in row 1", {"interactions": events(item=["b", "a", "c", "c", "a", "a"])}),
    ("row 0: split is 'dev'", {"interactions": events(split=["dev", *SPLITS[1:]])}),
    ("no row has the split 'train'", {"interactions": events(split=["test"] * 5 + ["valid"])}),
    ("no user has three", {"interactions": EVENTS.drop("split").head(2)}),
    ("row 0: weight is 'x'", {"interactions": events(weight=["x"] * 6)}),
    ("row 0: timestamp is 'noon'", {"interactions": events(timestamp=["noon"] * 6)}),
    ("1 item id is not in the frame of items: c", {"items": CATALOGUE.filter(pl.col("id") != "c")}),
    ("column 'id' is missing", {"items": CATALOGUE.rename({"id": "sku"})}),
    ("item ids occur more than once: a", {"items": pl.concat([CATALOGUE, CATALOGUE.head(1)])}),
    ("users: column 'note' mixes", {"users": pd.DataFrame({"id": ["u1", "u2", "u3"], "note": [1, "x", 2]})}),
    ("features 'image': whose row is whose", {"features": {"image": FEATURES}}),
    ("features 'image': 4 rows of features for 2 ids", {"features": {"image": (["a", "b"], FEATURES)}}),
    ("features 'image': 3 rows of features for 4", {"items": CATALOGUE, "features": {"image": FEATURES[:3]}}),
    ("features 'image': an array of shape [4]", {"items": CATALOGUE, "features": {"image": FEATURES[:, 0]}}),
    ("features 'image': not an array of numbers", {"items": CATALOGUE, "features": {"image": [["x"]] * 4}}),
    ("features 'image': not an array of numbers", {"items": CATALOGUE, "features": {"image": FEATURES * 1j}}),
    (
        "features 'image': not an array of numbers",
        {"items": CATALOGUE, "features": {"image": torch.tensor(FEATURES, requires_grad=True)}},
    ),
    ("1 item without interactions; give items=", {"features": {"image": (["a", "d"], FEATURES[:2])}}),
    ("not in the frame of items: e", {"items": CATALOGUE, "features": {"image": (["a", "e"], FEATURES[:2])}}),
    ("ids occur more than once: a", {"features": {"image": (["a", "a"], FEATURES[:2])}}),
    ("row 1 (id b): features are missing", {"features": {"image": (["a", "b"], [[1, 2], [3, np.nan]])}}),
    (
        "row 1: 'user' is missing",
        {"interactions": EVENTS.with_columns(user=pl.Series([1.0, np.nan, 1.0, 2.0, 2.0, 1.0]))},
    ),
    ("cannot name a modality", {"items": CATALOGUE, "features": {"a/b": FEATURES}}),
]


@pytest.mark.parametrize(("message", "given"), MISTAKES, ids=[message for message, _ in MISTAKES])
def test_a_mistake_is_one_clear_line(message, given):
    with pytest.raises(DataError) as caught:
        Dataset.from_frames(**{"interactions": EVENTS, **given})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)

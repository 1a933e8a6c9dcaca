"""Reading other tools' files: good ones, and every way in which they can be bad."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data import files
from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import ConfigError, DataError

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
    assert "1 user is only in valid or test" in text
    assert "1 user has no interaction" in text
    assert "which encoder" in text


def test_labels_that_hold_nothing_out_are_taken_and_a_warning_says_what_cannot_be_done(tmp_path: Path):
    table = tmp_path / "pairs.csv"
    table.write_text("user,item,split\na,x,train\na,y,test\nb,x,train\n")
    imported = read(table, ImportOptions())
    assert [len(imported.dataset.train), len(imported.dataset.interactions)] == [2, 3]
    text = " ".join(imported.warnings)
    assert "no pair is labelled 'valid': `train` cannot choose an epoch" in text
    assert "'test'" not in text


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
    "empty file": ("", None, "the file is empty"),
    "header only": ("userID\titemID\tx_label\n", None, "holds no rows"),
    "too few features": (GOOD, np.ones((3, 2)), "3 feature rows for 5 items; item row 3 .'3'. has none"),
    "not a number": (GOOD, NAN, "NaN or infinity in row 2"),
    "python objects": (GOOD, OBJECTS, "Python objects, which are never loaded"),
    "huge id": (GOOD.replace("2\t2\t0", "2\t900000000000\t0"), None, "line 5: itemID is 900000000000, too large"),
    "no training pairs": (GOOD.replace("\t0\n", "\t1\n"), None, "the train split is empty"),
    "blank line": (GOOD.replace("2\t2\t0\n", "\n2\t2\t0\n"), None, "line 5: 'userID' is missing"),
    "no label": (GOOD.replace("2\t2\t0", "2\t2\t"), None, "line 5: x_label is missing"),
    "column twice": (GOOD.replace("x_label", "itemID:float"), None, "line 1: several columns are called 'itemID'"),
    "one dimension": (GOOD, np.ones(6), "expected one row of features per item"),
    "one number": (GOOD, np.array(1.0), r"an array of shape \[\]; expected one row of features per item"),
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
    with pytest.raises(DataError, match=r"unknown column 'user'; known: what, when, who; .* `data import --user`"):
        read(path, ImportOptions())
    ragged = pl.DataFrame({"id": ["i1", "i2", "i3"], "vector": [[1.0, 2.0], [3.0], [5.0, 6.0]]})
    ragged.write_parquet(tmp_path / "text.parquet")
    options = OPTIONS.model_copy(update={"features": {"text": tmp_path / "text.parquet"}})
    with pytest.raises(DataError, match=r"text\.parquet, row 1 \(id i2\): 1 feature, others have 2"):
        read(path, options)
    with pytest.raises(DataError, match="no such file or folder"):
        read(tmp_path / "nowhere", OPTIONS)
    with pytest.raises(DataError, match="use --format mmrec"):
        read(tmp_path, OPTIONS, Format.TABLE)


def test_blank_lines_at_the_end_are_no_rows(tmp_path: Path):
    blank = read(mmrec(tmp_path / "blank", GOOD + "\n\n"), ImportOptions()).dataset
    assert blank.digest == read(mmrec(tmp_path / "plain"), ImportOptions()).dataset.digest


def test_an_inter_file_is_read_like_its_folder(tmp_path: Path):
    folder = mmrec(tmp_path / "set")
    alone = read(folder / "x.inter", ImportOptions()).dataset
    assert (alone.name, alone.digest) == ("x", read(folder, ImportOptions()).dataset.digest)


def test_a_chosen_split_replaces_the_labels(tmp_path: Path):
    data = read(mmrec(tmp_path / "set"), ImportOptions(split="random")).dataset
    assert sorted(data.interactions.splits[data.interactions.users == 0]) == [0, 1, 2]
    assert list(data.interactions.splits[data.interactions.users > 0]) == [0, 0]


def test_without_a_split_every_pair_is_one_of_training(tmp_path: Path):
    whole = read(mmrec(tmp_path / "set"), ImportOptions(split="none"))
    assert whole.dataset.interactions.splits.tolist() == [0] * 5
    assert whole.warnings[0].endswith("x.inter: 1 column left out: 'x_label'")
    assert not any("split" in warning for warning in whole.warnings[1:])


def test_typed_headers_need_a_split(tmp_path: Path):
    rows = "".join(f"{user}\t{item}\t3.0\t{user + item}\n" for user in (7, 9) for item in (100, 200, 300))
    (tmp_path / "r.inter").write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + rows)
    imported = read(tmp_path, ImportOptions())
    assert imported.warnings[0].endswith("r.inter: 1 column left out: 'rating'")
    assert imported.warnings[1].startswith("no split was given or chosen")
    assert imported.dataset.users.names.to_list() == ["7", "9"]
    assert imported.dataset.interactions.attributes["timestamp"].to_list() == [107, 207, 307, 109, 209, 309]
    last = read(tmp_path, ImportOptions(split="leave-k-out")).dataset.interactions
    assert last.splits.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_core_keeps_no_user_or_item_without_pairs(tmp_path: Path):
    rows = "".join(f"{user}\t{item}\t{label}\n" for user in (1, 2, 4) for label, item in enumerate((1, 2, 5)))
    folder = mmrec(tmp_path / "set", "userID\titemID\tx_label\n" + rows + "6\t3\t0\n", np.eye(6))
    data = read(folder, ImportOptions(k_core=3)).dataset
    assert (data.users.names.to_list(), data.items.names.to_list()) == (["1", "2", "4"], ["1", "2", "5"])
    np.testing.assert_array_equal(data.modalities["image"].features, np.eye(6)[[1, 2, 5]])


@pytest.mark.parametrize(
    "option", [{"features": {"a": "a.npy"}}, {"feature_ids": {"image": "i.txt"}}, {"items": "i.csv"}, {"user": "who"}]
)
def test_options_for_tables_are_refused_for_folders(option: dict[str, object], tmp_path: Path):
    with pytest.raises(DataError, match=f"--{next(iter(option)).replace('_', '-')} is for tables"):
        read(mmrec(tmp_path / "set"), ImportOptions.of(option))


def test_what_is_no_npy_file_is_said_to_be_none(tmp_path: Path):
    folder = mmrec(tmp_path / "set")
    (folder / "image_feat.npy").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"image_feat\.npy: not a readable npy file: it does not begin as one"):
        read(folder, ImportOptions())


EVENTS = "user,item,at\n" + "".join(f"u{n // 5},i{n % 5},{n}\n" for n in range(20))

BAD_EVENTS = {
    "unknown column": ("e.csv", EVENTS.replace("user,", "user_id,"), "unknown column 'user'; did you mean 'user_id'"),
    "time is no number": ("e.csv", EVENTS + "u9,i1,soon\n", "line 22: at is 'soon', not a finite number"),
    "time is not finite": ("e.csv", EVENTS + "u9,i1,nan\n", "line 22: at is 'nan', not a finite number"),
    "time is missing": ("e.csv", EVENTS + "u9,i1,\n", "line 22: at is missing"),
    "item is missing": ("e.csv", EVENTS + "u9,,3\n", "line 22: 'item' is missing"),
    "too few columns": ("e.csv", EVENTS + "u9,i1\n", "line 22: 2 columns, but the header has 3"),
    "semicolons": ("e.csv", EVENTS.replace(",", ";"), "looks semicolon separated: give --separator semicolon"),
    "unknown kind": ("e.xlsx", EVENTS, "'.xlsx' is not a known kind of table"),
    "lists": ("e.jsonl", '{"user": [1], "item": "b", "at": 1}\n', r"column 'user' holds List\(Int64\)"),
    "broken line": ("e.jsonl", '{"user": "a", "item": "b", "at": 1}\n{"user":\n', "line 2: not JSON Lines"),
    "a field twice": (
        "e.jsonl",
        '{"user": "a", "item": "b", "at": 1}\n\n{"user": "a", "item": "c", "at": 1, "user": "b"}\n',
        "line 3: 'user' occurs twice in one object",
    ),
    "a field twice, in other words": (
        "e.jsonl",
        '{"user": "user", "item": "user", "at": 1}\n{"user": "a", "item": "b", "at": 1, "\\u0061t": 2}\n',
        "line 2: 'at' occurs twice in one object",
    ),
    "a field twice in an array": (
        "e.json",
        '[{"user": "a", "item": "b"},\n{"item": "a", "item": "c"}]',
        "line 2: 'item' occurs twice in one object",
    ),
    "mixed array": ("e.json", '[{"user": "a", "item": "b"}, 3]', "an array of several kinds of things"),
    "empty": ("e.jsonl", "", "the file is empty"),
}


@pytest.mark.parametrize("case", BAD_EVENTS)
def test_bad_events(case: str, tmp_path: Path):
    name, text, message = BAD_EVENTS[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / name, ImportOptions(timestamp="at"))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_names_of_files_are_no_patterns(suffix: str, tmp_path: Path):
    folder = tmp_path / "data[1]*"
    folder.mkdir()
    path, table = folder / f"e?.{suffix}", pl.read_csv(EVENTS.encode())
    {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[suffix](path)
    imported = read(path, ImportOptions())
    assert len(imported.dataset.interactions) == 20
    files.save(imported.dataset, folder / "out")
    assert files.load(folder / "out").digest == imported.dataset.digest


def test_a_split_and_a_split_column_contradict(tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS)
    with pytest.raises(DataError, match="--split random and --split-column at contradict"):
        read(tmp_path / "e.csv", ImportOptions(split="random", split_column="at"))


@pytest.mark.parametrize("split", [None, "random", "temporal", "none"])
def test_a_number_to_hold_out_goes_with_the_split_that_holds_it_out(tmp_path: Path, split: str | None):
    (tmp_path / "e.csv").write_text(EVENTS)
    with pytest.raises(ConfigError, match="--k is for --split leave-k-out"):
        read(tmp_path / "e.csv", ImportOptions(split=split, k=3))


def test_quoted_fields_may_hold_separators(tmp_path: Path):
    (tmp_path / "e.CSV").write_text(EVENTS)
    (tmp_path / "items.csv").write_text("id,title,year\n" + "".join(f'i{n},"a, b",\n' for n in range(5)))
    data = read(tmp_path / "e.CSV", ImportOptions(items=tmp_path / "items.csv")).dataset
    assert data.item_attributes["title"].to_list() == ["a, b"] * 5


SPANNING = 'user,item,at,note\nu1,i1,1,"two\nlines"\nu1,i2,2,"and\n\nthree"\nu1,i3,3,\n'
# the rows begin on lines 2, 4 and 7; the next one on line 8

BAD_AFTER_LONG_FIELDS = {
    "no number": ("e.csv", SPANNING + "u1,i4,soon,\n", "line 8: at is 'soon'"),
    "no number within": ("e.csv", SPANNING.replace(",2,", ",soon,"), "line 4: at is 'soon'"),
    "a pair again": ("e.csv", SPANNING + "u1,i2,4,\n", "line 8: the same user and item as in line 4"),
    "too few columns": ("e.csv", SPANNING + "u1,i4\n", "line 8: 2 columns, but the header has 4"),
    "too many, over two lines": ("e.csv", SPANNING + 'u1,i4,4,"a\nb",9\n', "line 8: 5 columns, but the header has 4"),
    "a stray mark": ("e.csv", SPANNING + 'u1,i4,4,5" disk\n', "line 8: a single quotation mark"),
    "blank lines in JSON Lines": (
        "e.jsonl",
        '{"user": "u1", "item": "i1", "at": "1"}\n\n{"user": "u1", "item": "i2", "at": "x"}\n',
        "line 3: at is 'x'",
    ),
}


@pytest.mark.parametrize("case", BAD_AFTER_LONG_FIELDS)
def test_the_line_is_right_whatever_spans_lines(case: str, tmp_path: Path):
    name, text, message = BAD_AFTER_LONG_FIELDS[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name}, {message}") as caught:
        read(tmp_path / name, ImportOptions(timestamp="at"))
    assert "\n" not in str(caught.value)


def test_a_row_is_named_where_its_line_cannot_be_known(tmp_path: Path):
    long = "x" * 200_000  # longer than the reader of lines takes
    (tmp_path / "e.csv").write_text(f'user,item,at,note\nu1,i1,1,"{long}"\nu1,i2,soon,\n')
    with pytest.raises(DataError, match=r"e\.csv, row 1: at is 'soon'"):
        read(tmp_path / "e.csv", ImportOptions(timestamp="at"))


def test_users_and_items_are_two_columns(tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS)
    for options in ({"user": "item"}, {"item": "user"}):
        with pytest.raises(ConfigError, match="--user and --item both name the column"):
            read(tmp_path / "e.csv", ImportOptions(duplicates="first", **options))

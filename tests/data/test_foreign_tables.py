"""Files as other tools and people write them: nothing is lost, torn in two or taken for something else in silence."""

import json
import uuid
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data import files
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import ArtifactError, DataError

COUNT = 60
PAIRS = [(f"u{n // 5}", f"i{n % 5}") for n in range(COUNT)]


def written(path: Path, rows: list[tuple], header: str = "user,item,title", separator: str = ",") -> Path:
    lines = [header.replace(",", separator), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def imported(path: Path, **options: object) -> Imported:
    return read(path, ImportOptions.of({"split": "random", **options}))


def sizes(found: Imported) -> tuple[int, int, int]:
    data = found.dataset
    return len(data.users), len(data.items), len(data.interactions)


def test_quotation_marks_are_plain_characters_between_tabs(tmp_path: Path):
    rows = [(u, i, {3: '"Heroes', 40: 'Heroes 7"', 50: '5" disk'}.get(n, "a")) for n, (u, i) in enumerate(PAIRS)]
    assert sizes(imported(written(tmp_path / "e.tsv", rows, separator="\t"))) == (12, 5, COUNT)
    items = [(f"i{n}", {1: '"one', 3: 'three"'}.get(n, n)) for n in range(5)]
    table = written(tmp_path / "items.tsv", items, "id,title", "\t")
    found = imported(tmp_path / "e.tsv", items=table).dataset.item_attributes["title"]
    assert found.to_list() == ["0", '"one', "2", 'three"', "4"]


@pytest.mark.parametrize(
    "rows", [[(f'"{u}"', f'"{i}"', "a") for u, i in PAIRS], [(u, i, '"a\tb\nc"') for u, i in PAIRS]]
)
def test_a_file_that_encloses_its_fields_is_read_so_between_tabs_too(rows: list[tuple], tmp_path: Path):
    found = imported(written(tmp_path / "e.tsv", rows, separator="\t")).dataset
    assert (found.users.names[0], len(found.interactions)) == ("u0", COUNT)


def test_a_field_that_swallows_rows_is_told(tmp_path: Path):
    rows = [(u, i, {3: '"Heroes', 40: 'Heroes 7"'}.get(n, "a")) for n, (u, i) in enumerate(PAIRS)]
    found = imported(written(tmp_path / "e.csv", rows))
    assert "spans lines 5 to 42 of" in found.warnings[0]
    text = [(u, i, '"two\nlines"') for u, i in PAIRS]
    assert not any("spans" in warning for warning in imported(written(tmp_path / "f.csv", text)).warnings)


MARKS = {
    "escaped by a backslash": ('"u\\"3"', r"line 17: a single quotation mark; .* double a mark"),
    "never closed": ('"u3', "line 21: 1 column, but the header has 3; a quotation mark there reaches to line 61"),
}


@pytest.mark.parametrize("case", MARKS)
def test_marks_that_make_one_row_of_two_are_refused_by_their_line(case: str, tmp_path: Path):
    name, message = MARKS[case]
    rows = [(name if u == "u3" else u, i, "a") for u, i in PAIRS]
    with pytest.raises(DataError, match=message):
        imported(written(tmp_path / "e.csv", rows))


def test_a_header_that_comes_again_is_refused_and_somebody_called_user_is_not(tmp_path: Path):
    rows = [("user" if u == "u3" else u, i, "a") for u, i in PAIRS]
    assert "user" in imported(written(tmp_path / "e.csv", rows)).dataset.users.names
    rows[30:30] = [("user", "item", "title")]
    with pytest.raises(DataError, match="line 32: the header once more"):
        imported(written(tmp_path / "e.csv", rows))


@pytest.mark.parametrize("header", ["u0,i0,a", "0,7,4", "3,3,1"])
def test_a_first_row_is_not_taken_for_the_header(header: str, tmp_path: Path):
    user, item, third = header.split(",")
    rows = [(user, item, third), *((u, i, "a") for u, i in PAIRS if (u, i) != (user, item))]
    path = tmp_path / "e.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    with pytest.raises(DataError, match=r"line 1: .*--columns"):
        imported(path, user=user, item=item)
    assert len(imported(path, columns=["user", "item", "title"]).dataset.interactions) == len(rows)
    with pytest.raises(DataError, match="3 columns, but 2 names are given"):
        imported(path, columns=["user", "item"])
    with pytest.raises(DataError, match=r"line [12]: title is 'a', not a finite number"):
        imported(path, columns=["user", "item", "title"], timestamp="title")


LATE = {
    "ids": lambda n: {"user": n // 5 if n < 50 else f"u{n}"},
    "numbers as text": lambda n: {"at": n if n < 50 else str(n)},
    "fractions": lambda n: {"at": n if n < 50 else n + 0.5},
    "lists": lambda n: {"images": [] if n < 50 else [{"url": "x"}]},
    "objects": lambda n: {"images": "none" if n < 50 else {"url": "x"}},
    "new fields": lambda n: {} if n < 50 else {"extra": n},
}


@pytest.mark.parametrize("case", LATE)
def test_json_may_change_its_types_late(case: str, tmp_path: Path):
    lines = [json.dumps({"user": n // 5, "item": f"i{n % 5}", "at": n} | LATE[case](n)) for n in range(COUNT)]
    (tmp_path / "e.jsonl").write_text("\n".join(lines))
    found = imported(tmp_path / "e.jsonl", timestamp="at").dataset
    assert len(found.interactions) == COUNT
    assert found.users.names[0] == "0"


def test_pandas_own_index_is_no_feature_and_no_attribute(tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, "a") for u, i in PAIRS])
    columns = {"id": [f"i{n}" for n in range(5)], "a": [0.1] * 5, "b": [0.2] * 5, "__index_level_0__": range(5)}
    pl.DataFrame(columns).write_parquet(tmp_path / "v.parquet")
    data = imported(path, features={"v": tmp_path / "v.parquet"}, items=tmp_path / "v.parquet").dataset
    assert data.modalities["v"].width == 2
    assert data.item_attributes.columns == ["a", "b"]
    nameless = written(tmp_path / "items.csv", [(n, f"i{n}", n) for n in range(5)], ",id,year")
    found = imported(path, items=nameless)
    assert found.dataset.item_attributes.columns == ["year"]
    assert any("a column without a name was left out" in warning for warning in found.warnings)


def parquet(path: Path, users: list[object]) -> Path:
    pl.DataFrame({"user": users, "item": [i for _, i in PAIRS]}).write_parquet(path)
    return path


def test_ids_of_other_types_are_read_as_people_write_them(tmp_path: Path):
    keys = [uuid.UUID(int=n // 5) for n in range(COUNT)]
    for users, first in (
        ([key.bytes for key in keys], str(keys[0])),
        ([u.encode() for u, _ in PAIRS], "u0"),
        ([float(n // 5) for n in range(COUNT)], "0"),
    ):
        assert imported(parquet(tmp_path / "e.parquet", users)).dataset.users.names[0] == first
    with pytest.raises(DataError, match="column 'user' holds Binary, not ids"):
        imported(parquet(tmp_path / "e.parquet", [b"\xff" * (1 + n // 5) for n in range(COUNT)]))


def test_blanks_around_an_id_make_nobody_else(tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u + " " * (n % 2), f" {i}", "a") for n, (u, i) in enumerate(PAIRS)])
    found = imported(path)
    assert sizes(found) == (12, 5, COUNT)
    assert any("30 entries of 'user' had blank spaces at an end" in warning for warning in found.warnings)
    table = written(tmp_path / "items.csv", [(f"i{n} ", n) for n in range(5)], "id,year")
    assert imported(path, items=table).dataset.items.names[0] == "i0"
    with pytest.raises(DataError, match="the same user and item as in line 2"):
        imported(written(tmp_path / "e.csv", [("u0", "i0", ""), ("u0 ", "i0", "")]))


def recbole(folder: Path, items: list[tuple]) -> Path:
    folder.mkdir()
    written(folder / "shop.inter", PAIRS, "user_id:token,item_id:token", "\t")
    written(folder / "shop.item", items, "item_id:token,title:token_seq,year:float", "\t")
    written(folder / "shop.user", [(f"u{n}", n) for n in range(12)], "user_id:token,age:token", "\t")
    return folder


def test_recbole_attributes_come_along(tmp_path: Path):
    rows = [(f"i{n}", f'"t {n}', 2000 + n) for n in (4, 3, 2, 1, 9)]
    found = imported(recbole(tmp_path / "shop", rows))
    data = found.dataset
    assert data.item_attributes.to_dict(as_series=False) == {
        "title": [None, '"t 1', '"t 2', '"t 3', '"t 4'],
        "year": [None, 2001, 2002, 2003, 2004],
    }
    assert data.user_attributes["age"].to_list() == list(range(12))
    text = " ".join(found.warnings)
    assert "shop.item: 1 item left out, without an interaction" in text
    assert "shop.item: 1 item of the interactions not in it" in text


@pytest.mark.parametrize("key", ["id", "item", "item_id", "itemID", "what", "movieId"])
def test_the_column_of_ids_need_not_be_called_id(key: str, tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, "a") for u, i in PAIRS], "who,what,title")
    table = written(tmp_path / "items.csv", [(n, f"i{n}") for n in range(5)], f"year,{key}")
    pl.DataFrame({"f": [0.5] * 5, key: [f"i{n}" for n in range(5)]}).write_parquet(tmp_path / "v.parquet")
    names = {"user": "who", "item": "what", "features": {"v": tmp_path / "v.parquet"}}
    data = imported(path, items=table, **names).dataset
    assert data.item_attributes.columns == ["year"]
    assert data.modalities["v"].width == 1
    files.save(data, tmp_path / "data")
    assert files.load(tmp_path / "data").columns == {"user": "who", "item": "what"}


def test_weights_weigh_nothing_and_low_ones_can_be_left_out(tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, (n % 3) - 1) for n, (u, i) in enumerate(PAIRS)], "user,item,rating")
    assert (
        "every row counts as a positive, also the 40 of weight 0 or less" in imported(path, weight="rating").warnings[0]
    )
    found = imported(path, weight="rating", min_weight=0)
    assert (len(found.dataset.interactions), found.dataset.interactions.attributes["weight"].min()) == (40, 0)
    assert "20 of 60 rows have a 'rating' below 0 and were left out" in found.warnings[0]
    with pytest.raises(DataError, match="give --weight COLUMN"):
        imported(path, min_weight=1)
    with pytest.raises(DataError, match="no 'rating' reaches 7"):
        imported(path, weight="rating", min_weight=7)
    bad = written(tmp_path / "f.csv", [("u0", "i0", -1, 1), ("u0", "i1", 1, "x")], "user,item,rating,at")
    with pytest.raises(DataError, match="line 3: at is 'x'"):
        imported(bad, weight="rating", min_weight=0, timestamp="at")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_row_that_is_no_number_throughout_is_an_absent_item(dtype: type, tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, "a") for u, i in PAIRS])
    table = written(tmp_path / "items.csv", [(f"i{n}",) for n in range(5)], "id")
    values = np.arange(10, dtype=dtype).reshape(5, 2)
    values[3] = np.nan
    np.save(tmp_path / "v.npy", values)
    found = imported(path, items=table, features={"v": tmp_path / "v.npy"})
    assert found.dataset.modalities["v"].present.tolist() == [True, True, True, False, True]
    assert "1 item has no 'v'" in found.warnings
    values[2, 0] = np.nan
    np.save(tmp_path / "v.npy", values)
    with pytest.raises(DataError, match=r"hold NaN or infinity in row 2 \(item 'i2'\).*in the whole row would mean"):
        imported(path, items=table, features={"v": tmp_path / "v.npy"})


ABSENT = {
    "no list": {"v": [[1.0, 2.0], None, [3.0, 4.0]]},
    "an empty list": {"v": [[1.0, 2.0], [], [3.0, 4.0]]},
    "a list of nulls": {"v": [[1.0, 2.0], [None, None], [3.0, 4.0]]},
    "nulls": {"a": [1.0, None, 3.0], "b": [2.0, None, 4.0]},
    "not a number": {"a": [1.0, float("nan"), 3.0], "b": [2.0, float("nan"), 4.0]},
}


@pytest.mark.parametrize("case", ABSENT)
def test_a_row_without_numbers_is_an_absent_item_in_parquet(case: str, tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, "a") for u, i in PAIRS])
    pl.DataFrame({"id": ["i0", "i1", "i2"], **ABSENT[case]}).write_parquet(tmp_path / "v.parquet")
    held = imported(path, features={"v": tmp_path / "v.parquet"}).dataset.modalities["v"]
    assert held.present.tolist() == [True, False, True, False, False]
    np.testing.assert_array_equal(held.features[[0, 2]], [[1, 2], [3, 4]])


def test_one_odd_value_that_turns_a_column_into_text_is_told(tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, "a") for u, i in PAIRS])
    table = written(
        tmp_path / "items.csv", [(f"i{n}", 2000 + n if n != 3 else "ca. 2003") for n in range(5)], "id,year"
    )
    assert f"{table}, line 5: 'year' stays text because of 'ca. 2003'" in imported(path, items=table).warnings


def test_somebody_who_has_everything_is_told(tmp_path: Path):
    rows = [(u, i, "train") for u, i in PAIRS[:-3]] + [
        (u, i, part) for (u, i), part in zip(PAIRS[-3:], ("valid", "test", "test"), strict=True)
    ]
    found = read(written(tmp_path / "e.csv", rows, "user,item,split"), ImportOptions())
    assert any("11 users have every item (u0, u1, u2, u3, u4 and 6 more)" in warning for warning in found.warnings)


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = imported(written(tmp_path / "e.csv", [(u, i, "a") for u, i in PAIRS])).dataset

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device (os error 28)")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(ArtifactError, match=r"data: cannot be written: No space left on device"):
        files.save(data, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["e.csv"]


def test_a_column_that_occurs_twice_is_refused_whatever_its_reader_calls_it(tmp_path: Path):
    for header in ("user,item,at,item", '"user","item","at","item"'):
        (tmp_path / "e.csv").write_text(f"{header}\na,b,1,c\n")
        with pytest.raises(DataError, match="line 1: several columns are called 'item'"):
            read(tmp_path / "e.csv", ImportOptions())


def test_a_mark_before_the_first_object_is_no_part_of_it(tmp_path: Path):
    lines = "".join(f'{{"user": "u{n // 4}", "item": "i{n % 4}"}}\n' for n in range(24))
    (tmp_path / "e.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert len(read(tmp_path / "e.jsonl", ImportOptions()).dataset.interactions) == 24


@pytest.mark.parametrize("suffix", ["json", "ndjson"])
def test_an_array_is_read_like_its_lines(suffix: str, tmp_path: Path):
    rows = [{"user": 2**60 + n // 4, "item": f"i{n % 4}", "late": 1 if n < 20 else "x"} for n in range(24)]
    (tmp_path / f"e.{suffix}").write_text(json.dumps(rows, indent=1))
    found = read(tmp_path / f"e.{suffix}", ImportOptions()).dataset
    assert found.users.names.to_list() == [str(2**60 + n) for n in range(6)]


def test_ids_too_large_for_their_type_are_refused(tmp_path: Path):
    for dtype, first in ((pl.Float64, 2**53), (pl.Float32, 2**24)):
        users = pl.Series("user", [float(first)] * 2 + [1.0], dtype=dtype)
        pl.DataFrame([users, pl.Series("item", ["a", "b", "c"])]).write_parquet(tmp_path / "e.parquet")
        with pytest.raises(DataError, match=r"column 'user' holds Float.. too large for its last digits"):
            read(tmp_path / "e.parquet", ImportOptions())


def test_people_who_may_be_one_are_told(tmp_path: Path):
    lines = [f"{user},i{n}" for user in ("U3", "u3", "007", "7", "x", "\u200bx", "y") for n in range(3)]
    (tmp_path / "e.csv").write_text("\n".join(["user,item", *lines]).replace("\u200bx", "z"), encoding="utf-8")
    told = [line for line in read(tmp_path / "e.csv", ImportOptions()).warnings if "differ from another" in line]
    assert told == [
        "4 users differ from another in blanks, case, leading zeros or Unicode form alone ('U3', 'u3', '007', '7'); "
        "if they are one, correct the file: a request for one leaves the other"
    ]


def test_columns_that_may_both_hold_the_ids_are_decided_by_them_or_refused(tmp_path: Path):
    (tmp_path / "e.csv").write_text("user,item\n" + "".join(f"{u},i{n}\n" for u in (1, 2, 3) for n in range(3)))
    options = ImportOptions(users=tmp_path / "u.csv")
    (tmp_path / "u.csv").write_text("id,user_id,age\n10,1,40\n11,2,50\n12,3,60\n")
    assert read(tmp_path / "e.csv", options).dataset.users.names.to_list() == ["1", "2", "3"]
    (tmp_path / "u.csv").write_text("id,user_id,age\n3,1,40\n1,2,50\n2,3,60\n")
    with pytest.raises(DataError, match="the user ids may be those of id and user_id"):
        read(tmp_path / "e.csv", options)

"""Request files as programs export them: whoever is named is erased and nobody else, or the command fails aloud."""

import io
import json
import re
from pathlib import Path

import polars as pl
import pytest

from mmrecun.data.ids import IdMap
from mmrecun.data.lookalikes import folded, stripped
from mmrecun.errors import DataError, ForgetError
from mmrecun.forget.parsing import read_ids, read_pairs
from mmrecun.forget.typed_rows import typed_place_of_pair
from mmrecun.text import escape_control
from tests.forget.test_parsing import named

KNOWN = IdMap.of("user", ["u1", "u2", "u3", "7", "007", "12", "# 9", "a,b", "user_x", "id", 'a"b'])

FILES = {
    "utf-16": ("x.txt", "user_id\tname\r\nu1\tAnna\r\nu2\tBob\r\n".encode("utf-16"), ("u1", "u2")),
    "utf-16 be": ("x.txt", b"\xfe\xff" + "u1\r\nu2\r\n".encode("utf-16-be"), ("u1", "u2")),
    "windows": ("x.csv", "user_id,name\nu1,J\xfcrgen\n".encode("cp1252"), ("u1",)),
    "bom and quotes": ("x.csv", b'\xef\xbb\xbf"user_id"\r\n"u1"\r\n', ("u1",)),
    "separator line": ("x.csv", b"sep=;\r\nuser_id;why\r\nu1;x\r\n", ("u1",)),
    "text formula": ("x.csv", b'user_id\r\n"=""007"""\r\n="u1"\r\n', ("007", "u1")),
    "empty rows": ("x.csv", b"user_id,,\nu1,,\n,,\n,,\n", ("u1",)),
    "empty rows without a header": ("x.csv", b"u1,,\nu2,,\n,,\n", ("u1", "u2")),
    "end of file": ("x.txt", b"u1\nu2\n\x1a", ("u1", "u2")),
    "invisible signs": ("x.txt", "\ufeffu1\u200b\n\ufeffu2\n\xa0u3\u2060\n".encode(), ("u1", "u2", "u3")),
    "fractions": ("x.csv", b"user_id\n7.0\n12.0\n", ("7", "12")),
    "a field of two lines": ("x.csv", b'user_id,why\nu1,"one\ntwo"\nu2,"ok"\n', ("u1", "u2")),
    "a field that is never closed": ("x.csv", b'user_id,why\nu1,"a\nu2,b\n', ("u1", "u2")),
    "an id like a comment with a reason": ("x.csv", b"# 9,why\nu1,why\n", ("# 9", "u1")),
    "rows and ids": ("x.csv", b"id,user_id\n7,u1\n12,u2\n", ("u1", "u2")),
    "unknown numbers of rows": ("x.csv", b"id,user_id\n500,u1\n501,u2\n", ("u1", "u2")),
    "names beside ids": ("x.csv", b"username,user_id\nAnna,u1\nBob,u2\n", ("u1", "u2")),
    "array": ("x.json", b'["u1", "u2"]', ("u1", "u2")),
    "array of numbers": ("x.json", b"[7, 12]", ("7", "12")),
    "array of objects": ("x.json", b'[\n {"user": "u1"},\n {"user": "u2"}\n]', ("u1", "u2")),
    "object of a list": ("x.json", b'{\n "users": ["u1", "u2"]\n}', ("u1", "u2")),
    "a whole request": ("x.json", b'{"users": ["u1", "u2"], "items": ["i1"], "pairs": []}', ("u1", "u2")),
    "a header of one column": ("x.csv", b"user_id\na,b\nu1,why\n", ("a,b", "u1")),
    "an id in quotation marks that reads like a header": ("x.csv", b'"id"\n"u1"\n', ("id", "u1")),
    "an id with a separator in quotation marks": ("x.csv", b'user,why\n"a,b",x\nu1,y\n', ("a,b", "u1")),
    "an id with a mark, and another at the end": ("x.csv", b'user,why\n"a""b",7\n', ('a"b',)),
    "a list under a plural": ("x.json", b'{"user_ids": ["u1", 7]}', ("u1", "7")),
    "an object around objects": ("x.json", b'{"count": 2, "data": [{"id": "u1"}, {"id": "u2"}]}', ("u1", "u2")),
    "a list beside the id": ("x.json", b'{"user": "u1", "reasons": ["u2", "u3"]}', ("u1",)),
    "lines of texts": ("x.jsonl", b'"u1"\n"u2"\n', ("u1", "u2")),
}


@pytest.mark.parametrize("case", FILES)
def test_exports_name_whom_they_name(case: str, tmp_path: Path):
    name, content, found = FILES[case]
    (tmp_path / name).write_bytes(content)
    assert read_ids(tmp_path / name, "user", KNOWN) == found


REFUSED = {
    "a list in a line": ("x.txt", b"u1,u2\n", r"line 1: several users \(u1, u2\)"),
    "a list in each line": ("x.txt", b"u1;u2\nu3;7\n", r"line 1: several users \(u1, u2\)"),
    "numbers beside ids": ("x.csv", b"0,x\nu1,7\n", r"line 2: several users \(u1, 7\)"),
    "a header that is an id": ("x.csv", b"id,why\nu1,x\n", "line 1: 'id' may be a header or a user"),
    "two columns of ids": ("x.csv", b"uid,username\nu1,u2\n", "may be those of uid and username"),
    "thousands": ("x.txt", b"7,012\n12,345,678\n", "line 1: 7,012 may be one number"),
    "thousands beside an id": ("x.txt", b"7,012\nu1\n", "line 1: 7,012 may be one number"),
    "a line that ends before its id": ("x.csv", b"when,user_id\n1,u1\n2\n", "line 3: no user id in column 2"),
    "a line without its id": ("x.csv", b"user_id,why\n,x\nu1,y\n", "line 2: no user id in column 1"),
    "half a sign": ("x.txt", b"\xff\xfe\x42\x30\x42", "not readable as UTF-16 text"),
    "no text": ("x.txt", b"u1\x00\xff\n", "not readable as UTF-8 text"),
    "thousands below a header": ("x.csv", b"user_id\n7,012\n", "line 2: 7,012 may be one number"),
    "two columns of one name": ("x.csv", b"user_id,user_id\nu1,u2\n", "2 columns are called 'user_id'"),
    "pairs as lists": ("x.json", b'[["u1", "i1"]]', "an array of lists; write each as an object"),
    "an id inside a field": ("x.csv", b'user,why\nu1,"as\nu2\ntoo"\n', "lines 2 to 4: .* holds line 3"),
    "a workbook": ("x.xlsx", b"PK\x03\x04\x00\xff", "an Excel workbook"),
    "compressed": ("x.txt", b"\x1f\x8b\x08\x00", "unpack it"),
    "an id in other case": ("x.txt", b"U1\nu2\n", "'U1' is not among the users .* 'u1' looks alike"),
    "a null": ("x.json", b'["u1", null]', "several kinds of things"),
    "nothing": ("x.json", b"[]", "the array is empty"),
    "nobody": ("x.json", b'{"users": []}', "'users' is empty"),
    "an id with a separator": ("x.csv", b"user,why\na,b,x\n", "line 2: the user may be 'a' or 'a,b'; put an id"),
    "an id with a separator, at the end": ("x.csv", b"when,user\n1,a,b\n", "line 2: the user may be 'a' or 'a,b'"),
    "an id with a separator and a blank": ("x.csv", b"user,why\na,b ,x\n", "line 2: the user may be 'a' or 'a,b'"),
    "an id with a separator, no header": ("x.csv", b"a,b,x\nu1,y\n", "line 1: the user may be 'a' or 'a,b'"),
    "pairs, not users": ("x.json", b'{"pairs": [{"user": "u1", "item": "i1"}]}', "column 'id' is missing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_be_read_in_two_ways_is_refused(case: str, tmp_path: Path):
    name, content, message = REFUSED[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ForgetError, match=message):
        read_ids(tmp_path / name, "user", KNOWN)


def test_what_was_read_otherwise_than_written_is_told(tmp_path: Path):
    reported: list[str] = []
    for text in (b"user_id\n7.0\n", "user,name\nu1,Z\xfc\n".encode("cp1252"), b"id,user\n7,u1\n"):
        (tmp_path / "x.csv").write_bytes(text)
        read_ids(tmp_path / "x.csv", "user", KNOWN, warn=reported.append)
    assert ["read as a whole number: 7.0 as 7" in reported[0], "Windows-1252" in reported[1]] == [True, True]
    assert "from column 'user', and not from 'id'" in reported[2]


def test_an_id_with_blanks_around_it_is_that_one_and_no_other(tmp_path: Path):
    (tmp_path / "x.txt").write_text("u3 \nu4 \n")
    assert read_ids(tmp_path / "x.txt", "user", IdMap.of("user", ["u3", "u3 ", "u4"])) == ("u3 ", "u4")


@pytest.mark.parametrize(
    "text", ['"two\nlines"\nu1\n', 'user_id\n"two\nlines"\n"u1"\n', 'user,n\n"two\nlines",1\nu1,2\n']
)
def test_an_id_of_two_lines_is_one_in_quotation_marks(text: str, tmp_path: Path):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    known = IdMap.of("user", ["two\nlines", "u1", "u2"])
    assert read_ids(tmp_path / "x.csv", "user", known) == ("two\nlines", "u1")


def test_a_request_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"user_id\r\nu1\r\n")))
    assert read_ids(Path("-"), "user", KNOWN) == ("u1",)


PAIRS = {
    "utf-16": "user\titem\r\nu1\ti2\r\n".encode("utf-16"),
    "separator line": b"sep=;\nuser;item\nu1;i2\n",
    "a field of two lines": b'user,item,why\nu1,i2,"one\ntwo"\n',
    "empty rows": b"user,item,\nu1,i2,\n,,\n",
    "rows and ids": b"id,user,item\nu2,u1,i2\n",
    "header of items first": b"item,account holder\ni2,u1\n",
    "header of users last": b"video,user\ni2,u1\n",
    "json, objects": json.dumps([{"user": "u1", "item": "i2"}]).encode(),
    "json, a whole request": b'{"users": ["u2"], "items": [], "pairs": [["u1", "i2"]]}',
    "json, objects of pairs": b'{"pairs": [{"item": "i2", "user": "u1"}]}',
    "json, lists of a user": b'{"user": "u1", "items": ["i2"]}',
}


def test_lists_within_rows_are_pairs_each_with_its_line(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"user": "u1", "items": ["i1", "i2"]}\n{"user": "u2", "items": ["i1"]}\n')
    assert read_pairs(path, named(["u1", "u2"])) == (("u1", "i1"), ("u1", "i2"), ("u2", "i1"))
    path.write_text('{"user": "u1", "items": ["i1", "i2"]}\n{"user": "u2", "items": []}\n')
    with pytest.raises(ForgetError, match="line 2: 'items' is missing"):
        read_pairs(path, named(["u1", "u2"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"users": ["u1", "u2"], "items": ["i1"]}', "2 users, but 1 item"),
        (b'{"users": ["u1"], "items": [], "pairs": []}', "'pairs' is empty"),
        (b"when,item,name\n1,i1,u1\n", "line 1: which columns have users and items"),
    ],
)
def test_columns_that_make_no_pairs_are_refused(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / ("x.json" if content[:1] == b"{" else "x.csv")
    path.write_bytes(content)
    with pytest.raises(ForgetError, match=message):
        read_pairs(path, named(["u1", "u2"]))


@pytest.mark.parametrize("case", PAIRS)
def test_pairs_in_exports(case: str, tmp_path: Path):
    path = tmp_path / ("x.json" if case.startswith("json") else "x.csv")
    path.write_bytes(PAIRS[case])
    assert read_pairs(path, named(["u1", "u2"])) == (("u1", "i2"),)


def test_a_pair_inside_a_field_is_refused(tmp_path: Path):
    (tmp_path / "x.csv").write_text('user,item,why\nu1,i2,"as\nu2,i1\ntoo"\n')
    with pytest.raises(ForgetError, match="lines 2 to 4: one field in quotation marks holds a pair"):
        read_pairs(tmp_path / "x.csv", named(["u1", "u2"]))


@pytest.mark.parametrize(
    ("one", "other"),
    [("U3", "u3"), ("cafe\u0301", "caf\xe9"), ("u\u200b3", "u3"), ("7", "007"), ("7.0", "7"), ("a\xa0b", "a b")],
)
def test_ids_that_look_alike_are_one_when_folded_and_named_when_unknown(one: str, other: str):
    assert folded(pl.Series([one]))[0] == folded(pl.Series([other]))[0]
    told = re.escape(escape_control(one))  # so that signs which nobody sees are seen
    with pytest.raises(DataError, match=f"unknown user id: {told}; '{other}' looks alike"):
        IdMap.of("user", [other, "x"]).rows([one])


def test_blanks_are_taken_off_the_ends_and_joiners_stay():
    assert stripped(pl.Series(["\ufeff u 1\u200b ", "a\u200d"])).to_list() == ["u 1", "a\u200d"]


def test_the_place_of_a_pair_is_found_by_the_columns_that_its_reading_takes(tmp_path: Path):
    """Named as in the dataset, or those of several that hold known ids."""
    path, pair = tmp_path / "x.parquet", [("u2", "i9")]
    users, items = IdMap.of("user", ["u1", "u2"]), IdMap.of("item", ["i1", "i9"])
    pl.DataFrame({"konto": ["u1", "u2"], "ware": ["i1", "i9"]}).write_parquet(path)
    assert typed_place_of_pair(path, pair, ("konto", "ware"), (users, items)) == f"{path}, row 1"
    ids = {"username": ["a", "b"], "user_id": ["u1", "u2"], "item": ["c", "d"], "item_id": ["i1", "i9"]}
    pl.DataFrame(ids).write_parquet(path)
    assert typed_place_of_pair(path, pair, ("", ""), (users, items)) == f"{path}, row 1"

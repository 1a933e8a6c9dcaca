"""Arrays of JSON are read in blocks of any size, as the same rows written as JSON Lines are; errors name the line."""

import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mmrecun.data.importers import json_values
from mmrecun.data.importers.batches import open_table
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.importers.readers import read_table
from mmrecun.errors import DataError

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
BLANKS = st.sampled_from(["", " ", "\n", "\t\r\n  "])


def written(folder: Path, text: str, name: str = "e.json") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


@settings(max_examples=60)
@given(values=st.lists(VALUES), size=st.integers(1, 40), blank=BLANKS, indent=st.none() | st.just(2), data=st.data())
def test_any_array_in_blocks_of_any_size(values: list, size: int, blank: str, indent: int | None, data: st.DataObject):
    ascii_only = data.draw(st.booleans())
    texts = [json.dumps(value, indent=indent, ensure_ascii=ascii_only) for value in values]
    whole = blank + "[" + blank + f"{blank},{blank}".join(texts) + blank + "]" + blank
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "_BLOCK", size)
        try:
            path = written(Path(folder), whole)
        except UnicodeEncodeError:  # half of a pair of signs cannot be written as it is
            return
        found = list(json_values.json_values(path))
    assert [value for _, _, value in found] == json.loads(whole) == values
    assert [json.loads(text) for _, text, _ in found] == values


def test_lines_are_those_on_which_the_entries_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = '[{"a":\n1},\n\n {"a": "[{\\n"}\n, {"a": 3}, {\n}\n]\n'
    for size in (1, 3, 1000):
        monkeypatch.setattr(json_values, "_BLOCK", size)
        assert list(json_values.value_lines(written(tmp_path, text))) == [1, 4, 5, 5]


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_is_what_its_entries_as_lines_are(indent: int | None, tmp_path: Path):
    """Types change late, fields come late, and some values are lists and objects."""
    rows: list[dict] = [{"user": n // 5, "item": f"i{n % 5}", "at": n, "tags": [n]} for n in range(2000)]
    rows += [{"user": "x", "item": "i1", "at": 0.5, "tags": ["a"], "about": {"b": [1]}}, {"user": None, "item": "i\n"}]
    array = written(tmp_path, json.dumps(rows, indent=indent))
    lines = written(tmp_path, "\n".join(map(json.dumps, rows)), "e.jsonl")
    assert_frame_equal(read_table(array).table, read_table(lines).table)
    one, other = (open_table(path) for path in (array, lines))
    assert one.columns == other.columns
    frames = [pl.concat(batch.table for batch in table.batches(("user", "at"))) for table in (one, other)]
    assert_frame_equal(*frames)


def test_objects_one_after_another_over_many_lines(tmp_path: Path):
    """As `jq` writes them."""
    path = written(tmp_path, "\n".join(json.dumps({"user": n, "item": "i"}, indent=2) for n in range(3)))
    assert open_table(path).columns == ("user", "item")
    assert read_table(path).table["user"].to_list() == [0, 1, 2]
    assert [read_table(path).at(row) for row in range(3)] == [f"{path}, line {line}" for line in (1, 5, 9)]


def test_what_is_wrong_in_an_entry_is_named_by_its_line(tmp_path: Path):
    rows = [{"user": n // 5, "item": n % 5, "at": n} for n in range(30)]
    rows[20]["at"] = "soon"
    path = written(tmp_path, json.dumps(rows, indent=1))
    line = path.read_text().splitlines().index('  "at": "soon"') - 2  # from 0, and two lines on
    with pytest.raises(DataError, match=f"line {line}: at is 'soon'"):
        read(path, ImportOptions(timestamp="at"))


WRONG = {
    "no comma": ('[{"a": 1}\n{"a": 2}]', "line 2: not JSON: expecting ',' or ']'"),
    "cut off": ('[{"a": 1},\n{"a": ', "line 2: not JSON: expecting value"),
    "open string": ('[{"a": 1},\n{"a": "b}]', "line 2: not JSON: unterminated string"),
    "not closed": ('[{"a": 1}\n', "line 2: not JSON: expecting ',' or ']'"),
    "last comma": ('[{"a": 1},\n]', "line 2: not JSON: expecting value"),
    "wrong word": ('[{"a": 1},\n{"a": nil, "b": "............................"}]', "line 2: not JSON: expecting value"),
    "NaN": ('[{"a": 1},\n{"a": NaN}]', "line 2: not JSON: the word NaN, write null"),
    "two arrays": ('[{"a": 1}]\n[{"a": 1}]', "line 2: not JSON: more follows the array"),
    "lists": ('[{"a": 1},\n[1, 2]]', "line 2: an array of lists; write each as an object"),
    "mixed": ('["u1",\n{"a": 1}]', "line 2: an array of several kinds of things"),
    "nothing": ("[\n]", "the array is empty"),
    "long number": ("[1" + "0" * 5000 + "]", "line 1: not JSON: .*digits"),
    "deep": ("[" * 100_000, "line 1: not JSON: .*recursion"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_what_is_no_array_is_named_by_its_line(case: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text, message = WRONG[case]
    monkeypatch.setattr(json_values, "_BLOCK", size)
    with pytest.raises(DataError, match=message) as caught:
        read_table(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'e.json'}")

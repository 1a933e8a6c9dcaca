"""Compressed files, files without a header, and headers that are none."""

import gzip
from pathlib import Path

import pytest

from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import DataError

EVENTS = "user,item,at\n" + "".join(f"u{n // 5},i{n % 5},{n}\n" for n in range(20))
JSON = "".join(f'{{"user": "u{n // 5}", "item": "i{n % 5}", "at": {n}}}\n' for n in range(20))
TEXTS = {
    "csv": EVENTS,
    "tsv": EVENTS.replace(",", "\t"),
    "jsonl": JSON,
    "txt": EVENTS.replace(",", "\t"),
}


def compressed(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        with pyarrow.CompressedOutputStream(str(path), "zstd") as file:
            file.write(text.encode())
    return path


@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.parametrize("by", ["gz", "zst"])
def test_compressed_tables_are_read_like_plain_ones(suffix: str, by: str, tmp_path: Path):
    (tmp_path / f"e.{suffix}").write_text(TEXTS[suffix])
    plain = read(tmp_path / f"e.{suffix}", ImportOptions(timestamp="at"))
    found = read(compressed(tmp_path / f"e.{suffix}.{by}", TEXTS[suffix]), ImportOptions(timestamp="at"))
    assert (found.dataset.digest, found.dataset.name) == (plain.dataset.digest, "e")


@pytest.mark.parametrize("by", ["gz", "zst"])
def test_errors_in_them_name_the_line(by: str, tmp_path: Path):
    path = compressed(tmp_path / f"e.csv.{by}", EVENTS + "u9,,3\n")
    with pytest.raises(DataError, match=rf"e\.csv\.{by}, line 22: 'item' is missing"):
        read(path, ImportOptions())
    path = compressed(tmp_path / f"f.csv.{by}", EVENTS + "u9,i1\n")
    with pytest.raises(DataError, match=rf"f\.csv\.{by}, line 22: 2 columns, but the header has 3"):
        read(path, ImportOptions())


@pytest.mark.parametrize("suffix", ["csv.gz", "csv.zst", "jsonl.gz", "jsonl.zst", "lists.gz"])
@pytest.mark.parametrize("damage", ["cut", "no compression at all"])
def test_damaged_files_are_named(suffix: str, damage: str, tmp_path: Path):
    path = compressed(tmp_path / f"e.{suffix}", TEXTS["jsonl" if "json" in suffix else "csv"] * 50)
    path.write_bytes(path.read_bytes()[:-30] if damage == "cut" else EVENTS.encode())
    layout = Format.LISTS if "lists" in suffix else Format.AUTO
    with pytest.raises(DataError, match=rf"e\.{suffix}") as caught:
        read(path, ImportOptions(), layout)
    assert "\n" not in str(caught.value)


def test_columns_may_be_named(tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS)
    (tmp_path / "bare.csv").write_text(EVENTS.partition("\n")[2])
    options = ImportOptions(columns=("user", "item", "at"), timestamp="at")
    named = read(tmp_path / "bare.csv", options).dataset
    assert named.digest == read(tmp_path / "e.csv", ImportOptions(timestamp="at")).dataset.digest


HEADERS = ["user,item,at", "user_id,item_id,at", "userID,asin,timestamp", "Account,Product,x"]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_no_row_where_columns_are_named(header: str, tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS.replace("user,item,at", header))
    with pytest.raises(DataError, match=r"line 1: '\w+' and '\w+' look like a header, not like ids"):
        read(tmp_path / "e.csv", ImportOptions(columns=("user", "item", "at")))


FIRST_LINES = ["u0,i0,0", "A1K8,B000000001,5.0", "2020-01-01,u0,i0"]


@pytest.mark.parametrize("line", FIRST_LINES)
def test_a_row_is_no_header(line: str, tmp_path: Path):
    path = tmp_path / "e.csv"
    first, second, third = line.split(",")
    path.write_text(
        line + "\n" + "".join(f"{first},{second}{n},{third}\n{first}{n},{second},{third}\n" for n in range(8))
    )
    with pytest.raises(DataError, match=r"if line 1 is a row and not a header, name the columns with --columns"):
        read(path, ImportOptions())
    with pytest.raises(DataError, match=r"is an id as well as the name of its column; .* --columns"):
        read(path, ImportOptions(user=first, item=second, duplicates="first"))


def test_a_header_that_looks_like_a_row_is_asked_about(tmp_path: Path):
    (tmp_path / "e.csv").write_text(EVENTS.replace("user,item,at", "u77,i77,77"))
    found = read(tmp_path / "e.csv", ImportOptions(user="u77", item="i77"))
    assert "line 1: is it a row? 'u77', 'i77', '77' were taken for names of columns" in found.warnings[0]
    (tmp_path / "e.csv").write_text(EVENTS.replace("user,item,at", "user,item,2019"))
    assert "is it a row" not in read(tmp_path / "e.csv", ImportOptions()).warnings[0]

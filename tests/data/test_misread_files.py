"""Files that are not what their name says, and values written another way: read, or refused in words that help."""

import bz2
import gzip
import json
import lzma
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import DataError

PAIRS = [(f"u{u}", f"i{(u + step) % 7}") for u in range(6) for step in range(5)]
TEXT = "user,item,day\n" + "".join(f"{user},{item},{5000 + n}\n" for n, (user, item) in enumerate(PAIRS))


def imported(path: Path, **options: object) -> Imported:
    return read(path, ImportOptions.of(options, "test"))


OTHERS = {
    "old Mac": (TEXT.replace("\n", "\r").encode(), "carriage return alone"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "but UTF-16"),
    "UTF-32": (TEXT.encode("utf-32"), "but UTF-32"),
    "UTF-32 without a mark": (TEXT.encode("utf-32-be"), "but UTF-32"),
    "DuckDB": (bytes(8) + b"DUCK" + bytes(40), "a DuckDB database; export the table as Parquet or CSV"),
    "zeros": (bytes(300), "other data than text; export the table as CSV"),
    "numbers": (bytes(range(7)) * 40, "other data than text; export the table as CSV"),
    "gzip": (gzip.compress(TEXT.encode()), "compressed with gzip"),
    "bzip2": (bz2.compress(TEXT.encode()), "compressed with bzip2; unpack it"),
    "xz": (lzma.compress(TEXT.encode()), "compressed with xz; unpack it"),
    "Parquet": (b"PAR1" + bytes(40), "call it .parquet"),
    "old Excel": (b"\xd0\xcf\x11\xe0" + bytes(40), "old Excel workbook; save the sheet as CSV"),
    "error page": (b"<!DOCTYPE html>\n<html>404</html>\n", "a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "blank begin": (b"\n\n" + TEXT.encode(), "line 1: blank"),
    "remarks": (b"# made in May\n# by me too\n\n" + TEXT.encode(), "line 1: '# made in May' is not a header"),
    "remark": (b"# made in May\n" + TEXT.encode(), "line 1: '# made in May' is not a header"),
    "note for Excel": (b"sep=;\n" + TEXT.replace(",", ";").encode(), "remove the line, and give --separator semicolon"),
    "semicolons and decimal commas": (
        b"user;item;rating\n" + b"".join(f"{u};{i};3,5\n".encode() for u, i in PAIRS),
        "semicolon separated",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_file_that_is_something_else_is_called_that(case: str, tmp_path: Path):
    content, message = OTHERS[case]
    path = tmp_path / "events.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        imported(path)
    assert len(str(caught.value)) < len(str(path)) + 160


def test_workbooks_and_archives_are_called_that_by_whatever_name(tmp_path: Path):
    for name in ("events.xlsx", "events.zip", "events.csv"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("a.csv", TEXT)
        with pytest.raises(DataError, match="an Excel workbook or a ZIP archive"):
            imported(tmp_path / name)


def test_blanks_around_numbers_and_times_are_no_part_of_them(tmp_path: Path):
    (tmp_path / "plain.csv").write_text(TEXT)
    (tmp_path / "spaced.csv").write_text(TEXT.replace(",", ", "))
    plain, spaced = (imported(tmp_path / f"{name}.csv", timestamp="day").dataset for name in ("plain", "spaced"))
    assert spaced.digest == plain.digest


@pytest.mark.parametrize(("value", "hint"), [("3,5", "a point before decimals"), ("1.000,5", "a point"), ("x", "$")])
def test_a_number_written_another_way_is_told(value: str, hint: str, tmp_path: Path):
    (tmp_path / "e.csv").write_text("user;item;w\n" + "".join(f"{u};{i};{value}\n" for u, i in PAIRS))
    with pytest.raises(DataError, match=rf"line 2: w is '{value}', not a finite number.*{hint}"):
        imported(tmp_path / "e.csv", separator="semicolon", weight="w")


def test_whole_decimals_are_the_ids_that_people_write(tmp_path: Path):
    for scale, expected in ((0, ["0", "1"]), (6, ["0", "1"])):
        numbers = pl.Series("user", [Decimal(int(u[1:])) for u, _ in PAIRS], dtype=pl.Decimal(20, scale))
        pl.DataFrame({"user": numbers, "item": [i for _, i in PAIRS]}).write_parquet(tmp_path / "e.parquet")
        assert imported(tmp_path / "e.parquet").dataset.users.names[:2].to_list() == expected
    halves = pl.Series("user", [Decimal(int(u[1:])) / 2 for u, _ in PAIRS], dtype=pl.Decimal(20, 2))
    pl.DataFrame({"user": halves, "item": [i for _, i in PAIRS]}).write_parquet(tmp_path / "e.parquet")
    assert imported(tmp_path / "e.parquet").dataset.users.names[:3].to_list() == ["0.00", "0.50", "1.00"]


@pytest.mark.parametrize("name", ["nan", "NULL", "None", "\\N"])
def test_an_id_that_may_stand_for_none_is_told(name: str, tmp_path: Path):
    (tmp_path / "e.csv").write_text(TEXT.replace("u3,", f"{name},"))
    assert any(f"users are called '{name}'" in line for line in imported(tmp_path / "e.csv").warnings)
    (tmp_path / "e.csv").write_text(TEXT)
    assert not any("are called" in line for line in imported(tmp_path / "e.csv").warnings)


def test_numbers_that_a_spreadsheet_shortened_are_told(tmp_path: Path):
    path = tmp_path / "events.csv"
    path.write_text(TEXT.replace("u3", "4.5E+12"), encoding="utf-8")
    assert any("users are called '4.5E+12': so spreadsheets" in line for line in imported(path).warnings)


def test_ids_that_differ_in_invisible_signs_around_them_are_one(tmp_path: Path):
    path = tmp_path / "events.csv"
    path.write_text(TEXT.replace("u3,i3", "u3\u200b,i3").replace("u4,i5", "\ufeffu4,i5"), encoding="utf-8")
    dataset, report = imported(path).dataset, imported(path).report
    assert dataset.users.names.to_list() == [f"u{n}" for n in range(6)]
    assert any("2 entries of 'user' had blank spaces" in line for line in report.warnings)


def test_spans_of_time_are_no_ids(tmp_path: Path):
    frame = pl.DataFrame(PAIRS, schema=["user", "item"], orient="row").with_columns(user=pl.duration(days=1))
    frame.write_parquet(tmp_path / "events.parquet")
    with pytest.raises(DataError, match=r"holds Duration.*, not ids"):
        imported(tmp_path / "events.parquet")


@pytest.mark.parametrize(("value", "told"), [("0", 1), ("-3", 1), ("1600000000", 0)])
def test_times_that_may_stand_for_none_are_told(value: str, told: int, tmp_path: Path):
    path = tmp_path / "events.csv"
    path.write_text(TEXT.replace(",50", ",16000050").replace(",1600005003", f",{value}"), encoding="utf-8")
    found = [line for line in imported(path, timestamp="day").warnings if "'day' are 0 or less" in line]
    assert len(found) == told


def test_features_of_no_item_are_counted(tmp_path: Path):
    (tmp_path / "events.csv").write_text(TEXT, encoding="utf-8")
    frame = pl.DataFrame({"id": ["i0", "i1", "x1", "x2"], "v": [[1.0, 2.0]] * 4})
    frame.write_parquet(tmp_path / "f.parquet")
    found = imported(tmp_path / "events.csv", features={"image": str(tmp_path / "f.parquet")})
    assert any(
        "2 of its rows are of no item of the dataset and were left out, such as x1, x2" in w for w in found.warnings
    )


@pytest.mark.parametrize("names", [np.array(["i0", "\xe91"]), np.char.encode(np.array(["i0", "\xe91"]), "utf-8")])
def test_ids_of_arrays_are_text_in_any_alphabet(names: np.ndarray, tmp_path: Path):
    (tmp_path / "events.csv").write_text(TEXT.replace("i1", "\xe91"), encoding="utf-8")
    np.save(tmp_path / "f.npy", np.array([[1, 2], [3, 4]], dtype=">f4"))
    np.save(tmp_path / "ids.npy", names)
    given = {"features": {"image": str(tmp_path / "f.npy")}, "feature_ids": {"image": str(tmp_path / "ids.npy")}}
    data = imported(tmp_path / "events.csv", **given).dataset
    row = data.items.names.to_list().index("\xe91")
    assert data.modalities["image"].features[row].tolist() == [3, 4]


def test_features_in_the_other_byte_order_are_the_same_numbers(tmp_path: Path):
    (tmp_path / "events.csv").write_text(TEXT, encoding="utf-8")
    (tmp_path / "items.csv").write_text("id\n" + "".join(f"i{n}\n" for n in range(7)), encoding="utf-8")
    numbers = np.arange(14, dtype="f4").reshape(7, 2)
    np.save(tmp_path / "f.npy", numbers.astype(numbers.dtype.newbyteorder("S")))
    given = {"features": {"image": str(tmp_path / "f.npy")}, "items": str(tmp_path / "items.csv")}
    found = imported(tmp_path / "events.csv", **given).dataset.modalities["image"].features
    assert found.dtype.isnative
    assert np.array_equal(found, numbers)
    np.save(tmp_path / "f.npy", numbers.astype(str))
    with pytest.raises(DataError, match="not numbers"):
        imported(tmp_path / "events.csv", **given)


def test_what_python_writes_for_nan_is_found_by_its_line(tmp_path: Path):
    rows = [{"user": u, "item": float("nan") if n == 3 else i} for n, (u, i) in enumerate(PAIRS)]
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"line 4: .*NaN and Infinity are not JSON"):
        imported(tmp_path / "e.jsonl")


def test_a_wide_table_is_not_printed_whole_into_an_error(tmp_path: Path):
    (tmp_path / "e.csv").write_text(",".join(f"column{n}" for n in range(2000)) + "\n" + "1," * 1999 + "1\n")
    with pytest.raises(DataError, match=r"unknown column 'user'.*more") as caught:
        imported(tmp_path / "e.csv")
    assert len(str(caught.value)) < 1000
    (tmp_path / "e.json").write_text(json.dumps({"user": {str(n): n for n in range(999)}, "item": {"0": 1}}))
    with pytest.raises(DataError, match="column 'user' holds Struct; it needs one value a row"):
        imported(tmp_path / "e.json")

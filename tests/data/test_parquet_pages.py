"""Damaged headers of Parquet files are refused before polars reads them; sound files of several writers pass."""

import io
import random
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.fuzz_readers import damaged

from mmrecun.data.parquet import read_parquet
from mmrecun.data.parquet_pages import check_pages
from mmrecun.data.thrift import read_struct
from mmrecun.errors import DataError

TABLE = pl.DataFrame(
    {
        "user": [f"u{n // 5}" for n in range(60)],
        "gaps": [None if n % 3 else n for n in range(60)],
        "lists": [[n, None] if n % 2 else None for n in range(60)],
        "nested": [{"a": [{"b": n}], "c": "x"} for n in range(60)],
        "flag": [n % 2 == 0 for n in range(60)],
    }
)


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "zstd", "gzip"])
def test_what_polars_writes_passes(tmp_path: Path, compression: str):
    TABLE.write_parquet(tmp_path / "t.parquet", compression=compression, row_group_size=17, data_page_size=64)
    check_pages(tmp_path / "t.parquet")
    TABLE.head(0).write_parquet(tmp_path / "empty.parquet")
    check_pages(tmp_path / "empty.parquet")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_what_arrow_writes_passes(tmp_path: Path, version: str, dictionary: bool):
    table = TABLE.to_arrow().append_column("bytes", pa.array([bytes(16)] * 60, pa.binary(16)))
    path = tmp_path / "t.parquet"
    pq.write_table(
        table, path, data_page_version=version, use_dictionary=dictionary, row_group_size=17, data_page_size=64
    )
    check_pages(path)


def test_a_page_that_promises_too_much_is_one_line(tmp_path: Path):
    path = tmp_path / "t.parquet"
    TABLE.select("user").write_parquet(path, compression="uncompressed")
    content = bytearray(path.read_bytes())
    place = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    header, _ = read_struct(content, place)
    assert header[5][1] == 60
    changed = content.index(bytes([120, 0x15]), place)  # 60 as a zigzag number, and the head of the field behind it
    content[changed] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet: not a readable .* page of column 'user' promises -61"):
        read_parquet(path)


@pytest.mark.parametrize("dictionary", [True, False])
def test_an_encoding_that_there_is_not_is_one_line(tmp_path: Path, dictionary: bool):
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE.select("user").to_arrow(), path, use_dictionary=dictionary)
    content, column = bytearray(path.read_bytes()), pq.ParquetFile(path).metadata.row_group(0).column(0)
    place = column.dictionary_page_offset or column.data_page_offset
    _, end = read_struct(content, place)
    encoding = content.index(b"\x15\x00", place + 2, end) + 1  # PLAIN, behind the head of the field
    content[encoding] = 2 * 12
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet: not a readable .* page of column 'user' has an unknown encoding"):
        read_parquet(path)


def test_a_dictionary_beyond_the_file_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE.select("user").to_arrow(), path)
    content, column = path.read_bytes(), pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert (column.data_page_offset, column.dictionary_page_offset) == (79, 4)
    place = content.index(b"\x26\x9e\x01\x26\x08")  # both as zigzag numbers, a head before each; here 4 and 8,191
    path.write_bytes(content[:place] + b"\x26\x08\x26\xfe\x7f" + content[place + 5 :])
    with pytest.raises(DataError, match=r"t\.parquet: not a readable .* column 'user' goes beyond"):
        read_parquet(path)
    assert capfd.readouterr().err == ""


def test_a_footer_that_contradicts_the_pages_is_one_line(tmp_path: Path):
    path = tmp_path / "t.parquet"
    TABLE.write_parquet(path)
    content = path.read_bytes()
    for end, reason in ((len(content), "longer than the file"), (3, "a header|its footer|its schema|row group")):
        path.write_bytes(content[:-8] + end.to_bytes(4, "little") + b"PAR1")
        with pytest.raises(DataError, match=f"t.parquet: not a readable Parquet file: .*({reason})"):
            read_parquet(path)


def test_any_damage_is_no_other_error(tmp_path: Path):
    path, buffer = tmp_path / "t.parquet", io.BytesIO()
    TABLE.write_parquet(buffer)
    said = []
    for seed in range(300):
        path.write_bytes(damaged(buffer.getvalue(), random.Random(seed)))
        try:
            check_pages(path)
        except DataError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not any("\n" in line for line in said)


def test_a_missing_file_is_named(tmp_path: Path):
    check_pages(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="no such file"):
        read_parquet(tmp_path / "t.parquet")

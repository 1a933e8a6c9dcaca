"""An import holds a few batches of its source at once, whatever the source is, and never reads it whole."""

import gc
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

from mmrecun.adapters.interactions import opened_data
from mmrecun.data.importers import arrow, batches, readers
from mmrecun.data.importers.batches import Table
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.importers.readers import Source
from mmrecun.errors import DataError

ROWS, BATCH = 3000, 100
TABLE = pl.DataFrame(
    {
        "user": [f"u{n // 10}" for n in range(ROWS)],
        "item": [f"i{n % 10}" for n in range(ROWS)],
        "at": np.arange(ROWS),
    }
)
NUMBERED = pl.DataFrame(
    {"userID": np.arange(ROWS) // 10, "itemID": np.arange(ROWS) % 10, "x_label": np.arange(ROWS) % 3}
)


def binary(folder: Path) -> Path:
    """Write the table as Parquet in small row groups, with users as bytes that are text."""
    TABLE.with_columns(pl.col("user").cast(pl.Binary)).write_parquet(folder / "e.parquet", row_group_size=BATCH)
    return folder / "e.parquet"


def text(folder: Path) -> Path:
    TABLE.write_csv(folder / "e.csv")
    return folder / "e.csv"


def lines(folder: Path) -> Path:
    TABLE.write_ndjson(folder / "e.jsonl")
    return folder / "e.jsonl"


def array(folder: Path) -> Path:
    """Write the table as one array, an entry over several lines."""
    (folder / "e.json").write_text(json.dumps(TABLE.to_dicts(), indent=1))
    return folder / "e.json"


def feather(folder: Path) -> Path:
    TABLE.write_ipc(folder / "e.feather", record_batch_size=BATCH)
    return folder / "e.feather"


def stream(path: Path, table: pl.DataFrame) -> Path:
    """Write an Arrow stream of many record batches, as Hugging Face's `datasets` does."""
    whole = table.to_arrow()
    with pa.ipc.new_stream(path, whole.schema) as writer:
        writer.write_table(whole, max_chunksize=BATCH)
    return path


def saved(folder: Path) -> Path:
    """Write the table as `save_to_disk` does, in two shards."""
    out = folder / "saved"
    out.mkdir()
    names = [stream(out / f"data-{n}.arrow", TABLE[n * ROWS // 2 : (n + 1) * ROWS // 2]).name for n in range(2)]
    (out / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return out


def mmrec(folder: Path) -> Path:
    out = folder / "mmrec"
    out.mkdir()
    NUMBERED.write_csv(out / "e.inter", separator="\t")
    return out


SOURCES: dict[str, Callable[[Path], Path]] = {
    "csv": text,
    "json lines": lines,
    "json array": array,
    "bytes in parquet": binary,
    "feather": feather,
    "arrow stream": lambda folder: stream(folder / "e.arrow", TABLE),
    "saved dataset": saved,
    "mmrec": mmrec,
}


def rows_alive() -> int:
    """Count the rows of all tables with items that are held anywhere."""
    frames = [held for held in gc.get_objects() if issubclass(type(held), pl.DataFrame)]
    return sum(frame.height for frame in frames if {"item", "itemID"} & set(frame.columns))


@pytest.fixture
def most_alive(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note at each batch that is read how many rows are held: the most, and how many batches there are."""
    seen, given, before = [0, 0], Table.batches, rows_alive()

    def counted(table: Table, wanted: Sequence[str]) -> Iterator[Source]:
        for batch in given(table, wanted):
            seen[:] = max(seen[0], rows_alive() - before), seen[1] + 1
            yield batch

    monkeypatch.setattr(Table, "batches", counted)
    monkeypatch.setattr(batches, "ROWS", BATCH)
    monkeypatch.setattr(arrow, "_AT_ONCE", 1)
    return seen


def refuse_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a reader of whole tables is called."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the source was read whole")

    for name in ("read_csv", "read_ndjson", "read_parquet", "read_ipc", "read_database"):
        monkeypatch.setattr(pl, name, refused)
    monkeypatch.setattr(readers, "read_delimited", refused)
    monkeypatch.setattr(pl.LazyFrame, "collect", refused)


@pytest.mark.parametrize("kind", SOURCES)
def test_few_batches_of_a_source_are_held_at_once(kind: str, tmp_path: Path, most_alive: list[int]):
    path = SOURCES[kind](tmp_path)
    assert len(read(path, ImportOptions()).dataset.interactions) == ROWS
    assert most_alive[1] >= ROWS / BATCH
    assert BATCH <= most_alive[0] <= 6 * BATCH


@pytest.mark.parametrize("kind", SOURCES)
def test_no_source_is_read_whole(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = SOURCES[kind](tmp_path)
    table = batches.open_table(next(path.glob("*.inter"))) if kind == "mmrec" else None
    if kind == "saved dataset":
        from mmrecun.data.importers.datasets_folder import open_datasets_folder

        table = open_datasets_folder(path)
    table = table or batches.open_table(path)
    refuse_whole(monkeypatch)
    assert sum(batch.table.height for batch in table.batches(table.columns)) == ROWS


def test_few_rows_of_a_query_are_held_at_once(tmp_path: Path, most_alive: list[int]):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE plays (user TEXT, item TEXT, at INTEGER)")
        connection.executemany("INSERT INTO plays VALUES (?, ?, ?)", TABLE.rows())
        connection.commit()
    options = ImportOptions(sql=f"sqlite:///{tmp_path}/shop.db", query="SELECT * FROM plays")
    assert len(read(None, options).dataset.interactions) == ROWS
    assert most_alive[1] >= ROWS / BATCH
    assert BATCH <= most_alive[0] <= 6 * BATCH


def test_the_header_of_a_model_s_data_is_told_without_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readers, "read_delimited", None)
    assert len(opened_data(text(tmp_path)).train) == ROWS


def test_a_file_whose_footer_points_beyond_it_is_refused_and_polars_not_asked(tmp_path: Path, capfd):
    whole = feather(tmp_path).read_bytes()
    start = len(whole) - 10 - int.from_bytes(whole[-10:-6], "little")
    bad = {"its end is cut off": whole[:-1], "a batch goes beyond its end": whole[: start // 2] + whole[start:]}
    for message, content in bad.items():
        (tmp_path / "e.feather").write_bytes(content)
        with pytest.raises(DataError, match=rf"e\.feather: not a readable Arrow file: .*{message}"):
            read(tmp_path / "e.feather", ImportOptions())
    assert "panicked" not in capfd.readouterr().err


def test_a_stream_of_messages_is_the_table_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = TABLE.with_columns(kind=pl.Series(["a", "b", None] * 1000, dtype=pl.Categorical), few=pl.lit([1, 2]))
    table.write_ipc(tmp_path / "e.feather", record_batch_size=BATCH, compression="zstd")
    table.write_ipc(tmp_path / "one.feather")
    pa.feather.write_feather(table.to_arrow(), tmp_path / "theirs.feather", chunksize=BATCH)
    paths = [stream(tmp_path / "e.arrow", table), *tmp_path.glob("*.feather")]
    for size, path in product((1, 5000, 1 << 23), paths):
        monkeypatch.setattr(arrow, "_AT_ONCE", size)
        assert readers.read_arrow(path).select(TABLE.columns).equals(TABLE)
        assert readers.read_arrow(path)["kind"].cast(pl.String).equals(table["kind"].cast(pl.String))
        assert readers.read_arrow(path)["few"].to_list() == table["few"].to_list()

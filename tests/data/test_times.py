"""Points in time, as files write them."""

from pathlib import Path

import polars as pl
import pytest

from mmrecun.data.importers import batches
from mmrecun.data.importers.columns import times
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.data.importers.readers import Source
from mmrecun.errors import DataError
from tests.data.test_foreign_tables import COUNT, PAIRS, imported, written
from tests.data.test_importers import EVENTS

TIMES = {
    "2023-05-01T12:00:00Z": 1682942400,
    "2023-05-01T14:00:00+02:00": 1682942400,
    "2023-05-01 12:00:00": 1682942400,
    "2023-05-01T12:00": 1682942400,
    "2023-05-01": 1682899200,
    "2023/05/01": 1682899200,
}


@pytest.mark.parametrize("text", TIMES)
def test_iso_times_are_seconds_in_utc(text: str, tmp_path: Path):
    path = written(tmp_path / "e.csv", [(u, i, text) for u, i in PAIRS], "user,item,at")
    found = imported(path, timestamp="at").dataset.interactions.attributes["timestamp"]
    assert (found.dtype, found.unique().to_list()) == (pl.Int64, [TIMES[text]])


def test_iso_times_of_several_forms_keep_their_fractions(tmp_path: Path):
    forms = [*TIMES, "2023-05-01T12:00:00.25Z"]
    path = written(
        tmp_path / "e.csv", [(u, i, forms[n % len(forms)]) for n, (u, i) in enumerate(PAIRS)], "user,item,at"
    )
    found = imported(path, timestamp="at").dataset.interactions.attributes["timestamp"]
    assert set(found) == {*TIMES.values(), 1682942400.25}
    with pytest.raises(DataError, match="line 2: at is 'soon', not a finite number"):
        imported(written(tmp_path / "e.csv", [("u0", "i0", "soon")], "user,item,at"), timestamp="at")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_parquet_are_seconds_too(unit: str, tmp_path: Path):
    at = pl.Series([1682942400] * COUNT).cast(pl.Int64) * 10**3
    table = {"user": [u for u, _ in PAIRS], "item": [i for _, i in PAIRS], "at": at.cast(pl.Datetime("ms"))}
    frame = pl.DataFrame(table).with_columns(pl.col("at").cast(pl.Datetime(unit, "Europe/Vienna")))
    for column in (frame["at"], frame["at"].dt.date()):
        frame.with_columns(at=column).write_parquet(tmp_path / "e.parquet")
        found = imported(tmp_path / "e.parquet", timestamp="at").dataset.interactions.attributes["timestamp"]
        assert found.unique().to_list() == [1682942400 if column.dtype != pl.Date else 1682899200]
    frame.with_columns(at=frame["at"].dt.time()).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(DataError, match="not points in time"):
        imported(tmp_path / "e.parquet", timestamp="at")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_parquet_with_fractions_are_seconds_too(unit: str, tmp_path: Path):
    at = pl.Series([1682942400_250] + [1682942401_000] * (COUNT - 1), dtype=pl.Int64).cast(pl.Datetime("ms"))
    table = {"user": [u for u, _ in PAIRS], "item": [i for _, i in PAIRS], "at": at.cast(pl.Datetime(unit, "UTC"))}
    pl.DataFrame(table).write_parquet(tmp_path / "e.parquet")
    found = imported(tmp_path / "e.parquet", timestamp="at").dataset.interactions.attributes["timestamp"]
    assert set(found) == {1682942400.25, 1682942401.0}


def test_times_of_all_batches_are_in_one_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "ROWS", 4)
    at = pl.Series([1682942400_000 + 1000 * n for n in range(COUNT - 1)] + [1682943400_500]).cast(pl.Datetime("ms"))
    table = {"user": [u for u, _ in PAIRS], "item": [i for _, i in PAIRS], "at": at}
    pl.DataFrame(table).write_parquet(tmp_path / "e.parquet")
    found = imported(tmp_path / "e.parquet", timestamp="at").dataset.interactions.attributes["timestamp"]
    assert (found.min(), found.max()) == (1682942400.0, 1682943400.5)


def test_decimal_times_keep_their_fractions():
    source = Source(Path("e"), pl.DataFrame({"at": pl.Series(["1.5", "2.0"]).cast(pl.Decimal(10, 2))}), None)
    assert times(source, "at").to_list() == [1.5, 2.0]


def test_python_objects_are_no_times():
    source = Source(Path("e"), pl.DataFrame({"at": pl.Series([object()], dtype=pl.Object)}), None)
    with pytest.raises(DataError, match="e: column 'at' holds Object"):
        times(source, "at")


def test_times_in_two_units_are_told(tmp_path: Path):
    rows = "".join(f"u{n // 4},i{n % 4},{1600000000 + n}{'000' if n % 2 else ''}\n" for n in range(24))
    (tmp_path / "e.csv").write_text(f"user,item,at\n{rows}")
    assert any(
        "look like seconds and others" in line
        for line in read(tmp_path / "e.csv", ImportOptions(timestamp="at")).warnings
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_times_are_kept_to_the_nanosecond(suffix: str, tmp_path: Path):
    first = 1_700_000_000_000_000_001
    table = pl.DataFrame({"user": ["u"] * 10, "item": [f"i{n}" for n in range(10)], "at": range(first, first + 10)})
    path = tmp_path / f"e.{suffix}"
    {"csv": table.write_csv, "parquet": table.write_parquet}[suffix](path)
    pairs = read(path, ImportOptions(timestamp="at", split="temporal")).dataset.interactions
    assert pairs.attributes["timestamp"].to_list() == list(range(first, first + 10))
    assert pairs.splits.tolist() == [0] * 8 + [1, 2]


def test_times_may_be_fractions(tmp_path: Path):
    times = pl.Series([float(n) for n in range(19)] + [18.5])
    pl.read_csv(EVENTS.encode()).with_columns(at=times).write_parquet(tmp_path / "e.parquet")
    found = read(tmp_path / "e.parquet", ImportOptions(timestamp="at")).dataset.interactions.attributes["timestamp"]
    assert (found.dtype, found.max()) == (pl.Float64, 18.5)

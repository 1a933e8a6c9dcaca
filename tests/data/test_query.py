"""Interactions from a database: SQLite by the standard library, others through SQLAlchemy."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mmrecun.data.importers import batches
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import ConfigError, DataError

ROWS = [(user, f"i{item}", 1_600_000_000 + item, 0.5 * item) for user in range(7) for item in range(5)]


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE plays (account INTEGER, video TEXT, at INTEGER, share REAL)")
        connection.executemany("INSERT INTO plays VALUES (?, ?, ?, ?)", ROWS)
        connection.commit()
    return f"sqlite:///{path}"


def options(url: str, query: str, **more: object) -> ImportOptions:
    return ImportOptions.of({"sql": url, "query": query, **more})


def test_a_query_is_read_as_the_same_rows_in_a_file_are(shop: str, tmp_path: Path):
    named = {"user": "account", "item": "video", "timestamp": "at", "weight": "share", "min_weight": 0.5}
    found = read(None, options(shop, "SELECT * FROM plays", **named))
    text = "".join(",".join(str(value) for value in row) + "\n" for row in ROWS)
    (tmp_path / "e.csv").write_text("account,video,at,share\n" + text)
    same = read(tmp_path / "e.csv", ImportOptions.of(named))
    assert found.dataset.digest == same.dataset.digest
    assert found.report.left_out == same.report.left_out == {"'share' below 0.5": 7}


BAD = {
    "table": ("SELECT * FROM buys", DataError, "the query failed: no such table: buys"),
    "writes": ("DELETE FROM plays", DataError, "the query: DELETE changes a database; give a SELECT"),
    "several": ("SELECT 1; SELECT 2", DataError, "the query failed"),
    "nothing": ("SELECT account AS user, video AS item FROM plays WHERE 0", DataError, "the query: holds no rows"),
    "columns": ("SELECT account FROM plays", DataError, "the query: unknown column 'user'"),
    "missing": ("SELECT NULL AS user, video AS item FROM plays", DataError, "the query, row 0: 'user' is missing"),
    "twice": (
        "SELECT account AS user, video AS item FROM plays, (SELECT 1 UNION SELECT 2)",
        DataError,
        "the same user and item as in row 0",
    ),
    "comment": ("--", DataError, "the query"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_queries(case: str, shop: str):
    query, kind, message = BAD[case]
    with pytest.raises(kind, match=message) as caught:
        read(None, options(shop, query))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "layout", "named"),
    [
        ({"columns": ("user", "item")}, "auto", "--columns"),
        ({"separator": "tab"}, "auto", "--separator"),
        ({}, "mmrec", "--format"),
        ({"columns": ("user", "item"), "separator": "tab"}, "uir", "--columns, --separator and --format"),
    ],
)
def test_options_of_files_are_refused(shop: str, more: dict, layout: str, named: str):
    with pytest.raises(ConfigError, match=f"^{named}: for files"):
        read(None, options(shop, "SELECT account AS user, video AS item FROM plays", **more), layout)


def test_rows_are_fetched_in_batches_and_types_may_change_between_them(shop: str, monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 4)
    path = shop.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE odd (user, item, at)")
        rows = [(n // 5, f"i{n % 5}" if n > 9 else n % 5, n + 0.5 if n == 7 else n) for n in range(20)]
        connection.executemany("INSERT INTO odd VALUES (?, ?, ?)", rows)
        connection.executemany("INSERT INTO odd VALUES (?, ?, 1)", [(7.5 if n else 7, "i0") for n in range(2)])
        connection.commit()
    found = read(None, options(shop, "SELECT * FROM odd LIMIT 20", timestamp="at")).dataset
    assert found.items.names.to_list() == ["0", "1", "2", "3", "4", "i0", "i1", "i2", "i3", "i4"]
    assert found.interactions.attributes["timestamp"].to_list() == [n + 0.5 if n == 7 else n for n in range(20)]
    with pytest.raises(DataError, match="column 'user' holds fractions, which are not ids"):
        read(None, options(shop, "SELECT * FROM odd"))
    mixed = "SELECT CASE WHEN at < 5 THEN 'u' ELSE user + 0.0 END AS user, item FROM odd"
    with pytest.raises(DataError, match="column 'user' holds fractions in some rows and text in others"):
        read(None, options(shop, mixed))


def test_no_query_changes_the_database(shop: str):
    for query in ("DELETE FROM plays", "DROP TABLE plays", "PRAGMA user_version = 7"):
        with pytest.raises(DataError):
            read(None, options(shop, query))
    with closing(sqlite3.connect(shop.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("SELECT count(*) FROM plays").fetchone() == (35,)
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


def test_a_file_that_is_not_there_or_no_database(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.db: no such file"):
        read(None, options(f"sqlite:///{tmp_path}/none.db", "SELECT 1"))
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(DataError, match=r"text\.db: the query failed: file is not a database"):
        read(None, options(f"sqlite:///{tmp_path}/text.db", "SELECT * FROM x"))


def test_a_damaged_name_of_a_column_is_no_traceback(shop: str):
    path = Path(shop.removeprefix("sqlite:///"))
    path.write_bytes(path.read_bytes().replace(b"video TEXT", b"\xf7ideo TEXT"))
    with pytest.raises(DataError, match=r"shop\.db: the query failed: "):
        read(None, options(shop, "SELECT * FROM plays"))


def test_other_databases_need_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigError, match=r"needs the library 'sqlalchemy'; pip install 'mmrecun\[sql\]'"):
        read(None, options("postgresql://me:secret@host/db", "SELECT 1"))


def test_sqlalchemy_reads_the_same_and_tells_no_password(shop: str):
    pytest.importorskip("sqlalchemy", reason="needs the extra 'sql'")
    query = "SELECT account AS user, video AS item FROM plays"
    url = shop.replace("sqlite:///", "sqlite+pysqlite:///")
    assert read(None, options(url, query)).dataset.digest == read(None, options(shop, query)).dataset.digest
    for bad in ("nonsense", "nosuchdialect://me:secret@host/db", "postgresql+psycopg://me:secret@host/db"):
        with pytest.raises((ConfigError, DataError)) as caught:
            read(None, options(bad, query))
        assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="the query failed: no such table: buys"):
        read(None, options(url, "SELECT * FROM buys"))

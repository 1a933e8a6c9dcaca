"""Interactions that a query of a database returns, fetched a batch of rows at a time."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from mmrecun.data.importers import batches
from mmrecun.data.importers.batches import Table
from mmrecun.data.importers.readers import Source
from mmrecun.errors import ConfigError, DataError
from mmrecun.extras import library
from mmrecun.text import reason_of

_SQLITE = re.compile(r"sqlite:///(.+)")
_WRITES = re.compile(
    r"\s*(ALTER|CREATE|DELETE|DROP|INSERT|MERGE|REPLACE|TRUNCATE|UPDATE|UPSERT|VACUUM)\b", re.IGNORECASE
)
_WHERE = Path("the query")

Rows = Iterator[pl.DataFrame]


def open_query(url: str, query: str) -> Table:
    """Run a query and return its rows as a table.

    A SQLite file is opened read-only, by the standard library; any other database through SQLAlchemy, without a
    commit. Errors never repeat the URL, which may hold a password.

    Args:
        url: as SQLAlchemy writes it, such as `sqlite:///shop.db` or `postgresql+psycopg://user@host/shop`.
        query: a SELECT.

    Raises:
        ConfigError: when SQLAlchemy or the driver is not installed, or the URL is none.
        DataError: when the database cannot be reached, or refuses the query.
    """
    if word := _WRITES.match(query):
        raise DataError(f"{_WHERE}: {word[1].upper()} changes a database; give a SELECT")
    file = _SQLITE.fullmatch(url)
    opened = _sqlite(Path(file[1])) if file else _sqlalchemy(url)

    def run() -> Rows:
        with opened() as execute:
            yield from _frames(execute(query))

    started = run()
    first = next(started, None)
    if first is None:
        raise DataError(f"{_WHERE}: holds no rows")
    return Table(_WHERE, tuple(first.columns), _Reader(first, started, run).read)


class _Reader:
    """Reads the rows: first those of the query that gave the columns, and again with a new query for further passes."""

    def __init__(self, first: pl.DataFrame, rest: Rows, again: Callable[[], Rows]) -> None:
        self._started: Rows | None = chain([first], rest)
        self._again = again

    def read(self, wanted: Sequence[str]) -> Iterator[Source]:
        """Yield the batches of the columns named."""
        frames, self._started = self._started or self._again(), None
        kinds: dict[str, pl.DataType] = {}
        rows = 0
        for frame in frames:
            table = frame.select(wanted)
            _refuse_mixed(table, kinds)
            yield Source(_WHERE, table, None, first=rows)
            rows += table.height


def _refuse_mixed(table: pl.DataFrame, kinds: dict[str, pl.DataType]) -> None:
    """Refuse fractions in one batch and text in another: as an id, 3.0 is 3 among numbers and 3.0 among texts."""
    for name, dtype in table.schema.items():
        before = kinds.setdefault(name, dtype) if dtype != pl.Null else dtype
        if {before.is_float(), dtype.is_float()} == {True, False} and pl.String in (before, dtype):
            raise DataError(f"{_WHERE}: column '{name}' holds fractions in some rows and text in others; use CAST")


def _frames(cursor: Any) -> Rows:
    """Yield the rows of a cursor, or of SQLAlchemy's result, as tables.

    Raises:
        DataError: when it has no rows to give, or they make no table.
    """
    described = cursor.keys() if hasattr(cursor, "keys") else [entry[0] for entry in cursor.description or ()]
    names = list(described)
    if not names:
        raise DataError(f"{_WHERE}: not a SELECT, so that there are no rows")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{_WHERE}: column '{repeated[0]}' occurs more than once; rename it with AS")
    while rows := cursor.fetchmany(batches.ROWS):
        try:
            frame = pl.from_records([tuple(row) for row in rows], names, orient="row", infer_schema_length=None)
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise DataError(f"{_WHERE}: its rows make no table: {reason_of(error)}") from None
        del rows
        yield frame


def _sqlite(path: Path) -> Callable[[], AbstractContextManager[Callable[[str], Any]]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")

    @contextmanager
    def opened() -> Iterator[Callable[[str], Any]]:
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as connection:
                yield connection.execute
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
            raise DataError(f"{path}: the query failed: {reason_of(error)}") from None

    return opened


def _sqlalchemy(url: str) -> Callable[[], AbstractContextManager[Callable[[str], Any]]]:
    sqlalchemy = library("sqlalchemy", "sql", "reading from a database other than SQLite")
    try:
        engine = sqlalchemy.create_engine(url)
    except ImportError as error:
        raise ConfigError(f"--sql: its driver '{error.name}' is not installed") from None
    except (sqlalchemy.exc.SQLAlchemyError, ValueError):
        raise ConfigError("--sql: not a database URL; write it as postgresql+psycopg://user@host/name") from None
    host = f"the database '{engine.url.database or engine.url.host or engine.dialect.name}'"

    @contextmanager
    def opened() -> Iterator[Callable[[str], Any]]:
        try:
            with closing(engine.connect().execution_options(stream_results=True)) as connection:
                yield lambda query: connection.execute(sqlalchemy.text(query))
        except sqlalchemy.exc.SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
            raise DataError(f"{host}: the query failed: {reason}") from None
        finally:
            engine.dispose()

    return opened

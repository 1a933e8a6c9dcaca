"""Interactions that a query of a database returns."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from mmrecun.data.importers.batches import Table, table_of
from mmrecun.data.importers.readers import Source
from mmrecun.errors import ConfigError, DataError
from mmrecun.extras import library
from mmrecun.text import reason_of

_SQLITE = re.compile(r"sqlite:///(.+)")


def open_query(url: str, query: str) -> Table:
    """Run a query and return its rows as a table.

    A SQLite file is opened read-only, by the standard library; any other database through SQLAlchemy, and nothing is
    ever committed. Errors never repeat the URL, which may hold a password.

    Args:
        url: as SQLAlchemy writes it, such as `sqlite:///shop.db` or `postgresql+psycopg://user@host/shop`.
        query: a SELECT.

    Raises:
        ConfigError: when SQLAlchemy or the driver is not installed, or the URL is none.
        DataError: when the database cannot be reached, or refuses the query.
    """
    file = _SQLITE.fullmatch(url)
    table = _sqlite(Path(file[1]), query) if file else _sqlalchemy(url, query)
    repeated = [name for name in table.columns if table.columns.count(name) > 1]
    if repeated:
        raise DataError(f"the query: column '{repeated[0]}' occurs more than once; rename it with AS")
    return table_of(Source(Path("the query"), table, None))


def _sqlite(path: Path, query: str) -> pl.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as connection:
            return _read(query, connection)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise DataError(f"{path}: the query failed: {reason_of(error)}") from None


def _sqlalchemy(url: str, query: str) -> pl.DataFrame:
    sqlalchemy = library("sqlalchemy", "sql", "reading from a database other than SQLite")
    try:
        engine = sqlalchemy.create_engine(url)
    except ImportError as error:
        raise ConfigError(f"--sql: its driver '{error.name}' is not installed") from None
    except (sqlalchemy.exc.SQLAlchemyError, ValueError):
        raise ConfigError("--sql: not a database URL; write it as postgresql+psycopg://user@host/name") from None
    host = f"the database '{engine.url.database or engine.url.host or engine.dialect.name}'"
    try:
        with closing(engine.connect()) as connection:
            return _read(sqlalchemy.text(query), connection)
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise DataError(f"{host}: the query failed: {reason}") from None
    finally:
        engine.dispose()


def _read(query: Any, connection: Any) -> pl.DataFrame:
    try:
        return pl.read_database(query, connection, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(f"the query: its rows make no table: {reason_of(error)}") from None

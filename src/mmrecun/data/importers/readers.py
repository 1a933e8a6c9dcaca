"""Tables as companies write them: CSV, TSV, JSON Lines and Parquet, with errors that name file and line."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from mmrecun.data.importers.arrow import arrow_batches
from mmrecun.data.importers.compressed import decompressing, open_bytes, open_text, plain
from mmrecun.data.importers.delimited import SEPARATORS, read_delimited, starts
from mmrecun.data.importers.file_kinds import FIRST_BYTES, other_kind
from mmrecun.data.importers.json_values import RepeatedNameError, as_json_lines, parsed, refuse_repeated, value_lines
from mmrecun.data.importers.undeclared import without_bytes
from mmrecun.data.parquet import read_parquet
from mmrecun.errors import DataError
from mmrecun.text import reason_of, unknown_name

_BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".item": "\t", ".user": "\t", ".txt": "\t"}
_JSON_LINES = (".jsonl", ".ndjson", ".json")
_ARROW = (".arrow", ".feather", ".ipc")
TYPED_SUFFIXES = (*_JSON_LINES, ".parquet", *_ARROW)
_LONGEST = 80  # name of a type in a message
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINES_OF_OBJECTS = re.compile(rb"\{.*\}\s*(\n|$)")
_CONSTANT = re.compile(r"(NaN|Infinity)\s*[,}\]]")
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


class Kind(Enum):
    """Layout of a text table."""

    DELIMITED = auto()
    JSON_LINES = auto()
    PARQUET = auto()
    ARROW = auto()


@dataclass(frozen=True)
class Source:
    """A table with what its errors need.

    Attributes:
        path: the file.
        table: its rows; every column of a text file is text.
        lines: yields the line on which each row begins; None for Parquet, which has no lines.
        warnings: warnings of reading it.
        first: number of its first row, where there are no lines and it is a part of a table.
    """

    path: Path
    table: pl.DataFrame
    lines: Callable[[], Iterator[int]] | None
    warnings: tuple[str, ...] = ()
    first: int = 0

    def at(self, row: int) -> str:
        """Return file and line (or row) of a row, for messages."""
        line = next(islice(self.lines(), row, None), None) if self.lines else None
        return f"{self.path}, row {self.first + row}" if line is None else f"{self.path}, line {line}"

    def column(self, name: str) -> pl.Series:
        """Return one column.

        Raises:
            DataError: listing the columns there are, or when its entries are lists or objects.
        """
        if name not in self.table.columns:
            raise DataError(f"{self.path}: {unknown_name('column', name, self.table.columns)}")
        if self.table[name].dtype.is_nested() or self.table[name].dtype == pl.Object:
            raise DataError(
                f"{self.path}: column '{name}' holds {shown(self.table[name].dtype)}; it needs one value a row"
            )
        return self.table[name]


def shown(dtype: pl.DataType) -> str:
    """Return the name of a type for messages; without its parts where these are many."""
    return text if len(text := str(dtype)) <= _LONGEST else f"{dtype.base_type()}"


def read_table(path: Path, separator: str | None = None, columns: Sequence[str] = ()) -> Source:
    """Read a table by its suffix; RecBole's typed headers (`user_id:token`) lose their types.

    Args:
        path: a .csv, .tsv, .inter, .item, .user, .txt, .jsonl, .ndjson or .parquet file; of any suffix where the
            separator is given.
        separator: separator of a text file, if not the one of its suffix.
        columns: names of the columns of a text file without a header.

    Raises:
        DataError: when it is missing, empty, of an unknown kind, ragged, or separated otherwise.
    """
    kind = kind_of(path, separator, columns)
    if kind is Kind.PARQUET:
        return _filled(Source(path, read_foreign_parquet(path), None))
    if kind is Kind.ARROW:
        return _filled(Source(path, without_bytes(read_arrow(path)), None))
    with decompressing(path):
        if kind is Kind.JSON_LINES:
            return _filled(Source(path, _whole_json(path), partial(json_starts, path)))
        separator = separator_for(path, separator)
        table, quoted, warnings = read_delimited(path, separator, columns)
        lines = partial(starts, path, separator, quoted, not columns)
        return _filled(Source(path, table, lines, tuple(warnings)))


def kind_of(path: Path, separator: str | None, columns: Sequence[str]) -> Kind:
    """Return how a table is written, by its suffix; arguments are those of `read_table`.

    Raises:
        DataError: when it is missing, of an unknown kind, or names are given for columns that have names.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffix = plain(path).suffix.lower()
    if suffix in TYPED_SUFFIXES and columns:
        raise DataError(f"{path}: names its columns itself; only text files may lack a header")
    if suffix in (".parquet", *_ARROW):
        if plain(path) != path:
            raise DataError(f"{path}: compressed as a whole; decompress it first")
        return Kind.PARQUET if suffix == ".parquet" else Kind.ARROW
    if suffix in _JSON_LINES:
        return Kind.JSON_LINES
    if suffix not in _BY_SUFFIX and separator is None:
        with path.open("rb") as file:
            what = other_kind(file.read(FIRST_BYTES))
        if what:
            raise DataError(f"{path}: not a table that can be read; it is {what}")
        known = ", ".join([*_BY_SUFFIX, *_JSON_LINES, ".parquet", *_ARROW])
        raise DataError(f"{path}: '{suffix}' is not a known kind of table; known: {known}; or give --separator")
    return Kind.DELIMITED


def separator_for(path: Path, separator: str | None) -> str:
    """Return the given separator, or that of the suffix."""
    return separator or _BY_SUFFIX[plain(path).suffix.lower()]


def _filled(source: Source) -> Source:
    if not source.table.height:
        raise DataError(f"{source.path}: holds no rows")
    return source


def read_foreign_parquet(path: Path) -> pl.DataFrame:
    """Read another tool's Parquet file: without pandas' own index, and with text for UUIDs and undeclared text.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    table = read_parquet(path)
    table = table.drop([column for column in table.columns if _PANDAS_INDEX.fullmatch(column)])
    return without_bytes(table)


def read_arrow(path: Path) -> pl.DataFrame:
    """Read an Arrow file, as a stream or with a footer; see `arrow`.

    Raises:
        DataError: naming the file and what is wrong with it.
    """
    return pl.concat(arrow_batches(path))


def _whole_json(path: Path) -> pl.DataFrame:
    try:
        return scan_json(path).collect()
    except pl.exceptions.PolarsError as error:
        raise DataError(not_json(path, error)) from None


def holds_json_array(path: Path) -> bool:
    """Say whether a file of JSON is one array, one object over many lines, or a text on each line."""
    with decompressing(path), open_bytes(path) as file:
        start = file.read(1 << 10).lstrip(_BYTE_ORDER_MARK + b" \t\r\n")
    lines = plain(path).suffix.lower() != ".json" or _LINES_OF_OBJECTS.match(start)
    return not lines or start[:1] in (b'"', b"[")


def scan_json(path: Path, schema: pl.Schema | None = None) -> pl.LazyFrame:
    """Scan JSON with types that fit every line or entry, however late they change; or only the fields of `schema`.

    Raises:
        DataError: naming the line of an object that holds a name twice.
    """
    if holds_json_array(path):
        with as_json_lines(path) as lines:  # polars reads from the open file
            return pl.scan_ndjson(lines, schema=schema, infer_schema_length=None)
    with open_bytes(path) as file:
        marked = file.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK
        content = file.read() if marked else b""
    if not marked and any(sign in str(path) for sign in "*?["):  # such a name would be taken for a pattern
        content = path.read_bytes()
    frame = pl.scan_ndjson(content or path, schema=schema, infer_schema_length=None)
    refuse_repeated(path, frame.collect_schema().names())
    return frame


def json_starts(path: Path) -> Iterator[int]:
    """Yield the line on which each object begins."""
    if holds_json_array(path):
        yield from value_lines(path)
        return
    with open_text(path, "replace", "\n") as file:
        yield from (number for number, line in enumerate(file, start=1) if line.strip())


def not_json(path: Path, error: Exception) -> str:
    """Return the fault in JSON that polars refused with `error`, with its line where that can be found."""
    if holds_json_array(path):
        return f"{path}: not readable as JSON: {reason_of(error)}"
    return _not_an_object(path) or f"{path}: not readable as JSON Lines: {reason_of(error)}"


def _not_an_object(path: Path) -> str:
    with decompressing(path), open_text(path, "replace") as file:
        number = 0
        for number, line in enumerate(file, start=1):
            try:
                fits = not line.strip() or isinstance(parsed(line), dict)
            except RepeatedNameError as repeated:
                return f"{path}, line {number}: {repeated}"
            except (ValueError, RecursionError):
                fits = False
            if not fits:
                hint = "; NaN and Infinity are not JSON; write null" if _CONSTANT.search(line) else ""
                return f"{path}, line {number}: not JSON Lines; each line must be one JSON object{hint}"
    return "" if number else f"{path}: the file is empty"


def separator_of(name: str | None) -> str | None:
    """Return the character for `tab`, `comma`, `semicolon`, `pipe`, `space`, or the character itself.

    Raises:
        DataError: when it is neither.
    """
    if name is None or len(name) == 1:
        return name
    if name and not any(sign.isalpha() for sign in name):
        raise DataError(f"separator '{name}': it must be one character; turn it into tabs, with sed 's/{name}/\\t/g'")
    if name not in SEPARATORS:
        raise DataError(unknown_name("separator", name, list(SEPARATORS)))
    return SEPARATORS[name]

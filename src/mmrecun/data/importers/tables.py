"""Tables as other tools write them: CSV, TSV, JSON Lines and Parquet, with errors that name file and line."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl

from mmrecun.data.files import read_parquet
from mmrecun.errors import DataError, some
from mmrecun.settings import unknown_name

_SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".item": "\t", ".user": "\t", ".txt": "\t"}
_JSON_LINES = (".jsonl", ".ndjson", ".json")
_FEWEST_REFUSED = 10_000_000  # row numbers from here on must be borne out by as many lines / 100


@dataclass(frozen=True)
class Source:
    """A table with what its errors need.

    Attributes:
        path: of the file.
        table: its rows; of text files every column is text.
        lines: yields the line on which each row begins; None for Parquet, which has no lines.
    """

    path: Path
    table: pl.DataFrame
    lines: Callable[[], Iterator[int]] | None

    def at(self, row: int) -> str:
        """File and line (or row) of a row, for messages."""
        line = next(islice(self.lines(), row, None), None) if self.lines else None
        return f"{self.path}, row {row}" if line is None else f"{self.path}, line {line}"

    def column(self, name: str) -> pl.Series:
        """One column.

        Raises:
            DataError: listing the columns there are, or when its entries are lists or objects.
        """
        if name not in self.table.columns:
            raise DataError(f"{self.path}: {unknown_name('column', name, self.table.columns)}")
        if self.table[name].dtype.is_nested():
            raise DataError(f"{self.path}: column '{name}' holds {self.table[name].dtype}; it needs one value a row")
        return self.table[name]


def read_table(path: Path, separator: str | None = None) -> Source:
    """Read a table by its suffix; RecBole's typed headers (`user_id:token`) lose their types.

    Args:
        path: a .csv, .tsv, .inter, .item, .user, .txt, .jsonl, .ndjson or .parquet file.
        separator: of a text file, when it is not the one its suffix stands for.

    Raises:
        DataError: when it is missing, empty, of an unknown kind, ragged, or separated otherwise.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _filled(Source(path, read_parquet(path), None))
    if suffix in _JSON_LINES:
        return _filled(Source(path, _json_lines(path), partial(_json_starts, path)))
    if suffix not in _BY_SUFFIX:
        known = ", ".join([*_BY_SUFFIX, *_JSON_LINES, ".parquet"])
        raise DataError(f"{path}: '{path.suffix}' is not a known kind of table; known: {known}")
    separator = separator or _BY_SUFFIX[suffix]
    return _filled(Source(path, _delimited(path, separator), partial(_starts, path, separator)))


def _filled(source: Source) -> Source:
    if not source.table.height:
        raise DataError(f"{source.path}: holds no rows")
    return source


def _delimited(path: Path, separator: str) -> pl.DataFrame:
    header = _first_line(path)
    if separator not in header:
        name, other = next(((n, mark) for n, mark in _SEPARATORS.items() if mark in header), ("", ""))
        if other:
            given = next((n for n, mark in _SEPARATORS.items() if mark == separator), repr(separator))
            raise DataError(
                f"{path}, line 1: one column only when split at {given}; "
                f"it looks {name} separated: give --separator {name}"
            )
    try:
        table = pl.read_csv(path, separator=separator, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        reason = _ragged(path, separator) or _stray_quote(path, separator)
        raise DataError(reason or f"{path}: not readable: {str(error).splitlines()[0]}") from None
    # a line that ends too soon is filled up with nulls, so only then the file is read again to find it
    if table.width and table.to_series(-1).null_count() and (short := _ragged(path, separator)):
        raise DataError(short)
    names = [column.partition(":")[0].strip() for column in table.columns]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(f"{path}, line 1: columns occur more than once: {some(repeated)}")
    table.columns = names
    return _without_blank_end(table)


def _without_blank_end(table: pl.DataFrame) -> pl.DataFrame:
    """Blank lines at the end are nobody's mistake; elsewhere they are rows without ids, and refused as such."""
    filled = table.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return table.head(int(filled[-1]) + 1 if len(filled) else 0)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not line.strip():
        raise DataError(f"{path}: the file is empty")
    return line


def _records(path: Path, separator: str) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line and fields of each record, header included; quoted fields may span lines.

    It ends early at a field too long for this reader.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file, suppress(csv.Error):
        reader, first = csv.reader(file, delimiter=separator), 1
        for fields in reader:
            yield first, reader.line_num, fields
            first = reader.line_num + 1


def _starts(path: Path, separator: str) -> Iterator[int]:
    return (first for first, _, _ in islice(_records(path, separator), 1, None))


def _ragged(path: Path, separator: str) -> str:
    wanted = 0
    for first, _, fields in _records(path, separator):
        wanted = wanted or len(fields)
        if any(fields) and len(fields) != wanted:
            return f"{path}, line {first}: {len(fields)} columns, but the header has {wanted}"
    return ""


def _stray_quote(path: Path, separator: str) -> str:
    alone = {first for first, last, _ in _records(path, separator) if first == last}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for number, line in enumerate(file, start=1):
            if number in alone and line.count('"') % 2:
                return (
                    f'{path}, line {number}: a single quotation mark; quote the field whole and double it: "5"" disk"'
                )
    return ""


def _json_lines(path: Path) -> pl.DataFrame:
    try:
        with path.open("rb") as file:  # a path would be taken for a pattern
            return pl.read_ndjson(file)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            _not_an_object(path) or f"{path}: not JSON Lines (one object a line): {str(error).splitlines()[0]}"
        ) from None


def _json_starts(path: Path) -> Iterator[int]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        yield from (number for number, line in enumerate(file, start=1) if line.strip())


def _not_an_object(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        number = 0
        for number, line in enumerate(file, start=1):
            try:
                fits = not line.strip() or isinstance(json.loads(line), dict)
            except (ValueError, RecursionError):
                fits = False
            if not fits:
                return f"{path}, line {number}: not JSON Lines; each line must be one JSON object"
    return "" if number else f"{path}: the file is empty"


def separator_of(name: str | None) -> str | None:
    """The character for `tab`, `comma`, `semicolon`, `pipe`, `space`, or the character itself.

    Raises:
        DataError: when it is neither.
    """
    if name is None or len(name) == 1:
        return name
    if name not in _SEPARATORS:
        raise DataError(unknown_name("separator", name, list(_SEPARATORS)))
    return _SEPARATORS[name]


def ids(source: Source, column: str) -> pl.Series:
    """A column of ids as text.

    Raises:
        DataError: naming the line of a missing id.
    """
    values = source.column(column).cast(pl.String)
    missing = (values.is_null() | (values.str.strip_chars() == "")).arg_true()
    if len(missing):
        raise DataError(f"{source.at(int(missing[0]))}: '{column}' is missing")
    return values


def row_numbers(source: Source, column: str) -> pl.Series:
    """A column of ids that are row numbers into feature files, as int64.

    Raises:
        DataError: naming the line of a negative, fractional or other value.
    """
    text = ids(source, column)
    numbers = text.str.strip_chars().cast(pl.Int64, strict=False)
    bad = numbers.is_null().arg_true()
    if len(bad):
        raise DataError(f"{source.at(int(bad[0]))}: {column} is '{text[int(bad[0])]}', not a whole number")
    most = int(numbers.to_numpy().max())
    if most >= max(_FEWEST_REFUSED, 100 * len(numbers)):
        at = source.at(int(numbers.arg_max() or 0))
        raise DataError(f"{at}: {column} is {most}, too large for a row number; read other ids with --format table")
    below = (numbers < 0).arg_true()
    if len(below):
        raise DataError(f"{source.at(int(below[0]))}: {column} is {numbers[int(below[0])]}; ids must not be negative")
    return numbers


def numeric(source: Source, column: str, dtype: type[pl.DataType]) -> pl.Series:
    """A column of finite numbers.

    Raises:
        DataError: naming the line of a value that is none.
    """
    text = source.column(column)
    values = text.cast(dtype, strict=False)
    bad = (values.is_null() | ~values.cast(pl.Float64).is_finite().fill_null(value=False)).arg_true()
    if len(bad):
        raise DataError(f"{source.at(int(bad[0]))}: {column} is {quoted(text[int(bad[0])])}, not a finite number")
    return values


def quoted(value: object) -> str:
    """A value in quotation marks, or that it is missing, for messages."""
    return "missing" if value is None else f"'{value}'"

"""Text tables: what separates their fields, what quotation marks mean there, and where a row begins."""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import polars as pl

from mmrecun.data.importers.compressed import decompressing, open_bytes, open_text
from mmrecun.data.importers.file_kinds import FIRST_BYTES, other_kind, wide_encoding
from mmrecun.errors import DataError
from mmrecun.text import counted, preview, reason_of

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_MARK = '"'
_ESCAPED = '\\"'  # a mark after a backslash
_EXCEL_NOTE = re.compile(r"sep=(.)", re.IGNORECASE)
_HOW = 'quote the field whole and double a mark within it: "5"" disk"'
_LOOKED_AT = 20  # lines, for a header below remarks
_SHOWN_SPAN = 2  # lines inside one field that look like rows


def read_delimited(path: Path, separator: str, columns: Sequence[str] = ()) -> tuple[pl.DataFrame, bool, list[str]]:
    """Read a table as text columns; say whether quotation marks enclose fields in it, and what looks wrong.

    In tab-separated files (RecBole, IMDb) a quotation mark is a plain character, unless the file encloses whole columns
    in marks, or only marks make its lines equally long.

    Args:
        path: the file.
        separator: one character.
        columns: names, where the file has no header.

    Raises:
        DataError: when it is ragged, separated otherwise, or holds a single quotation mark.
    """
    quoted = quotes(path, separator)
    try:
        table = pl.read_csv(
            path,
            separator=separator,
            infer_schema=False,
            glob=False,
            quote_char=_MARK if quoted else None,
            has_header=not columns,
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(unreadable(path, separator, quoted, error)) from None
    # a line that ends too soon is filled up with nulls, so only then the file is read again to find it
    if table.width and table.to_series(-1).null_count() and (short := ragged(path, separator, quoted)):
        raise DataError(short)
    table.columns = header_names(path, table.columns, separator, columns)
    warnings = swallowed(path, separator, table.height + (not columns)) if quoted else []
    return without_blank_end(table), quoted, warnings


def quotes(path: Path, separator: str) -> bool:
    """Say whether quotation marks enclose fields in a table.

    Raises:
        DataError: when the file cannot be read, is empty, or is separated otherwise.
    """
    _refuse_other_separator(path, separator, first_line(path))
    return separator != "\t" or _encloses(path, separator)


def unreadable(path: Path, separator: str, quoted: bool, error: Exception) -> str:
    """Return what is wrong with a table that polars refused with `error`: the line, where it can be told."""
    reason = ragged(path, separator, quoted) or (_stray_quote(path, separator) if quoted else "")
    return reason or f"{path}: not readable: {reason_of(error)}"


def header_names(path: Path, header: Sequence[str], separator: str, columns: Sequence[str]) -> list[str]:
    """Return the names of the columns: those given, or those of the header without RecBole's types.

    Raises:
        DataError: for another number of names, names that repeat, or a header that is a row of numbers.
    """
    if columns and len(columns) != len(header):
        raise DataError(
            f"{path}: {counted(len(header), 'column')}, but {counted(len(columns), 'name', 'is', 'are')} given: "
            + ", ".join(columns)
        )
    names = list(columns) or [column.partition(":")[0].strip() for column in header]
    cells = [] if columns else first_line(path).rstrip("\r\n").split(separator)
    if cells and all(is_number(cell) for cell in cells) and cells != [str(place) for place in range(len(cells))]:
        raise DataError(f"{path}, line 1: numbers, not a header; name the columns of such a file with --columns")
    given = names
    if len(cells) == len(names) and not any(map(is_number, cells)):  # the reader renames what occurs again
        given = [
            cell.strip().strip(_MARK).partition(":")[0].strip() or name for cell, name in zip(cells, names, strict=True)
        ]
    if repeated := [name for name in dict.fromkeys(given) if given.count(name) > 1]:
        quoted = preview(f"'{name}'" for name in repeated)
        raise DataError(f"{path}, line 1: several columns are called {quoted}; rename all but one")
    return names


def is_number(text: str) -> bool:
    """Say whether a text is a number, including infinity and NaN."""
    with suppress(ValueError):
        float(text)
        return True
    return False


def _refuse_other_separator(path: Path, separator: str, header: str) -> None:
    if note := _EXCEL_NOTE.fullmatch(header.strip()):
        raise DataError(
            f"{path}, line 1: '{note[0]}' is a note for Excel and not a header; remove the line, and give --separator "
            f"{next((name for name, mark in SEPARATORS.items() if mark == note[1]), note[1])}"
        )
    if separator in header:
        return
    with decompressing(path), open_text(path, "replace") as file:
        later = [line for line in islice(file, 1, _LOOKED_AT) if line.strip()]
    others = [name for name, mark in SEPARATORS.items() if mark in header]
    alike = [n for n in others if all(header.count(SEPARATORS[n]) == line.count(SEPARATORS[n]) for line in later)]
    if any(separator in line for line in later) and not alike:
        raise DataError(f"{path}, line 1: '{header.strip()[:80]}' is not a header; it must be the first line")
    if name := next(iter(alike or others), ""):
        given = next((n for n, mark in SEPARATORS.items() if mark == separator), repr(separator))
        raise DataError(
            f"{path}, line 1: one column only when split at {given}; it looks {name} separated: give --separator {name}"
        )


def _encloses(path: Path, separator: str) -> bool:
    """Say whether marks enclose fields: some column is always in them, or only then are all lines equally long."""
    if not _holds_mark(path):
        return False
    width, even = 0, True
    enclosed, plain = set[int](), set[int]()  # columns with a field in marks, and with one that is not
    with open_text(path, "replace", "") as file:
        for number, line in enumerate(file):
            cells = line.rstrip("\r\n").split(separator)
            if cells == [""]:
                continue
            width = width or len(cells)
            even = even and len(cells) == width
            for place, cell in enumerate(cells) if number else ():
                if cell:
                    (enclosed if len(cell) > 1 and cell[0] == cell[-1] == _MARK else plain).add(place)
            if not even and len(plain) >= width:
                break
    return bool(enclosed - plain) or (not even and not ragged(path, separator, quoted=True))


def _holds_mark(path: Path) -> bool:
    with open_bytes(path) as file:
        return any(_MARK.encode() in block for block in iter(lambda: file.read(1 << 20), b""))


def without_blank_end(table: pl.DataFrame) -> pl.DataFrame:
    """Drop blank lines at the end; elsewhere they are rows without ids, and refused as such."""
    filled = table.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return table.head(int(filled[-1]) + 1 if len(filled) else 0)


def first_line(path: Path) -> str:
    """Return the first line of a text file.

    Raises:
        DataError: when the file cannot be read, is not UTF-8 text, is empty, or begins with a blank line.
    """
    try:
        with decompressing(path), open_bytes(path) as content:
            _refuse_other_content(path, content.read(FIRST_BYTES))
        with decompressing(path), open_text(path, newline="") as file:
            line = file.readline()
            blank = not line.strip() and any(later.strip() for later in file)
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if blank:
        raise DataError(f"{path}, line 1: blank; the first line must be the header")
    if not line.strip():
        raise DataError(f"{path}: the file is empty")
    if line.endswith("\r"):
        raise DataError(f"{path}: its lines end with a carriage return alone; save it with ordinary line ends")
    return line


def _refuse_other_content(path: Path, start: bytes) -> None:
    if what := other_kind(start):
        raise DataError(f"{path}: not a table as text; it is {what}")
    if wide := wide_encoding(start):
        raise DataError(f"{path}: not UTF-8 text, but {wide}; save it as UTF-8")
    if b"\x00" in start[:8]:
        raise DataError(f"{path}: not a table as text; it holds other data than text; export the table as CSV")


def _records(path: Path, separator: str, quoted: bool = True) -> Iterator[tuple[int, int, list[str]]]:
    """Yield first line, last line and fields of each record, header included; quoted fields may span lines.

    It ends early at a field too long for this reader.
    """
    with open_text(path, "replace", "") as file, suppress(csv.Error):
        plainly = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_NONE)
        reader, first = csv.reader(file, delimiter=separator) if quoted else plainly, 1
        for fields in reader:
            yield first, reader.line_num, fields
            first = reader.line_num + 1


def starts(path: Path, separator: str, quoted: bool, header: bool) -> Iterator[int]:
    """Yield the line on which each row begins."""
    return (first for first, _, _ in islice(_records(path, separator, quoted), int(header), None))


def ragged(path: Path, separator: str, quoted: bool) -> str:
    """Return which line has another number of columns than the first; empty when none has."""
    wanted = 0
    for first, last, fields in _records(path, separator, quoted):
        wanted = wanted or len(fields)
        if any(fields) and len(fields) != wanted:
            reach = f"; a quotation mark there reaches to line {last}" if last > first else ""
            return f"{path}, line {first}: {counted(len(fields), 'column')}, but the header has {wanted}{reach}"
    return ""


def swallowed(path: Path, separator: str, rows: int) -> list[str]:
    """Return a warning where one quoted field holds several lines that would be rows by themselves.

    Raises:
        DataError: when marks are written so that the number of rows depends on who reads them.
    """
    if not _holds_mark(path):
        return []
    with open_bytes(path) as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    if lines <= rows:
        return []
    found: list[str] = []
    others, last = 0, 0
    for place, (first, last, fields, span) in enumerate(_spans(path, separator), start=1):
        others = place if any(fields) else others  # blank lines at the end are no rows
        if last > first and _looks_like_rows(span, separator, len(fields)):
            found.append(f"lines {first} to {last}")
    if others != rows and last >= lines:  # else the other reader ended early
        raise DataError(_stray_quote(path, separator) or f"{path}: single quotation marks; {_HOW}")
    if not found:
        return []
    return [
        f"a field in quotation marks spans {preview(found)} of {path}, among them lines that look like rows of their "
        f"own; {_HOW}"
    ]


def _spans(path: Path, separator: str) -> Iterator[tuple[int, int, list[str], list[str]]]:
    """Yield the records with their lines as they stand."""
    with open_text(path, "replace", "") as text:
        for first, last, fields in _records(path, separator):
            yield first, last, fields, list(islice(text, last - first + 1))


def _looks_like_rows(span: list[str], separator: str, width: int) -> bool:
    """Say whether the lines of one row look like rows of their own: most inside do, or all, or a mark is escaped.

    Programs that write a backslash before a mark (MySQL, Spark) do not mean the end of a field by it.
    """
    full = [line.count(separator) == width - 1 for line in span]
    return sum(full[1:-1]) >= _SHOWN_SPAN or all(full) or any(_ESCAPED in line for line in span)


def _stray_quote(path: Path, separator: str) -> str:
    """Return which line has a mark that neither begins nor ends a field; empty when none has."""
    first, text = 0, ""
    for first, last, fields, span in _spans(path, separator):
        text = "".join(span)
        odd = text.count(_MARK) % 2 if first == last else _looks_like_rows(span, separator, len(fields))
        if odd or _ESCAPED in text:
            return f"{path}, line {first}: a single quotation mark; {_HOW}"
    return f"{path}, line {first}: a quotation mark that is never closed; {_HOW}" if text.count(_MARK) % 2 else ""

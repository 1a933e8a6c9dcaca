"""Text tables: what separates their fields, what quotation marks mean there, and where a row begins."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import polars as pl

from mmrecun.errors import DataError
from mmrecun.text import preview

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_MARK = '"'
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
    _refuse_other_separator(path, separator, first_line(path))
    quoted = separator != "\t" or _encloses(path, separator)
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
        reason = _ragged(path, separator, quoted) or (_stray_quote(path, separator) if quoted else "")
        raise DataError(reason or f"{path}: not readable: {str(error).splitlines()[0]}") from None
    # a line that ends too soon is filled up with nulls, so only then the file is read again to find it
    if table.width and table.to_series(-1).null_count() and (short := _ragged(path, separator, quoted)):
        raise DataError(short)
    table = _named(path, table, separator, columns)
    warnings = _swallowed(path, separator, table.height + (not columns)) if quoted else []
    return _without_blank_end(table), quoted, warnings


def _named(path: Path, table: pl.DataFrame, separator: str, columns: Sequence[str]) -> pl.DataFrame:
    if columns and len(columns) != table.width:
        raise DataError(f"{path}: {table.width} columns, but {len(columns)} names are given: {', '.join(columns)}")
    names = list(columns) or [column.partition(":")[0].strip() for column in table.columns]
    header = [] if columns else first_line(path).rstrip("\r\n").split(separator)
    if header and all(_number(cell) for cell in header) and header != [str(place) for place in range(len(header))]:
        raise DataError(f"{path}, line 1: numbers, not a header; name the columns of such a file with --columns")
    given = names
    if len(header) == len(names):  # the reader renames what occurs again
        given = [
            cell.strip().strip(_MARK).partition(":")[0].strip() or name
            for cell, name in zip(header, names, strict=True)
        ]
    if repeated := [name for name in dict.fromkeys(given) if given.count(name) > 1]:
        raise DataError(f"{path}, line 1: columns occur more than once: {preview(repeated)}")
    table.columns = names
    return table


def _number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False


def _refuse_other_separator(path: Path, separator: str, header: str) -> None:
    if separator in header:
        return
    name, other = next(((n, mark) for n, mark in SEPARATORS.items() if mark in header), ("", ""))
    if other:
        given = next((n for n, mark in SEPARATORS.items() if mark == separator), repr(separator))
        raise DataError(
            f"{path}, line 1: one column only when split at {given}; it looks {name} separated: give --separator {name}"
        )


def _encloses(path: Path, separator: str) -> bool:
    """Whether marks enclose fields: some column stands in them throughout, or lines are equally long only so."""
    if not _holds_mark(path):
        return False
    width, even = 0, True
    enclosed, plain = set[int](), set[int]()  # columns with a field in marks, and with one that is not
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
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
    return bool(enclosed - plain) or (not even and not _ragged(path, separator, quoted=True))


def _holds_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return any(_MARK.encode() in block for block in iter(lambda: file.read(1 << 20), b""))


def _without_blank_end(table: pl.DataFrame) -> pl.DataFrame:
    """Blank lines at the end are nobody's mistake; elsewhere they are rows without ids, and refused as such."""
    filled = table.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return table.head(int(filled[-1]) + 1 if len(filled) else 0)


def first_line(path: Path) -> str:
    """Return the first line of a text file.

    Raises:
        DataError: when the file cannot be read, is not UTF-8, or is empty.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline()
    except UnicodeDecodeError:
        with path.open("rb") as file:
            wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        raise DataError(f"{path}: not UTF-8 text{', but UTF-16' if wide else ''}; save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not line.strip():
        raise DataError(f"{path}: the file is empty")
    return line


def _records(path: Path, separator: str, quoted: bool = True) -> Iterator[tuple[int, int, list[str]]]:
    """First line, last line and fields of each record, header included; quoted fields may span lines.

    It ends early at a field too long for this reader.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file, suppress(csv.Error):
        plainly = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_NONE)
        reader, first = csv.reader(file, delimiter=separator) if quoted else plainly, 1
        for fields in reader:
            yield first, reader.line_num, fields
            first = reader.line_num + 1


def starts(path: Path, separator: str, quoted: bool, header: bool) -> Iterator[int]:
    """Yield the line on which each row begins."""
    return (first for first, _, _ in islice(_records(path, separator, quoted), int(header), None))


def _ragged(path: Path, separator: str, quoted: bool) -> str:
    wanted = 0
    for first, _, fields in _records(path, separator, quoted):
        wanted = wanted or len(fields)
        if any(fields) and len(fields) != wanted:
            return f"{path}, line {first}: {len(fields)} columns, but the header has {wanted}"
    return ""


def _swallowed(path: Path, separator: str, rows: int) -> list[str]:
    """Return a warning where one quoted field holds several lines that would be rows by themselves."""
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    if lines <= rows:
        return []
    found: list[str] = []
    text = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    for first, last, fields in _records(path, separator):
        inside = [line for line in text[first : last - 1] if line.count(separator) == len(fields) - 1]
        if len(inside) >= _SHOWN_SPAN:
            found.append(f"lines {first} to {last}")
    if not found:
        return []
    return [
        f"a field in quotation marks spans {preview(found)} of {path}, among them lines that look like rows of their "
        "own; "
        "if a mark is part of a text there, double it and enclose the field"
    ]


def _stray_quote(path: Path, separator: str) -> str:
    alone = {first for first, last, _ in _records(path, separator) if first == last}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for number, line in enumerate(file, start=1):
            if number in alone and line.count(_MARK) % 2:
                return (
                    f'{path}, line {number}: a single quotation mark; quote the field whole and double it: "5"" disk"'
                )
    return ""

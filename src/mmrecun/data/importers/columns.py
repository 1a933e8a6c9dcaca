"""Columns of foreign tables: which holds the ids, and how ids, numbers, times and attributes are read."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from mmrecun.data.importers.delimited import is_number
from mmrecun.data.importers.readers import Source, shown
from mmrecun.data.lookalikes import stripped
from mmrecun.errors import DataError
from mmrecun.text import listing, preview, quoted

_INTEGERS_END = 2.0**63
_EXACT = 2**53  # whole numbers below have a float64 of their own
_WHOLE = r"^[+-]?\d+(\.0*)?$"
_EARLIEST, _LATEST = 100_000_000, 100_000_000_000  # 1973 and 5138 in seconds, 1973 in milliseconds
_MOST = 0.5  # share of numbers in a text column from which its other values are worth a warning
_KEYS = {
    "user": ("user", "userid", "uid", "username", "account", "accountid", "customer", "customerid"),
    "item": ("item", "itemid", "iid", "product", "productid", "movieid", "videoid", "trackid", "asin"),
}
_COMMAS = re.compile(r"[+-]?\d{1,3}([.,]\d+)+$")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCKS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d")


def header_name(cell: str, kind: str, further: str = "") -> bool:
    """Say whether a cell reads like the header of a column of ids.

    Args:
        cell: such as `user_id:token`.
        kind: "user" or "item".
        further: another accepted name.

    >>> header_name("userID", "user"), header_name("u42", "user"), header_name("Account No", "user", "account no")
    (True, False, True)
    """
    name = cell.partition(":")[0].strip().lower()
    plain = name.replace("_", "").replace("-", "").replace(" ", "")
    return plain.removesuffix("s") in ("id", *_KEYS[kind]) or (bool(further) and name == further.strip().lower())


def looks_like_row(header: Sequence[str]) -> bool:
    """Say whether a header holds a number or a date, and no name of a column of ids.

    >>> looks_like_row(["u1", "i7", "4.5"]), looks_like_row(["user_id", "i", "2019"]), looks_like_row(["a", "b"])
    (True, False, False)
    """
    cells = [cell.strip() for cell in header]
    named = any(header_name(cell, kind) for cell in cells for kind in ("user", "item"))
    return not named and any(is_number(cell) or _DATE.match(cell) for cell in cells)


def id_columns(names: Sequence[str], kind: str, further: str = "") -> list[str]:
    """Return the columns that may hold the ids of a table, likeliest first.

    Args:
        names: names of all columns.
        kind: "user" or "item".
        further: another name that such a column may have.

    >>> id_columns(["id", "when", "user_id"], "user")
    ['id', 'user_id']
    """
    exact = [name for name in ("id", further, kind) if name and name in names]
    return list(dict.fromkeys([*exact, *(name for name in names if header_name(name, kind, further))]))


def id_column(source: Source, kind: str, further: str = "", wanted: pl.Series | None = None, every: bool = True) -> str:
    """Return the column of ids in a table of users or items: one with a usual name, or called `further`.

    Args:
        source: the table.
        kind: "user" or "item".
        further: another name that the column may have.
        wanted: ids that must be among its entries, if known; they decide between several columns.
        every: whether all of these must be, or some.

    Raises:
        DataError: when there is no such column, or several fit.
    """
    names = id_columns(source.table.columns, kind, further)
    if not names:
        raise DataError(f"{source.path}: column 'id' is missing; there are: {', '.join(source.table.columns)}")
    if wanted is None or len(names) == 1:
        return names[0]
    entries = {name: stripped(as_ids(source.column(name), str(source.path))) for name in names}
    held = {name: wanted.is_in(entries[name].implode()) for name in names}
    fitting = [name for name in names if (held[name].all() if every else held[name].any())]
    if len(fitting) > 1 and not all(entries[name].equals(entries[fitting[0]]) for name in fitting):
        raise DataError(f"{source.path}: the {kind} ids may be those of {listing(fitting)}; leave all but one out")
    return (fitting or names)[0]


def ids(source: Source, column: str) -> tuple[pl.Series, list[str]]:
    """Return a column of ids as text, without blanks around them; and a warning where there were some.

    Raises:
        DataError: naming the line of a missing id, or when a column holds no ids.
    """
    values = as_ids(source.column(column), str(source.path))
    bare = stripped(values)
    missing = (bare.is_null() | (bare == "")).arg_true()
    if len(missing):
        raise DataError(f"{source.at(int(missing[0]))}: '{column}' is missing")
    padded = int((bare != values).sum())
    return bare, [blanks_removed(source.path, column, padded)] if padded else []


def blanks_removed(path: Path, column: str, entries: int) -> str:
    """Return the warning that blanks around `entries` ids of a column were removed."""
    which = "1 entry" if entries == 1 else f"{entries:,} entries"
    return f"{path}: {which} of '{column}' had blank spaces at an end, which were taken off"


def as_ids(values: pl.Series, where: str) -> pl.Series:
    """Return ids as text; whole numbers that were stored as fractions, such as 3.0, become 3, and NaN is none.

    Raises:
        DataError: for lists, objects and bytes, which are not ids.
    """
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object, pl.Duration):
        raise DataError(f"{where}: column '{values.name}' holds {shown(values.dtype)}, not ids")
    exact = 2**24 if values.dtype == pl.Float32 else _EXACT
    if values.dtype.is_float() and (values.is_finite() & (values.abs() >= exact)).any():
        raise DataError(
            f"{where}: column '{values.name}' holds {values.dtype} too large for its last digits to be kept; "
            "export the ids as text or whole numbers"
        )
    if values.dtype.is_decimal():  # Oracle and Spark write whole numbers so, as 3.000
        text = values.cast(pl.String)
        whole = text.str.contains(_WHOLE).fill_null(value=True).all()
        return text.str.replace(r"\.0*$", "") if whole else text
    if values.dtype.is_float():
        values = values.fill_nan(None)  # how programs without nulls write that there is none
        if ((values == values.floor()) & values.is_finite()).fill_null(value=True).all():
            values = values.cast(pl.Int64)
    return values.cast(pl.String)


def refuse_headless(path: Path, column: str, kind: str, names: pl.Series) -> None:
    """Refuse a text table whose header is one of its own ids: its first line is a row, and would be lost.

    A column that is called as such columns are may hold that word as an id: people call themselves `user`, too.

    Raises:
        DataError: naming the file.
    """
    if column in names and not header_name(column, kind):
        raise DataError(
            f"{path}, line 1: '{column}' is an id as well as the name of its column; "
            "if the file has no header, name its columns with --columns"
        )


def numeric(source: Source, column: str, dtype: type[pl.DataType]) -> pl.Series:
    """Return a column of finite numbers.

    Raises:
        DataError: naming the line of a value that is none.
    """
    return _finite(source, column, _bare(source.column(column)), dtype)


def _finite(source: Source, column: str, text: pl.Series, dtype: type[pl.DataType]) -> pl.Series:
    """Return as numbers what was read from a column; errors are those of `numeric`."""
    values = text.cast(dtype, strict=False)
    bad = (values.is_null() | ~values.cast(pl.Float64).is_finite().fill_null(value=False)).arg_true()
    if len(bad):
        value = text[int(bad[0])]
        hint = "; write a point before decimals, and nothing between thousands" if _COMMAS.match(str(value)) else ""
        raise DataError(f"{source.at(int(bad[0]))}: {column} is {quoted(value)}, not a finite number{hint}")
    return values


def _bare(values: pl.Series) -> pl.Series:
    return stripped(values) if values.dtype == pl.String else values


def times(source: Source, column: str) -> pl.Series:
    """Return numbers unchanged, and dates and ISO 8601 text as seconds since 1970 in UTC.

    Whole numbers are int64, to the last digit (float64 cannot hold nanoseconds), others float64. A time without a zone
    is taken as UTC.

    Raises:
        DataError: naming the line of a value that is not a time.
    """
    given = source.column(column)
    if given.dtype == pl.String:
        whole = given.cast(pl.Int64, strict=False)
        if not whole.null_count():  # no blanks to strip
            return whole
    given = _bare(given)
    if given.dtype.is_temporal():
        if given.dtype in (pl.Time, pl.Duration):
            raise DataError(f"{source.path}: column '{column}' holds {given.dtype}, not points in time")
        given = _seconds(given.cast(pl.Datetime("us")) if given.dtype == pl.Date else given)
    whole = given.cast(pl.Int64, strict=False)
    if not (given.dtype.is_float() or given.dtype.is_decimal() or whole.null_count()):
        return whole
    if given.dtype == pl.String and given.cast(pl.Float64, strict=False).null_count():
        read = _clock(given)
        if not read.null_count():
            return _whole(_seconds(read))
        bad = (read.is_null() & given.cast(pl.Float64, strict=False).is_null()).arg_true()
        if len(bad):
            at, value = source.at(int(bad[0])), quoted(given[int(bad[0])])
            raise DataError(f"{at}: {column} is {value}, not a finite number, nor a time such as 2020-01-31T13:00")
    return _whole(_finite(source, column, given, pl.Float64))


def mixed_units(values: pl.Series) -> bool:
    """Return whether some times look like seconds since 1970 and others like milliseconds or less.

    A second of today is a number of ten digits; a thousand times as much would be in the year 33,000.

    >>> mixed_units(pl.Series([1_600_000_000, 1_600_000_000_000])), mixed_units(pl.Series([5, 1_600_000_000]))
    (True, False)
    """
    seconds = (values > _EARLIEST) & (values < _LATEST)
    return bool(seconds.any() and (values >= 1000 * _EARLIEST).any())


def without_date(values: pl.Series) -> int:
    """Count times of zero or less where others look like seconds since 1970 or less: a usual mark of unknown times.

    >>> without_date(pl.Series([0, -1, 1_600_000_000])), without_date(pl.Series([0, 1, 2]))
    (2, 0)
    """
    return int((values <= 0).sum()) if (values > _EARLIEST).any() else 0


def _whole(values: pl.Series) -> pl.Series:
    if not values.dtype.is_float():
        return values.cast(pl.Int64)
    whole = bool(((values == values.floor()) & (values.abs() < _INTEGERS_END)).all())
    return values.cast(pl.Int64) if whole else values


def _seconds(values: pl.Series) -> pl.Series:
    micros = values.dt.epoch("us")
    return micros // 1_000_000 if (micros % 1_000_000 == 0).all() else micros / 1_000_000


def _clock(text: pl.Series) -> pl.Series:
    """Parse ISO times in UTC; null where a text is none."""
    plain = text.str.strip_chars().str.replace(r"^(\d{4}[-/]\d\d[-/]\d\d) ", "${1}T")
    found = plain.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC").dt.replace_time_zone(None)
    for form in _CLOCKS:
        if found.null_count():
            dash = form.replace(" ", "T")
            found = found.fill_null(plain.str.to_datetime(dash, strict=False, time_unit="us"))
    return found


def attributes(source: Source, table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Return text columns that hold only numbers as numbers, so that `year < 2010` works; and warnings.

    A leading zero is part of a code, such as 007, and stays; so do whole numbers too large for float64 to keep their
    last digits, which may be ids. A column of mostly numbers stays text, with a warning; one without a name is left
    out.
    """
    columns, warnings = [], []
    for column in table.get_columns():
        if not column.name:
            warnings.append(f"{source.path}: a column without a name was left out")
            continue
        typed = _typed(column)
        columns.append(typed)
        if column.dtype == typed.dtype == pl.String and (odd := _odd(column)):
            at = source.at(odd[0]).rpartition(", ")[2]
            warnings.append(f"{source.path}, {at}: '{column.name}' stays text because of {preview(odd[1], 3)}")
    return pl.DataFrame(columns), warnings


def _typed(column: pl.Series) -> pl.Series:
    if column.dtype != pl.String or column.str.contains(r"^[+-]?0\d").any():
        return column
    for dtype in (pl.Int64, pl.Float64):
        converted = column.cast(dtype, strict=False)
        if converted.null_count() == column.null_count() < len(column):
            return column if dtype is pl.Float64 and _loses_digits(column, converted) else converted
    return column


def _loses_digits(text: pl.Series, numbers: pl.Series) -> bool:
    """Say whether whole numbers among texts are too large for float64 to keep their last digits."""
    return bool((text.str.contains(_WHOLE) & (numbers.abs() >= _EXACT)).any())


def _odd(column: pl.Series) -> tuple[int, list[str]] | None:
    """Return the first row and the first values that are not numbers, in a column where most are."""
    given = column.is_not_null()
    bad = given & column.cast(pl.Float64, strict=False).is_null()
    if not bad.any() or column.str.contains(r"^[+-]?0\d").any() or int(bad.sum()) > (1 - _MOST) * int(given.sum()):
        return None
    return int(bad.arg_true()[0]), [f"'{value}'" for value in column.filter(bad).unique(maintain_order=True)]

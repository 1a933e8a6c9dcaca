"""Columns that hold more than one plain value a row: lists, objects, lists of objects, and texts such as `u1;u2`."""

from collections.abc import Callable, Collection

import polars as pl

LISTED = "[]"  # separator of texts such as `["u1", "u2"]`, as JSON and Python write lists
SEPARATORS = (LISTED, *";|, ")  # between the ids of one text, likeliest first
_LIST = r"^\s*\[.*\]\s*$"
_LOOKED_AT = 1000  # values that decide whether a column may be one of such texts

Matches = Callable[[pl.Expr], pl.Expr]


def plain(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table with text for enumerations, and lists for arrays of a fixed length.

    The type of an enumeration lists all of its values, even those that no row has.
    """
    types = {name: new for name, dtype in table.schema.items() if (new := _plain_type(dtype)) != dtype}
    return table.cast(types) if types else table  # type: ignore[arg-type]


def _plain_type(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.Enum):
        return pl.String()
    if isinstance(dtype, pl.List | pl.Array):
        return pl.List(_plain_type(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: _plain_type(field.dtype) for field in dtype.fields})  # type: ignore[arg-type]
    return dtype


def not_plain(dtype: pl.DataType) -> str:
    """Return the type within a type that cannot be written as text, "" where there is none.

    >>> not_plain(pl.Binary()), not_plain(pl.List(pl.Struct({"raw": pl.Binary()}))), not_plain(pl.List(pl.String()))
    ('Binary', 'Binary within List', '')
    """
    if dtype in (pl.Binary, pl.Object):
        return str(dtype)
    inner = [dtype.inner] if isinstance(dtype, pl.List | pl.Array) else []
    inner += [field.dtype for field in dtype.fields] if isinstance(dtype, pl.Struct) else []
    found = next((what for part in inner if (what := not_plain(part))), "")  # type: ignore[arg-type]
    return f"{found.partition(' ')[0]} within {dtype.base_type()}" if found else ""


def names_in(dtype: pl.DataType) -> list[str]:
    """Return the texts inside a type: names of fields, and values of enumerations."""
    if isinstance(dtype, pl.Enum):
        return dtype.categories.to_list()
    if isinstance(dtype, pl.List | pl.Array):
        return names_in(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return [name for field in dtype.fields for name in (field.name, *names_in(field.dtype))]  # type: ignore[arg-type]
    return []


def without_fields(column: pl.Series, names: Collection[str]) -> pl.Series:
    """Return a column of objects, or of lists of them, without the fields of these names."""
    left = _without_fields(pl.col(column.name), column.dtype, names)
    return column.to_frame().select(left.alias(column.name)).to_series()


def _without_fields(value: pl.Expr, dtype: pl.DataType, names: Collection[str]) -> pl.Expr:
    if isinstance(dtype, pl.List):
        return value.list.eval(_without_fields(pl.element(), dtype.inner, names))  # type: ignore[arg-type]
    if not isinstance(dtype, pl.Struct):
        return value
    kept = [
        _without_fields(value.struct.field(field.name), field.dtype, names).alias(field.name)  # type: ignore[arg-type]
        for field in dtype.fields
        if field.name not in names
    ]
    return pl.when(value.is_not_null()).then(pl.struct(kept) if kept else pl.lit(None, pl.String))


def is_nested(dtype: pl.DataType) -> bool:
    """Return whether values hold objects, or lists of lists."""
    return isinstance(dtype, pl.Struct) or (isinstance(dtype, pl.List) and dtype.inner.is_nested())


def leaves(column: pl.Series) -> list[pl.Series]:
    """Return a column of objects as columns of plain values or of lists of them; a row stays a row."""
    dtype = column.dtype
    if isinstance(dtype, pl.Struct):
        return [leaf for name in column.struct.fields for leaf in leaves(column.struct.field(name))]
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        fields = (column.list.eval(pl.element().struct.field(field.name)) for field in dtype.inner.fields)
        return [leaf for field in fields for leaf in leaves(field)]
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.List):
        return leaves(column.list.eval(pl.element().explode()))
    return [column]


def without_entries(column: pl.Series, hits: pl.Series, matches: Matches) -> pl.Series:
    """Return a column of objects without those that match: entries of lists are left out, single objects missing.

    Args:
        column: column of objects or lists.
        hits: bool [rows], where something matches.
        matches: makes a condition of a plain value.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        plain = [field.name for field in dtype.inner.fields if not field.dtype.is_nested()]
        bad = pl.any_horizontal(*(matches(pl.element().struct.field(name)) for name in plain)).fill_null(value=False)
        return column.list.eval(pl.element().filter(~bad)) if plain else column
    return (
        column.to_frame().select(pl.when(hits).then(None).otherwise(pl.col(column.name)).alias(column.name)).to_series()
    )


def separator_of(column: pl.Series, share: Callable[[pl.Series], float], least: float) -> str:
    """Return what separates the ids of a column of texts such as `u1;u2`; "" for any other column.

    Args:
        column: column of texts.
        share: returns the share of ids among some texts.
        least: smallest share of the different entries.
    """
    if column.dtype != pl.String:
        return ""
    sample = column.drop_nulls().head(_LOOKED_AT)
    for separator in SEPARATORS:
        used = (
            sample.str.contains(_LIST).any()
            if separator == LISTED
            else sample.str.contains(separator, literal=True).any()
        )
        if used and share(_entries(sample, separator)) >= least:
            return separator if share(_entries(column.drop_nulls(), separator)) >= least else ""
    return ""


def _entries(texts: pl.Series, separator: str) -> pl.Series:
    found = split(texts, separator).explode().unique()
    return found.filter(found != "")


def split(texts: pl.Series, separator: str) -> pl.Series:
    """Return texts as lists of the parts between separators, without blanks around them."""
    if separator == LISTED:
        texts, separator = texts.str.strip_chars().str.strip_prefix("[").str.strip_suffix("]"), ","
    return texts.str.split(separator).list.eval(pl.element().str.strip_chars())


def joined(lists: pl.Series, separator: str) -> pl.Series:
    """Return lists as texts again; empty ones are missing."""
    left = lists.list.join(", " if separator == LISTED else separator)
    left = left.set(left == "", None)
    return "[" + left + "]" if separator == LISTED else left

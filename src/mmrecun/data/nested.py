"""Columns that hold more than one plain value a row: lists, objects, lists of objects, and texts such as `u1;u2`."""

from collections.abc import Callable

import polars as pl

SEPARATORS = ";|, "  # between the ids of one text, likeliest first
_LOOKED_AT = 1000  # values that decide whether a column may be one of such texts

Matches = Callable[[pl.Expr], pl.Expr]


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
        column: of objects or lists.
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
        column: of texts.
        share: of some texts, how many are ids.
        least: smallest share of the different entries.
    """
    if column.dtype != pl.String:
        return ""
    sample = column.drop_nulls().head(_LOOKED_AT)
    for mark in SEPARATORS:
        if sample.str.contains(mark, literal=True).any() and share(_entries(sample, mark)) >= least:
            return mark if share(_entries(column.drop_nulls(), mark)) >= least else ""
    return ""


def _entries(texts: pl.Series, mark: str) -> pl.Series:
    found = split(texts, mark).explode().unique()
    return found.filter(found != "")


def split(texts: pl.Series, mark: str) -> pl.Series:
    """Return texts as lists of what stands between the marks, without blanks around it."""
    return texts.str.split(mark).list.eval(pl.element().str.strip_chars())


def joined(lists: pl.Series, mark: str) -> pl.Series:
    """Return lists as texts again; empty ones are missing."""
    left = lists.list.join(mark)
    return left.set(left == "", None)

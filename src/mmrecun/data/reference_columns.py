"""Columns of references: which attributes of users, items and interactions hold ids, and whose."""

import re

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.lookalikes import folded
from mmrecun.data.nested import is_nested, leaves, plain, separator_of, split

SHARE = 0.5  # share of a column's distinct values that must be ids for it to count as a column of references
_REFERRING_NAME = re.compile(  # names of columns whose numbers may be ids
    r"user|account|member|customer|upload|author|owner|creator|seller|artist|invit|refer|friend|follow|parent|related|"
    r"similar|item|product|(^|_)by($|_)",
    re.IGNORECASE,
)
_ITEM_NAME = re.compile(r"item|product|related|similar|parent", re.IGNORECASE)
_TABLES = ("users", "items", "interactions")
_WHOLE_NUMBER = r"^\d+(\.0+)?$"


def tables(dataset: Dataset) -> dict[str, pl.DataFrame]:
    """Return the attributes of users, items and interactions; enumerations as text, arrays as lists."""
    frames = dataset.user_attributes, dataset.item_attributes, dataset.interactions.attributes
    return {name: plain(frame) for name, frame in zip(_TABLES, frames, strict=True)}


def columns_of(dataset: Dataset) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return (table, column) of each attribute that holds ids -> whose ids."""
    return {
        (name, column.name): referred(column, dataset)
        for name, table in tables(dataset).items()
        for column in table.get_columns()
    }


def referred(column: pl.Series, known: Dataset) -> tuple[str, ...]:
    """Return whose ids a column holds: those of "users", of "items" or of neither.

    At least half of its distinct values must be ids. Numbers count as ids only if the column's name says so: an age or
    a year can equal some user's number by chance.
    """
    if is_nested(column.dtype):
        found = [kinds for leaf in leaves(column) if (kinds := referred(leaf.rename(leaf.name or column.name), known))]
        return found[0] if found else ()
    distinct = _distinct(column, known)
    if distinct is None or not len(distinct):
        return ()
    if distinct.str.contains(_WHOLE_NUMBER).all() and not _REFERRING_NAME.search(column.name):
        return ()
    found_shares = shares(distinct, known)
    kinds = tuple(name for name, share in found_shares.items() if share >= SHARE)
    if len(kinds) == 2 and found_shares["users"] != found_shares["items"]:
        return (max(kinds, key=lambda name: found_shares[name]),)
    if len(kinds) == 2:  # users and items have the same numbers as ids, so the column's name decides
        return ("items",) if _ITEM_NAME.search(column.name) else ("users",)
    return kinds


def separator_in(column: pl.Series, known: Dataset) -> str:
    """Return what separates the ids of each text; "" where a text is one id or none."""
    if column.dtype != pl.String or max(shares(column.drop_nulls(), known).values()) >= SHARE:
        return ""
    return separator_of(column, lambda texts: max(shares(texts, known).values()), SHARE)


def shares(texts: pl.Series, known: Dataset) -> dict[str, float]:
    """Return the share of distinct texts that are users, and that are items, in any of the forms of `id_form`."""
    distinct = texts.unique()
    ids = ("users", known.users), ("items", known.items)
    return {name: _share(distinct, of) if len(distinct) else 0.0 for name, of in ids}


def _share(distinct: pl.Series, of: IdMap) -> float:
    exact = float((of.find(distinct) >= 0).mean())
    return exact if exact >= SHARE else float(id_form(distinct).is_in(of.folded.implode()).mean())  # type: ignore[arg-type]


def id_form(texts: pl.Series) -> pl.Series:
    """Return a form in which an id and what a column writes for it are equal: that of `folded`, without quotes.

    >>> id_form(pl.Series(['"U3"', "7.0", "anna@x.org "])).to_list()
    ['u3', '7', 'anna@x.org']
    """
    return folded(texts.str.strip_chars(" \"'"))


def holds_text(column: pl.Series) -> bool:
    """Say whether values, or entries of lists, are texts."""
    dtype = column.dtype
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    return inner in (pl.String, pl.Categorical)


def entries(column: pl.Series) -> pl.Series | None:
    """Return the distinct values, or entries of lists, as text, or None for a column that cannot hold ids.

    Fractions may be ids where all are whole numbers and some are missing: so pandas keeps whole numbers.
    """
    values = column.explode() if isinstance(column.dtype, pl.List) else column
    if values.dtype.is_integer() or values.dtype in (pl.String, pl.Categorical) or _whole(values):
        return values.cast(pl.String).drop_nulls().unique()
    return None


def _whole(values: pl.Series) -> bool:
    if values.dtype.is_decimal():
        return bool((values == values.floor()).all())
    if not values.dtype.is_float():
        return False
    given = values.drop_nulls().drop_nans()
    return len(given) < len(values) and bool(((given == given.floor()) & given.is_finite()).all())


def _distinct(column: pl.Series, known: Dataset) -> pl.Series | None:
    """Return the distinct values, or entries, that may be ids; None for a column that cannot hold any."""
    if not holds_text(column) and not _REFERRING_NAME.search(column.name):
        return None
    separator = separator_in(column, known)
    found = entries(split(column, separator) if separator else column)
    return found if found is None or not column.dtype.is_float() else found.filter(found != "NaN")

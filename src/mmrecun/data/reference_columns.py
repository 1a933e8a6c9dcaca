"""Find attributes of users, items and interactions that hold ids, and the kinds of these ids."""

import re
from urllib.parse import unquote

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
ESCAPE = "%[0-9A-Fa-f]{2}"
_FEW_VALUES = 16  # lists of equal length with no more different numbers are vectors of features
_WHOLE_NUMBER = r"^\d+(\.0+)?$"


def tables(dataset: Dataset) -> dict[str, pl.DataFrame]:
    """Return the attributes of users, items and interactions; enumerations as text, arrays as lists."""
    frames = dataset.user_attributes, dataset.item_attributes, dataset.interactions.attributes
    return {name: plain(frame) for name, frame in zip(_TABLES, frames, strict=True)}


def find_reference_columns(dataset: Dataset) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return (table, column) of each attribute that holds ids -> kinds of these ids."""
    return {
        (name, column.name): referred(column, dataset)
        for name, table in tables(dataset).items()
        for column in table.get_columns()
    }


def referred(column: pl.Series, known: Dataset) -> tuple[str, ...]:
    """Return the kinds of ids in a column: "users", "items", both or none.

    At least half of its distinct values must be ids. Numbers count as ids only if the column's name suggests it: an age
    or a year can equal some user's number by chance.
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
    """Return a form in which an id and what a column writes for it are equal.

    It is that of `folded`, without quotes and without the escapes of URLs.

    >>> id_form(pl.Series(['"U3"', "7.0", "anna%40x.org "])).to_list()
    ['u3', '7', 'anna@x.org']
    """
    return folded(without_escapes(texts.str.strip_chars(" \"'")))


def without_escapes(texts: pl.Series) -> pl.Series:
    """Return texts with escapes of URLs, such as `%40`, replaced by their characters."""
    rows = texts.str.contains(ESCAPE).fill_null(value=False).arg_true()
    return texts.clone().scatter(rows, [unquote(text) for text in texts.gather(rows)]) if len(rows) else texts


def holds_text(column: pl.Series) -> bool:
    """Say whether values, or entries of lists, are texts."""
    dtype = column.dtype
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    return inner in (pl.String, pl.Categorical)


def entries(column: pl.Series) -> pl.Series | None:
    """Return the distinct values, or entries of lists, as text; None for a column that cannot hold ids.

    Fractions may be ids if they are whole numbers with missing ones among them, as pandas stores them, or if they are
    entries of lists that are no feature vectors.
    """
    lists = isinstance(column.dtype, pl.List)
    values = column.explode() if lists else column
    if values.dtype.is_integer() or values.dtype in (pl.String, pl.Categorical) or _whole(values, lists):
        if lists and values.dtype.is_float() and _is_vectors(column, values):
            return None
        given = values.drop_nans() if values.dtype.is_float() else values
        return given.cast(pl.String).drop_nulls().unique()
    return None


def _is_vectors(lists: pl.Series, values: pl.Series) -> bool:
    return lists.list.len().drop_nulls().n_unique() == 1 and values.n_unique() <= _FEW_VALUES


def _whole(values: pl.Series, complete: bool) -> bool:
    """Say whether fractions are whole numbers; those of a column that is `complete` need not be."""
    if values.dtype.is_decimal():
        return bool((values == values.floor()).all())
    if not values.dtype.is_float():
        return False
    given = values.drop_nulls().drop_nans()
    return (complete or len(given) < len(values)) and bool(((given == given.floor()) & given.is_finite()).all())


def _distinct(column: pl.Series, known: Dataset) -> pl.Series | None:
    """Return the distinct values, or entries, that may be ids; None for a column that cannot hold any."""
    if not holds_text(column) and not _REFERRING_NAME.search(column.name):
        return None
    separator = separator_in(column, known)
    return entries(split(column, separator) if separator else column)

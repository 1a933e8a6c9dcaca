"""References: ids of users and items in attributes of others, such as an uploader or an inviter."""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.nested import is_nested, joined, leaves, separator_of, split, without_entries

_SHARE = 0.5  # share of a column's distinct values that must be ids for it to count as a column of references
_SPEAKING = re.compile(
    r"user|account|member|customer|upload|author|owner|creator|seller|artist|invit|refer|friend|follow|parent|related|"
    r"similar|item|product|(^|_)by($|_)",
    re.IGNORECASE,
)
_OF_ITEMS = re.compile(r"item|product|related|similar|parent", re.IGNORECASE)
_LONG_ENOUGH = 4  # shortest id that is looked for inside longer texts
_TABLES = ("users", "items", "interactions")


class Gone(NamedTuple):
    """Removed ids: String series of users and of items."""

    users: pl.Series
    items: pl.Series


@dataclass(frozen=True)
class Mention:
    """Removed ids that one column of attributes still holds.

    Attributes:
        table, column: where.
        rows: how many rows hold one.
        refers: whether it is a column of ids, so that the value is meant as an id.
        plain: whether all of them are plain words, such as `comedy`, in a column of other things, so that they may not
            be meant as ids.
    """

    table: str
    column: str
    rows: int
    refers: bool
    plain: bool = False

    def __str__(self) -> str:
        """Describe the mention in words."""
        return f"{self.rows} in {self.table}.{self.column}"


def tables(dataset: Dataset) -> dict[str, pl.DataFrame]:
    """Return the attributes of users, items and interactions."""
    frames = dataset.user_attributes, dataset.item_attributes, dataset.interactions.attributes
    return dict(zip(_TABLES, frames, strict=True))


def mentions(dataset: Dataset, known: Dataset, gone: Gone) -> list[Mention]:
    """Find removed ids in the attributes of `dataset`, as whole values or as entries of lists.

    Args:
        dataset: the dataset that is searched.
        known: the dataset before the request, whose ids tell which columns are references.
        gone: the removed ids.
    """
    if not len(gone.users) + len(gone.items):
        return []
    found: list[Mention] = []
    for name, table in tables(dataset).items():
        for column in table.get_columns():
            kinds = known.references.get((name, column.name), ())
            told, plain = _told(column, kinds, known, gone)
            rows = int((plain | told).sum())
            found += [Mention(name, column.name, rows, bool(kinds), not kinds and not told.any())] if rows else []
    return found


def _told(column: pl.Series, kinds: tuple[str, ...], known: Dataset, gone: Gone) -> tuple[pl.Series, pl.Series]:
    """Return two masks, bool [rows]: where ids other than plain words are, and where any is a whole value or entry."""
    told = plain = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    for part in leaves(column) if is_nested(column.dtype) else [_listed(column, kinds, known)]:
        wanted = _wanted(part, kinds, known, gone)
        words, names = _by_sign(wanted)
        if len(wanted):
            told = told | _holds(part, names) | _inside(column if not is_nested(column.dtype) else part, names)
            plain = plain | _holds(part, words)
    return told, plain


def _listed(column: pl.Series, kinds: tuple[str, ...], known: Dataset) -> pl.Series:
    """Return a column of texts such as `u1;u2` as lists, and any other as it is."""
    mark = _mark(column, known) if kinds else ""
    return split(column, mark) if mark else column


def _mark(column: pl.Series, known: Dataset) -> str:
    """Return what separates the ids of each text; "" where a text is one id or none."""
    if column.dtype != pl.String or max(_shares(column.drop_nulls(), known).values()) >= _SHARE:
        return ""
    return separator_of(column, lambda texts: max(_shares(texts, known).values()), _SHARE)


def _shares(texts: pl.Series, known: Dataset) -> dict[str, float]:
    """Return the share of different texts that are users, and that are items."""
    different = texts.unique()
    ids = ("users", known.users), ("items", known.items)
    return {name: float((of.find(different) >= 0).mean()) if len(different) else 0.0 for name, of in ids}


def _by_sign(names: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Divide names into plain words and those with a digit or another sign."""
    words = names.str.contains(r"^\p{L}+$")
    return names.filter(words), names.filter(~words)


def _inside(column: pl.Series, names: pl.Series) -> pl.Series:
    """Say for each row whether a longer text holds one of the ids (not plain words) as a word: bool [rows]."""
    nowhere = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    names = names.filter((names.str.len_chars() >= _LONG_ENOUGH) & ~names.str.contains(r"^\d+$"))
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join("\n", ignore_nulls=True)
    if column.dtype != pl.String or not len(names):
        return nowhere
    near = column.str.extract_many(names.implode(), overlapping=True)
    places = (near.list.len() > 0).fill_null(value=False).arg_true()
    hits = [any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", column[row]) for name in near[row]) for row in places]
    return pl.Series(nowhere.scatter(places, hits)) if hits else nowhere


def cleared(dataset: Dataset, known: Dataset, gone: Gone) -> Dataset:
    """Return `dataset` without references to removed ids: such values become missing, such list entries are dropped."""
    meant = [mention for mention in mentions(dataset, known, gone) if mention.refers]
    if not meant:
        return dataset
    changed = tables(dataset)
    for mention in meant:
        column = changed[mention.table][mention.column]
        kinds = known.references[mention.table, mention.column]
        changed[mention.table] = changed[mention.table].with_columns(_left(column, kinds, known, gone))
    pairs = replace(dataset.interactions, attributes=changed["interactions"])
    return replace(dataset, user_attributes=changed["users"], item_attributes=changed["items"], interactions=pairs)


def _left(column: pl.Series, kinds: tuple[str, ...], known: Dataset, gone: Gone) -> pl.Series:
    """Return a column of references without those to what is gone."""
    if is_nested(column.dtype):
        told, plain = _told(column, kinds, known, gone)
        ids = (gone.users if "users" in kinds else gone.items).unique().implode()
        return without_entries(column, told | plain, lambda value: value.cast(pl.String).is_in(ids))
    mark = _mark(column, known)
    lists = split(column, mark) if mark else column
    left = _without(lists, _wanted(lists, kinds, known, gone))
    return joined(left, mark) if mark else left


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
    different = _different(column, known)
    if different is None or not len(different):
        return ()
    if different.str.contains(r"^\d+$").all() and not _SPEAKING.search(column.name):
        return ()
    shares = _shares(different, known)
    kinds = tuple(name for name, share in shares.items() if share >= _SHARE)
    if len(kinds) == 2 and shares["users"] != shares["items"]:
        return (max(kinds, key=lambda name: shares[name]),)
    if len(kinds) == 2:  # users and items have the same numbers as ids, so the column's name decides
        return ("items",) if _OF_ITEMS.search(column.name) else ("users",)
    return kinds


def _different(column: pl.Series, known: Dataset) -> pl.Series | None:
    """Return the different values, or entries, that may be ids; None for a column that cannot hold any."""
    if not _texts(column) and not _SPEAKING.search(column.name):
        return None
    mark = _mark(column, known)
    values = _values(split(column, mark) if mark else column)
    return None if values is None else values.drop_nulls().unique()


def _wanted(column: pl.Series, kinds: tuple[str, ...], known: Dataset, gone: Gone) -> pl.Series:
    """Return the ids to look for in a column.

    These are the ids of the kinds it refers to, or else all ids that are not numbers.
    """
    if kinds:
        return gone.users.unique() if "users" in kinds else gone.items.unique()
    if not _texts(column):
        return pl.Series(dtype=pl.String)
    every = pl.concat([gone.users, gone.items]).unique()
    left = pl.concat([ids.filter(ids.is_in(every.implode())) for ids in (known.users.names, known.items.names)])
    twice = left.filter(left.is_duplicated())  # an id of both a user and an item may mean the one that stays
    return every.filter(~every.str.contains(r"^\d+$") & ~every.is_in(twice.implode()))


def _texts(column: pl.Series) -> bool:
    dtype = column.dtype
    inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
    return inner in (pl.String, pl.Categorical, pl.Enum)


def _values(column: pl.Series) -> pl.Series | None:
    """Return the values, or entries of lists, as text, or None for a column that cannot hold ids."""
    values = column.explode() if isinstance(column.dtype, pl.List) else column
    if values.dtype.is_integer() or values.dtype in (pl.String, pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    return None


def _holds(column: pl.Series, wanted: pl.Series) -> pl.Series:
    """Say for each row whether it holds one: bool [rows]."""
    values = column.to_frame("value")
    if isinstance(column.dtype, pl.List):
        hits = pl.col("value").list.eval(pl.element().cast(pl.String).is_in(wanted.implode())).list.any()
    else:
        hits = pl.col("value").cast(pl.String).is_in(wanted.implode())
    return values.select(hits.fill_null(value=False)).to_series()


def _without(column: pl.Series, wanted: pl.Series) -> pl.Series:
    frame = column.to_frame()
    if isinstance(column.dtype, pl.List):
        stays = pl.element().filter(~pl.element().cast(pl.String).is_in(wanted.implode()))
        return frame.select(pl.col(column.name).list.eval(stays)).to_series()
    hits = pl.col(column.name).cast(pl.String).is_in(wanted.implode()).fill_null(value=False)
    return frame.select(pl.when(hits).then(None).otherwise(pl.col(column.name)).alias(column.name)).to_series()


def retained_mentions(original: Dataset, user_rows: Ints, item_rows: Ints) -> list[Mention]:
    """Find retained rows of `original` that mention users or items outside of `user_rows` and `item_rows`."""
    names = (original.users.names, user_rows), (original.items.names, item_rows)
    gone = Gone(
        *(ids.filter(~pl.int_range(len(ids), eager=True).is_in(pl.Series(rows).implode())) for ids, rows in names)
    )
    if not mentions(original, original, gone):
        return []
    kept = replace(original, modalities={}).restrict(user_rows, item_rows)
    return mentions(kept, original, gone)

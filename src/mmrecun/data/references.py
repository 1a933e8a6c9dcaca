"""References: ids of users and items in attributes of others, such as an uploader or an inviter."""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.nested import is_nested, joined, leaves, names_in, split, without_entries, without_fields
from mmrecun.data.reference_columns import (
    ESCAPE,
    SHARE,
    entries,
    holds_text,
    mark_of,
    same,
    shares,
    tables,
    without_escapes,
)

_USER = "user|account|member|customer|client|uid"
_ITEM = "item|product|article|sku|asin|movie|track|video"
_BEFORE_NUMBER = r"""(?:s/|[\s_-]*(?:id|no|nr|number)?[.:=#/\s"'-]{1,4})"""
_LONG_ENOUGH = 4  # shortest id that is looked for inside longer texts


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
        plain: whether all of them may not be meant as ids: plain words, such as `comedy`, in a column of other things,
            and numbers behind words, as in `user 12`.
    """

    table: str
    column: str
    rows: int
    refers: bool
    plain: bool = False

    def __str__(self) -> str:
        """Describe the mention in words."""
        return f"{self.rows} in {self.table}.{self.column}"


def mentions(dataset: Dataset, known: Dataset, gone: Gone) -> list[Mention]:
    """Find removed ids in the attributes of `dataset`: as whole values, as entries of lists, or as names of fields.

    An id is found in whatever form `lookalikes.folded` makes equal, unless that could be an id that stays.

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
            fields, refers = _fields(column, known, gone)
            filled = len(column) - column.null_count()
            found += [Mention(name, column.name, max(filled, 1), refers)] if len(fields) else []
    return found


def _told(column: pl.Series, kinds: tuple[str, ...], known: Dataset, gone: Gone) -> tuple[pl.Series, pl.Series]:
    """Return two masks, bool [rows]: where ids other than plain words are, and where any is a whole value or entry."""
    told = plain = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    for part in leaves(column) if is_nested(column.dtype) else [_listed(column, kinds, known)]:
        wanted = _wanted(part, kinds, known, gone)
        words, names = _by_sign(_written(part, wanted, known, gone))
        if len(wanted):
            within = column if not is_nested(column.dtype) else part
            told = told | _holds(part, names) | _inside(within, _by_sign(wanted)[1])
            plain = plain | _holds(part, words)
        if not kinds:
            plain = plain | _numbered(column if not is_nested(column.dtype) else part, gone)
    return told, plain


def _listed(column: pl.Series, kinds: tuple[str, ...], known: Dataset) -> pl.Series:
    """Return a column of texts such as `u1;u2` as lists, and any other as it is."""
    mark = mark_of(column, known) if kinds else ""
    return split(column, mark) if mark else column


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
    plain = without_escapes(column)
    if plain is not column:
        return _inside_texts(column, names) | _inside_texts(plain, names)
    return _inside_texts(column, names)


def _inside_texts(column: pl.Series, names: pl.Series) -> pl.Series:
    nowhere = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    near = column.str.extract_many(names.implode(), overlapping=True, ascii_case_insensitive=True)
    places = (near.list.len() > 0).fill_null(value=False).arg_true()
    hits = [any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", column[row]) for name in near[row]) for row in places]
    return pl.Series(nowhere.scatter(places, hits)) if hits else nowhere


def _numbered(column: pl.Series, gone: Gone) -> pl.Series:
    """Say for each row whether a text has a removed number behind a word for whom it may name, as in `user 12`.

    Such a number may be one by chance, so it is told and no more: bool [rows].
    """
    hits = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    if not holds_text(column):
        return hits
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join("\n", ignore_nulls=True)
    for ids, word in ((gone.users, _USER), (gone.items, _ITEM)):
        numbers = ids.filter(ids.str.contains(r"^\d+$")).implode()
        if not len(numbers[0]):
            continue
        found = column.cast(pl.String).str.extract_all(f"(?i)\\b(?:{word}){_BEFORE_NUMBER}\\d+")
        number = pl.element().str.extract(r"(\d+)$")
        meant = number.is_in(numbers) | number.str.replace(r"^0+(\d)", "$1").is_in(numbers)
        hits = hits | found.to_frame("found").select(pl.col("found").list.eval(meant).list.any()).to_series().fill_null(
            value=False
        )
    return hits


def cleared(dataset: Dataset, known: Dataset, gone: Gone) -> Dataset:
    """Return `dataset` without references to removed ids: such values become missing, such list entries are dropped."""
    meant = [mention for mention in mentions(dataset, known, gone) if mention.refers]
    if not meant:
        return dataset
    changed = tables(dataset)
    for mention in meant:
        column = changed[mention.table][mention.column]
        kinds = known.references.get((mention.table, mention.column), ())
        column = _left(column, kinds, known, gone) if kinds else column
        fields, refers = _fields(column, known, gone)
        column = without_fields(column, fields.to_list()) if refers and len(fields) else column
        changed[mention.table] = changed[mention.table].with_columns(column)
    pairs = replace(dataset.interactions, attributes=changed["interactions"])
    return replace(dataset, user_attributes=changed["users"], item_attributes=changed["items"], interactions=pairs)


def _left(column: pl.Series, kinds: tuple[str, ...], known: Dataset, gone: Gone) -> pl.Series:
    """Return a column of references without those to what is gone."""
    if is_nested(column.dtype):
        told, plain = _told(column, kinds, known, gone)
        parts = [_written(part, _wanted(part, kinds, known, gone), known, gone) for part in leaves(column)]
        texts = pl.concat(parts).unique().implode()
        return without_entries(column, told | plain, lambda value: value.cast(pl.String).is_in(texts))
    mark = mark_of(column, known)
    lists = split(column, mark) if mark else column
    written = _written(lists, _wanted(lists, kinds, known, gone), known, gone)
    left = _without(lists, written)
    return joined(left, mark).alias(column.name).zip_with(_holds(lists, written), column) if mark else left


def _fields(column: pl.Series, known: Dataset, gone: Gone) -> tuple[pl.Series, bool]:
    """Return the fields of objects that are called like removed ids, and whether the objects are keyed by ids.

    Where only some fields are called like ids, plain words and numbers do not count.
    """
    names = pl.Series(names_in(column.dtype), dtype=pl.String).unique()
    share = max(shares(names, known).values())
    found = names.filter(names.is_in(pl.concat([gone.users, gone.items]).implode()))
    if share < 1:
        found = _by_sign(found)[1]
        found = found.filter(~found.str.contains(r"^\d+$"))
    return found, share >= SHARE


def _written(column: pl.Series, ids: pl.Series, known: Dataset, gone: Gone) -> pl.Series:
    """Return the values, or entries of lists, that mean one of the ids: String, as the column writes them."""
    texts = entries(column) if len(ids) else None
    if texts is None:
        return ids
    exact = texts.is_in(ids.implode())
    escaped = texts.str.contains(ESCAPE).any()  # else the forms that the ids keep will do
    kept = [
        (same(of.names) if escaped else of.folded).filter(~of.names.is_in(lost.implode()))
        for of, lost in ((known.users, gone.users), (known.items, gone.items))
    ]
    forms = same(ids)
    forms = forms.filter(~forms.is_in(pl.concat(kept).implode()))
    return texts.filter(exact | same(texts).is_in(forms.implode()))


def _wanted(column: pl.Series, kinds: tuple[str, ...], known: Dataset, gone: Gone) -> pl.Series:
    """Return the ids to look for in a column.

    These are the ids of the kinds it refers to, or else all ids that are not numbers.
    """
    if kinds:
        return gone.users.unique() if "users" in kinds else gone.items.unique()
    if not holds_text(column):
        return pl.Series(dtype=pl.String)
    every = pl.concat([gone.users, gone.items]).unique()
    left = pl.concat([ids.filter(ids.is_in(every.implode())) for ids in (known.users.names, known.items.names)])
    twice = left.filter(left.is_duplicated())  # an id of both a user and an item may mean the one that stays
    return every.filter(~every.str.contains(r"^\d+$") & ~every.is_in(twice.implode()))


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

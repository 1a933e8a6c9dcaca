"""References: ids of users and items in attributes of others, such as an uploader or an inviter."""

import re
from dataclasses import dataclass, replace
from typing import Self

import polars as pl

from mmrecun.arrays import Bools, Ints
from mmrecun.data.dataset import Dataset
from mmrecun.data.nested import is_nested, joined, leaves, names_in, split, without_entries, without_fields
from mmrecun.data.reference_columns import (
    ESCAPE,
    SHARE,
    entries,
    holds_text,
    id_form,
    separator_in,
    shares,
    tables,
    without_escapes,
)

_USER = "user|account|member|customer|client|uid"
_ITEM = "item|product|article|sku|asin|movie|track|video"
_BEFORE_NUMBER = r"""(?:s/|[\s_-]*(?:id|no|nr|number)?[.:=#/\s"'-]{1,4})"""
_SHORTEST_IN_TEXT = 4  # shortest id that is looked for inside longer texts


@dataclass(frozen=True)
class RemovedIds:
    """Ids that a request removes from a dataset.

    Attributes:
        known: the dataset before the request, in which columns of references are found.
        users, items: String series of the removed ids.
    """

    known: Dataset
    users: pl.Series
    items: pl.Series

    @classmethod
    def of_masks(cls, known: Dataset, users: Bools, items: Bools) -> Self:
        """Return the ids of the users, bool [U], and items, bool [I], that are removed from `known`."""
        return cls(
            known,
            known.users.names.filter(pl.Series(users)),
            known.items.names.filter(pl.Series(items)),
        )

    def all(self) -> pl.Series:
        """Return the ids of users, then of items."""
        return pl.concat([self.users, self.items])


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


def mentions(dataset: Dataset, removed: RemovedIds) -> list[Mention]:
    """Find removed ids in the attributes of `dataset`: as whole values, as entries of lists, or as names of fields.

    All forms of an id that `lookalikes.folded` makes equal are found, unless a retained id has the same form.

    Args:
        dataset: the dataset that is searched.
        removed: the ids to find.
    """
    if not len(removed.all()):
        return []
    found: list[Mention] = []
    for name, table in tables(dataset).items():
        for column in table.get_columns():
            kinds = removed.known.references.get((name, column.name), ())
            ids, words = _mention_masks(column, kinds, removed)
            rows = int((ids | words).sum())
            found += [Mention(name, column.name, rows, bool(kinds), not kinds and not ids.any())] if rows else []
            fields, refers = _fields_named_like_ids(column, removed)
            filled = len(column) - column.null_count()
            found += [Mention(name, column.name, max(filled, 1), refers)] if len(fields) else []
    return found


def _mention_masks(column: pl.Series, kinds: tuple[str, ...], removed: RemovedIds) -> tuple[pl.Series, pl.Series]:
    """Return where a column mentions removed ids: bool [rows] of ids with a digit or sign, and of those that are words.

    Words count as whole values or entries only, other ids also inside longer texts. Numbers behind a noun, as in
    `user 12`, count as words.
    """
    ids = words = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    nested = is_nested(column.dtype)
    for part in leaves(column) if nested else [_as_lists(column, kinds, removed.known)]:
        wanted = _ids_to_find(part, kinds, removed)
        if len(wanted):
            plain, others = _split_plain_words(_spellings(part, wanted, removed))
            ids = ids | _holds_any(part, others)
            ids = ids | _in_longer_text(part if nested else column, _split_plain_words(wanted)[1])
            words = words | _holds_any(part, plain)
        if not kinds:
            words = words | _number_after_noun(part if nested else column, removed)
    return ids, words


def _as_lists(column: pl.Series, kinds: tuple[str, ...], known: Dataset) -> pl.Series:
    """Return a column of texts such as `u1;u2` as lists, and any other as it is."""
    separator = separator_in(column, known) if kinds else ""
    return split(column, separator) if separator else column


def _split_plain_words(names: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Divide names into plain words and those with a digit or another sign."""
    words = names.str.contains(r"^\p{L}+$")
    return names.filter(words), names.filter(~words)


def _in_longer_text(column: pl.Series, names: pl.Series) -> pl.Series:
    """Say for each row whether a longer text contains one of the ids (not plain words) as a word: bool [rows]."""
    nowhere = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    names = names.filter((names.str.len_chars() >= _SHORTEST_IN_TEXT) & ~names.str.contains(r"^\d+$"))
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join("\n", ignore_nulls=True)
    if column.dtype != pl.String or not len(names):
        return nowhere
    plain = without_escapes(column)
    if plain is not column:
        return _texts_with(column, names) | _texts_with(plain, names)
    return _texts_with(column, names)


def _texts_with(column: pl.Series, names: pl.Series) -> pl.Series:
    """Say for each row whether its text contains one of the names as a word: bool [rows]."""
    nowhere = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    near = column.str.extract_many(names.implode(), overlapping=True, ascii_case_insensitive=True)
    places = (near.list.len() > 0).fill_null(value=False).arg_true()
    hits = [any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", column[row]) for name in near[row]) for row in places]
    return pl.Series(nowhere.scatter(places, hits)) if hits else nowhere


def _number_after_noun(column: pl.Series, removed: RemovedIds) -> pl.Series:
    """Say for each row whether a text has a removed number after a noun of its kind, as in `user 12`.

    Such a number may occur by chance, so it is counted among the plain words: bool [rows].
    """
    hits = pl.zeros(len(column), dtype=pl.Boolean, eager=True)
    if not holds_text(column):
        return hits
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join("\n", ignore_nulls=True)
    for ids, noun in ((removed.users, _USER), (removed.items, _ITEM)):
        numbers = ids.filter(ids.str.contains(r"^\d+$")).implode()
        if not len(numbers[0]):
            continue
        found = column.cast(pl.String).str.extract_all(f"(?i)\\b(?:{noun}){_BEFORE_NUMBER}\\d+")
        number = pl.element().str.extract(r"(\d+)$")
        meant = number.is_in(numbers) | number.str.replace(r"^0+(\d)", "$1").is_in(numbers)
        named = found.to_frame("found").select(pl.col("found").list.eval(meant).list.any())
        hits = hits | named.to_series().fill_null(value=False)
    return hits


def without_references(dataset: Dataset, removed: RemovedIds) -> Dataset:
    """Return `dataset` without references to removed ids: such values become missing, such list entries are dropped."""
    meant = [mention for mention in mentions(dataset, removed) if mention.refers]
    if not meant:
        return dataset
    changed = tables(dataset)
    for mention in meant:
        column = changed[mention.table][mention.column]
        kinds = removed.known.references.get((mention.table, mention.column), ())
        column = _without_references(column, kinds, removed) if kinds else column
        fields, refers = _fields_named_like_ids(column, removed)
        column = without_fields(column, fields.to_list()) if refers and len(fields) else column
        changed[mention.table] = changed[mention.table].with_columns(column)
    pairs = replace(dataset.interactions, attributes=changed["interactions"])
    return replace(dataset, user_attributes=changed["users"], item_attributes=changed["items"], interactions=pairs)


def _without_references(column: pl.Series, kinds: tuple[str, ...], removed: RemovedIds) -> pl.Series:
    """Return a column of references without those to removed ids."""
    if is_nested(column.dtype):
        ids, words = _mention_masks(column, kinds, removed)
        parts = [_spellings(part, _ids_to_find(part, kinds, removed), removed) for part in leaves(column)]
        texts = pl.concat(parts).unique().implode()
        return without_entries(column, ids | words, lambda value: value.cast(pl.String).is_in(texts))
    separator = separator_in(column, removed.known)
    lists = split(column, separator) if separator else column
    spellings = _spellings(lists, _ids_to_find(lists, kinds, removed), removed)
    left = _without_values(lists, spellings)
    if not separator:
        return left
    return joined(left, separator).alias(column.name).zip_with(_holds_any(lists, spellings), column)


def _fields_named_like_ids(column: pl.Series, removed: RemovedIds) -> tuple[pl.Series, bool]:
    """Return the fields of objects that are called like removed ids, and whether the objects are keyed by ids.

    Where only some fields are called like ids, plain words and numbers do not count.
    """
    names = pl.Series(names_in(column.dtype), dtype=pl.String).unique()
    share = max(shares(names, removed.known).values())
    found = names.filter(names.is_in(removed.all().implode()))
    if share < 1:
        found = _split_plain_words(found)[1]
        found = found.filter(~found.str.contains(r"^\d+$"))
    return found, share >= SHARE


def _spellings(column: pl.Series, ids: pl.Series, removed: RemovedIds) -> pl.Series:
    """Return the values, or entries of lists, that mean one of the ids: String, as the column writes them."""
    texts = entries(column) if len(ids) else None
    if texts is None:
        return ids
    exact = texts.is_in(ids.implode())
    escaped = texts.str.contains(ESCAPE).any()  # else the forms that the ids keep will do
    known = removed.known
    retained = [
        (id_form(id_map.names) if escaped else id_map.folded).filter(~id_map.names.is_in(lost.implode()))
        for id_map, lost in ((known.users, removed.users), (known.items, removed.items))
    ]
    forms = id_form(ids)
    forms = forms.filter(~forms.is_in(pl.concat(retained).implode()))
    return texts.filter(exact | id_form(texts).is_in(forms.implode()))


def _ids_to_find(column: pl.Series, kinds: tuple[str, ...], removed: RemovedIds) -> pl.Series:
    """Return the ids to look for in a column: those of the kinds it refers to, or else all ids that are not numbers."""
    if kinds:
        return removed.users.unique() if "users" in kinds else removed.items.unique()
    if not holds_text(column):
        return pl.Series(dtype=pl.String)
    every = removed.all().unique()
    id_maps = removed.known.users, removed.known.items
    found = pl.concat([ids.names.filter(ids.names.is_in(every.implode())) for ids in id_maps])
    shared = found.filter(found.is_duplicated())  # an id of both a user and an item may mean the one that stays
    return every.filter(~every.str.contains(r"^\d+$") & ~every.is_in(shared.implode()))


def _holds_any(column: pl.Series, wanted: pl.Series) -> pl.Series:
    """Say for each row whether its value, or an entry of its list, is one of `wanted`: bool [rows]."""
    values = column.to_frame("value")
    if isinstance(column.dtype, pl.List):
        hits = pl.col("value").list.eval(pl.element().cast(pl.String).is_in(wanted.implode())).list.any()
    else:
        hits = pl.col("value").cast(pl.String).is_in(wanted.implode())
    return values.select(hits.fill_null(value=False)).to_series()


def _without_values(column: pl.Series, wanted: pl.Series) -> pl.Series:
    """Return a column without the `wanted` values, or entries of lists."""
    frame = column.to_frame()
    if isinstance(column.dtype, pl.List):
        stays = pl.element().filter(~pl.element().cast(pl.String).is_in(wanted.implode()))
        return frame.select(pl.col(column.name).list.eval(stays)).to_series()
    hits = pl.col(column.name).cast(pl.String).is_in(wanted.implode()).fill_null(value=False)
    return frame.select(pl.when(hits).then(None).otherwise(pl.col(column.name)).alias(column.name)).to_series()


def retained_mentions(removed: RemovedIds, user_rows: Ints, item_rows: Ints) -> list[Mention]:
    """Find removed ids in the attributes of retained rows, as they were before the request.

    Args:
        removed: the ids to find.
        user_rows, item_rows: int64, retained rows of `removed.known`.
    """
    if not mentions(removed.known, removed):
        return []
    return mentions(replace(removed.known, modalities={}).restrict(user_rows, item_rows), removed)

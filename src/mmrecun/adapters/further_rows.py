"""What a foreign model holds of users and items besides its two tables: rows of further tables, and lists of ids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from mmrecun.adapters.row_map import Array, RowMap
from mmrecun.data.dataset import Dataset
from mmrecun.text import preview

_KINDS = ("user", "item")
_SHARE = 0.5  # of the entries of a list that must be ids, and of all ids that must be in it
_DEEPEST = 8  # a pickle can hold itself


@dataclass(frozen=True)
class FurtherRows:
    """Tables beside the two whose rows are unlearned, such as biases of users or a second table of items.

    Attributes:
        owned: name -> "user" or "item", tables with a row for each of them by size and by name.
        unsure: tables of such a size whose names do not say it.
        lists: names of lists and dictionaries of ids, which stay as they are.
    """

    owned: Mapping[str, str]
    unsure: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]], tables: tuple[str, str], lists: tuple[str, ...] = ()) -> Self:
        """Find further tables by their shapes; those with weight and bias are layers, unless one is of `tables`."""
        sizes = shapes[tables[0]][0], shapes[tables[1]][0]
        modules = set(map(_module, tables))
        others = {
            name: shape
            for name, shape in shapes.items()
            if name not in tables and shape and (_module(name) in modules or not _is_layer(name, shapes))
        }
        kinds = {name: _kind(name, shape[0], sizes) for name, shape in others.items()}
        unsure = tuple(
            name for name, shape in others.items() if kinds[name] is None and shape[0] in (*sizes, sum(sizes))
        )
        return cls({name: kind for name, kind in kinds.items() if kind}, unsure, lists)

    @property
    def limits(self) -> tuple[str, ...]:
        """What they keep of the forgotten, one sentence each."""
        found = []
        if self.owned:
            found.append(
                f"of further tables ({preview(self.owned)}) only rows of the forgotten change: they are emptied"
            )
        if self.unsure:
            found.append(
                f"tables that may have a row for each user or item ({preview(self.unsure)}) stay as they were trained: "
                "empty the rows of the forgotten in them"
            )
        if self.lists:
            found.append(
                f"lists of ids in the file ({preview(self.lists)}) keep the forgotten: save the model without "
                "them, and forget again"
            )
        return tuple(found)

    def emptied(self, name: str, table: Array, row_map: RowMap) -> Array:
        """Copy an owned `table` [R, ...] with zeros, or empty text, in the rows of the forgotten."""
        filled = table.copy()
        rows = row_map.empty_users if self.owned[name] == "user" else row_map.empty_items
        filled[rows] = np.zeros((), dtype=table.dtype)
        return filled


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _is_layer(name: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Say whether a parameter is of a module with weight and bias; its size is chosen, not that of a table."""
    module = _module(name)
    return bool(module) and {f"{module}.weight", f"{module}.bias"} <= shapes.keys()


def _kind(name: str, rows: int, sizes: tuple[int, int]) -> str | None:
    """Return of whom a table with so many rows is, "" if its name says that of neither, None if it does not say."""
    last = name.rpartition("/")[2].lower()
    said = [kind for kind in _KINDS if kind in last]
    if len(said) != 1:
        return None
    return said[0] if rows == sizes[_KINDS.index(said[0])] else ""


def lists_of_ids(whole: Any, dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the lists and dictionaries in `whole` that name at least half of the users or items."""
    return tuple(dict.fromkeys(name for name, texts in _lists(whole, "", 0) if _are_ids(texts, dataset)))


def _lists(value: Any, name: str, depth: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the texts and whole numbers of each list, and of the keys and values of each dictionary, with its name."""
    if depth > _DEEPEST or not isinstance(value, dict | list | tuple | set | frozenset):
        return
    for entries in (value.keys(), value.values()) if isinstance(value, dict) else (value,):
        yield name, [str(entry) for entry in entries if isinstance(entry, str | int)]
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _lists(entry, f"{name}/{key}" if name else str(key), depth + 1)


def _are_ids(texts: list[str], dataset: Dataset) -> bool:
    distinct = pl.Series(texts, dtype=pl.String).unique()
    known = [(int((ids.find(distinct) >= 0).sum()), len(ids)) for ids in (dataset.users, dataset.items)]
    return any(found and found >= _SHARE * max(len(distinct), size) for found, size in known)

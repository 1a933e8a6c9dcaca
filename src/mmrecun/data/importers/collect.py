"""From batches of a table to events as numbers: what an import holds of each row."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from mmrecun.arrays import Ints
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.batches import Table
from mmrecun.data.importers.columns import blanks_removed, refuse_headless
from mmrecun.data.importers.id_codes import IdCodes, IdOrder, row_numbers, sorted_by_number, without_blanks
from mmrecun.data.importers.interactions import Events, Weights, attributes_of, given_labels
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.readers import Source
from mmrecun.data.importers.report import Report
from mmrecun.data.lookalikes import stripped
from mmrecun.errors import ConfigError, DataError
from mmrecun.text import counted, preview


class _Places:
    """Places of rows in their files, for messages, without the rows themselves."""

    def __init__(self) -> None:
        self._batches: list[Source] = []
        self._ends: list[int] = []

    def add(self, batch: Source) -> None:
        self._batches.append(replace(batch, table=pl.DataFrame()))
        self._ends.append((self._ends[-1] if self._ends else 0) + batch.table.height)

    def at(self, row: int) -> str:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return self._batches[number].at(row - (self._ends[number - 1] if number else 0))


@dataclass(frozen=True)
class Listed:
    """Users or items that a table lists.

    Attributes:
        ids: in the order of the table.
        attributes: its other columns.
        path: path of the table, for messages.
        whole: whether an id that it does not list is an error, and not one without attributes.
    """

    ids: IdMap
    attributes: pl.DataFrame
    path: Path
    whole: bool = True


def collect(
    table: Table,
    options: ImportOptions,
    label: str | None,
    report: Report,
    listed: Mapping[str, Listed],
    order: IdOrder = IdOrder.APPEARANCE,
) -> tuple[IdMap, IdMap, Events]:
    """Read the interactions of a table: its users, its items, and the events.

    Args:
        table: table of interactions.
        options: the names of its columns.
        label: the column with split labels, if there is one.
        report: its counts and warnings grow.
        listed: "user" or "item" -> those that a table lists, where there is one.
        order: order of ids that no table lists; by number only if all are whole numbers. Where ids are row numbers, the
            largest one decides how many users and items there are.

    Raises:
        DataError: naming the line of a value that cannot be read, or of an id that is not listed.
        ConfigError: when one column is named for both sides of a pair.
    """
    if options.user == options.item:
        raise ConfigError(f"--user and --item both name the column '{options.user}'; each side of a pair has its own")
    users, items = IdCodes(options.user), IdCodes(options.item)
    weights, places, clocks = Weights(options), _Places(), _Clocks(options.timestamp)
    attributes, labels = list[pl.DataFrame](), list[np.ndarray]()
    wanted = [name for name in (options.user, options.item, options.timestamp, options.weight, label) if name]
    with ThreadPoolExecutor(max_workers=1) as beside:  # polars releases the GIL, so two columns are read at once
        for batch in table.batches(wanted):
            report.rows += batch.table.height
            heavy = weights.heavy_enough(batch)
            if not heavy.table.height:
                continue
            places.add(heavy)
            added = beside.submit(items.add, heavy)
            users.add(heavy)
            added.result()
            attributes.append(attributes_of(heavy, options))
            clocks.check(heavy)
            if label:
                labels.append(given_labels(heavy, label))
    report.warnings += table.warnings
    if others := [f"'{name}'" for name in table.columns if name not in {*wanted, *table.added}]:
        report.warnings.append(f"{table.path}: {counted(len(others), 'column')} left out: {preview(others)}")
    weights.tell(table.path, report)
    user_map, user_rows = _resolved(table, "user", users, listed.get("user"), places, report, order)
    item_map, item_rows = _resolved(table, "item", items, listed.get("item"), places, report, order)
    _refuse_repeated_header(table, options, (user_map, item_map), (user_rows, item_rows), places)
    whole = pl.concat(attributes, how="vertical_relaxed", rechunk=True) if attributes[0].width else pl.DataFrame()
    split = np.concatenate(labels) if label else None
    return user_map, item_map, Events(table.path, user_rows, item_rows, whole, split, places.at, table.cut_valid)


def _refuse_repeated_header(
    table: Table, options: ImportOptions, ids: tuple[IdMap, IdMap], rows: tuple[Ints, Ints], places: _Places
) -> None:
    """Refuse a row that names its two columns, as where files were joined with their headers.

    Raises:
        DataError: naming its line.
    """
    user, item = (int(known.find([name])[0]) for known, name in zip(ids, (options.user, options.item), strict=True))
    if not table.header or min(user, item) < 0:  # as in nearly every table
        return
    headers = (rows[0] == user) & (rows[1] == item)
    if headers.any():
        raise DataError(f"{places.at(int(headers.argmax()))}: the header once more; take that line out")


class _Clocks:
    """Refuses a column of times with numbers in one batch and dates in another; within a batch `times` refuses them."""

    def __init__(self, column: str | None) -> None:
        self._column = column
        self._numbers: bool | None = None

    def check(self, batch: Source) -> None:
        """Compare the first time of a batch with those before.

        Raises:
            DataError: naming its line.
        """
        if self._column is None or batch.table[self._column].dtype not in (pl.String, pl.Int64):
            return
        value = batch.table[self._column][0]
        numbers = batch.table[self._column][:1].cast(pl.Float64, strict=False).null_count() == 0
        if self._numbers is not None and numbers != self._numbers:
            there, before = ("a number", "dates") if numbers else ("not a number", "numbers")
            raise DataError(f"{batch.at(0)}: {self._column} is '{value}', {there}; the lines before have {before}")
        self._numbers = numbers


def numbered_ids(kind: str, size: int) -> IdMap:
    """Return ids that are their own row numbers."""
    return IdMap(kind, pl.int_range(size, eager=True).cast(pl.String).alias("id"))


def _resolved(
    table: Table, kind: str, column: IdCodes, listed: Listed | None, places: _Places, report: Report, order: IdOrder
) -> tuple[IdMap, np.ndarray]:
    """Return the ids of a column, and the row of each event among them."""
    written, codes = column.names(), column.take_codes()
    blank = (stripped(written) == "").to_numpy()
    if blank.any():
        raise DataError(f"{places.at(int(blank[codes].argmax()))}: '{column.column}' is missing")
    names, codes, padded = without_blanks(written, codes)
    if padded:
        report.warnings.append(blanks_removed(table.path, column.column, padded))
    if table.header:
        refuse_headless(table.path, column.column, kind, names)
    if order is IdOrder.ROW_NUMBER:
        rows = row_numbers(names, codes, column.column, places.at)
        return numbered_ids(kind, int(rows.max()) + 1), rows
    if listed is None:
        if order is IdOrder.BY_NUMBER:
            names, codes = sorted_by_number(names, codes)
        return IdMap(kind, names), codes
    rows = listed.ids.find(names)
    unknown = np.flatnonzero(rows < 0)
    if len(unknown) and not listed.whole:
        has = counted(len(unknown), kind, "of the pairs is", "of the pairs are")
        report.warnings.append(f"{listed.path}: {has} not in it, and so without attributes")
        rows[unknown] = len(listed.ids) + np.arange(len(unknown))
        return IdMap(kind, pl.concat([listed.ids.names, names.gather(unknown)])), rows[codes]
    if len(unknown):
        first = int((rows < 0)[codes].argmax())
        raise DataError(
            f"{places.at(first)}: {kind} '{names[int(codes[first])]}' is not in {listed.path}; "
            f"unknown in all: {preview(names.gather(unknown))}"
        )
    return listed.ids, rows[codes]

"""A table of interactions with named columns, features as npy or Parquet, and tables of attributes."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.importers.batches import Table, open_table
from mmrecun.data.importers.collect import Listed, collect
from mmrecun.data.importers.columns import attributes, header_name, id_column, ids
from mmrecun.data.importers.delimited import first_line
from mmrecun.data.importers.features import from_npy, from_parquet, from_table, with_ids
from mmrecun.data.importers.id_codes import IdOrder
from mmrecun.data.importers.interactions import interactions
from mmrecun.data.importers.item_folder import from_item_folder
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.readers import Source, read_table, separator_for, separator_of
from mmrecun.data.importers.report import Report
from mmrecun.data.modality import Modality
from mmrecun.errors import DataError


def open_events(path: Path, options: ImportOptions) -> Table:
    """Open the table of interactions at `path`.

    Raises:
        DataError: with file and line, also when its columns are named although it has a header.
    """
    separator = separator_of(options.separator)
    others = options.user, options.item, options.weight, options.split_column
    time = options.timestamp if options.timestamp not in others else None
    table = open_table(path, separator, options.columns, time)
    if options.columns:
        refuse_header(path, separator_for(path, separator), options)
    return table


def assemble(
    table: Table,
    options: ImportOptions,
    name: str,
    report: Report,
    given: Mapping[str, Listed] | None = None,
    order: IdOrder = IdOrder.APPEARANCE,
) -> Imported:
    """Build a dataset from a table of interactions and the further files that `options` name.

    Args:
        table: table of interactions.
        options: options of the import.
        name: name of the dataset.
        report: report to continue.
        given: "user" or "item" -> those that the format itself lists.
        order: order of ids, as for `collect`.

    Raises:
        DataError: with file and line.
    """
    listed = dict(given or {}) | {
        kind: Listed(*id_table(read_table(path), kind, column, report.warnings, _first_ids(table, column)), path)
        for kind, column, path in (("user", options.user, options.users), ("item", options.item, options.items))
        if path is not None
    }
    users, items, events = collect(table, options, _label(table, options), report, listed, order)
    pairs = interactions(events, options, report)
    _refuse_stray_ids(options)
    modalities = {
        kind: _modality(kind, file, items, options, report, "item" in listed or _numbered(items))
        for kind, file in options.features.items()
    }
    about = {kind: entry.attributes for kind, entry in listed.items()}
    about_users, about_items = (_lengthened(about.get(ids.kind, pl.DataFrame()), len(ids)) for ids in (users, items))
    columns = {"user": options.user, "item": options.item}
    dataset = Dataset(name, users, items, pairs, modalities, about_users, about_items, columns)
    return Imported(dataset, report)


def _lengthened(attributes: pl.DataFrame, rows: int) -> pl.DataFrame:
    """Return attributes with null rows for the ids behind those that a table lists."""
    more = rows - attributes.height
    return pl.concat([attributes, attributes.clear(more)]) if attributes.width and more else attributes


def _numbered(items: IdMap) -> bool:
    """Say whether each id is its own row number."""
    return items.names.equals(pl.int_range(len(items), eager=True).cast(pl.String).alias("id"))


def _refuse_stray_ids(options: ImportOptions) -> None:
    for name in options.feature_ids:
        if name not in options.features or options.features[name].suffix != ".npy":
            raise DataError(f"--feature-ids {name}: there is no --features {name}=FILE.npy whose rows it could name")


def _label(table: Table, options: ImportOptions) -> str | None:
    label = options.split_column
    if label is not None and options.split is not None:
        raise DataError(f"--split {options.split} and --split-column {label} contradict each other; give one of them")
    return "split" if label is None and options.split is None and "split" in table.columns else label


def _first_ids(table: Table, column: str) -> pl.Series:
    """Return ids of the first batch: enough to recognise the column of ids in a table of users or items."""
    return ids(next(table.batches([column])), column)[0].unique()


def refuse_header(path: Path, separator: str, options: ImportOptions) -> None:
    """Refuse a file with a header where names of columns are given: its header would be read as a row.

    Raises:
        DataError: naming the file.
    """
    cells = [cell.strip() for cell in first_line(path).rstrip("\r\n").split(separator)]
    named = dict(zip(options.columns, cells, strict=False))
    alike = [
        cell
        for kind, column in (("user", options.user), ("item", options.item))
        if (cell := named.get(column, "")) and header_name(cell, kind, column)
    ]
    if len(alike) == 2:
        raise DataError(
            f"{path}, line 1: '{alike[0]}' and '{alike[1]}' look like a header, not like ids; "
            "if they are one, leave --columns out and name the columns with --user and --item"
        )


def id_table(
    listed: Source, kind: str, column: str, warnings: list[str], wanted: pl.Series | None = None
) -> tuple[IdMap, pl.DataFrame]:
    """Return the ids of a table of users or items, and its attributes; `warnings` grow.

    Among several columns that may hold the ids, the one with all those `wanted` is taken.

    Raises:
        DataError: naming the file, for a table without a column of ids, or an id that is missing or repeated.
    """
    key = id_column(listed, kind, column, wanted)
    names, padded = ids(listed, key)
    try:
        known = IdMap(kind, names.alias("id"))
    except DataError as error:
        raise DataError(f"{listed.path}: {error}") from None
    further = listed.table.drop(key)
    if "id" in further.columns:  # as the ids themselves are called in a dataset
        further = further.drop("id")
        odd_id = [f"{listed.path}: column 'id' was left out, since the ids are those of '{key}'; rename it to keep it"]
    else:
        odd_id = []
    others, odd = attributes(listed, further)
    warnings += [*listed.warnings, *padded, *odd_id, *odd]
    return known, others


def _modality(name: str, path: Path, items: IdMap, options: ImportOptions, report: Report, ordered: bool) -> Modality:
    """Read features; npy rows need `ordered`: whether a table fixes the order of the items."""
    named = options.feature_ids.get(name)
    if path.is_dir():
        return from_item_folder(name, path, items, report)
    if path.suffix == ".parquet":
        return from_parquet(name, path, items, options.item, report.warnings)
    if path.suffix == ".arrow":
        return from_table(name, path, read_table(path).table, items, options.item, report.warnings)
    if path.suffix != ".npy":
        raise DataError(f"{path}: features must be .npy, .parquet, .arrow, or a folder with an .npy file an item")
    if named is not None:
        return with_ids(name, path, named, items, report.warnings)
    if not ordered:
        raise DataError(
            f"{path}: npy rows need an order; give --items TABLE with its rows in that order, "
            f"or --feature-ids {name}=FILE with the id of each row"
        )
    return from_npy(name, path, items)

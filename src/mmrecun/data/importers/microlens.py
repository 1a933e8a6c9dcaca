"""MicroLens: pairs as CSV (user, item, timestamp) or TSV (a user, and the items in order); titles, likes and views."""

from pathlib import Path

import polars as pl

from mmrecun.data.importers.batches import Table, open_table
from mmrecun.data.importers.collect import Listed
from mmrecun.data.importers.compressed import plain
from mmrecun.data.importers.delimited import first_line
from mmrecun.data.importers.item_lists import open_item_lists
from mmrecun.data.importers.options import ImportOptions
from mmrecun.data.importers.readers import read_table
from mmrecun.data.importers.report import Report
from mmrecun.data.importers.tabular import id_table
from mmrecun.errors import DataError
from mmrecun.text import counted


def find_pairs(folder: Path) -> Path | None:
    """Return the file of pairs in a folder of MicroLens, the CSV before the TSV; None where there is none.

    Raises:
        DataError: when several files could hold the pairs.
    """
    for suffix in (".csv", ".tsv"):
        found = sorted(path for path in folder.glob("*_pairs.*") if plain(path).suffix == suffix)
        if len(found) > 1:
            raise DataError(f"{folder}: several files of pairs ({', '.join(path.name for path in found)}); name one")
        if found:
            return found[0]
    return None


def open_pairs(path: Path, options: ImportOptions) -> tuple[Table, ImportOptions]:
    """Open a folder of MicroLens, or its file of pairs; the options that come back name its columns.

    Of the TSV the place of an item in its user's line is the time.

    Raises:
        DataError: when there is no file of pairs.
    """
    pairs = find_pairs(path) if path.is_dir() else path
    if pairs is None:
        raise DataError(f"{path}: no file *_pairs.csv or *_pairs.tsv in it")
    if plain(pairs).suffix == ".tsv":
        table, time = open_item_lists(pairs), "position"
    else:
        table, time = open_table(pairs, ","), "timestamp"
    return table, options.model_copy(update={"timestamp": options.timestamp or time})


def find_titles(path: Path, report: Report) -> Listed | None:
    """Return the items with title, likes and views, from the files beside the pairs; None without titles.

    Likes and views have no header: item, likes, views, separated by tabs.
    """
    folder = path if path.is_dir() else path.parent
    found = sorted(folder.glob("*_title*.csv*"))
    if not found:
        return None
    if len(found) > 1:
        report.warnings.append(f"{folder}: of {', '.join(file.name for file in found)} the first was read")
    columns = () if "item" in first_line(found[0]).lower().split(",")[0] else ("item", "title")
    ids, attributes = id_table(read_table(found[0], ",", columns), "item", "item", report.warnings)
    for counts in sorted(folder.glob("*_likes_and_views.txt*")):
        listed, numbers = id_table(
            read_table(counts, "\t", ("item", "likes", "views")), "item", "item", report.warnings
        )
        rows = listed.find(ids.names)
        left_out = int((ids.find(listed.names) < 0).sum())
        if left_out:
            report.warnings.append(
                f"{counts}: {counted(left_out, 'item', 'has no title and was', 'have no title and were')} left out"
            )
        attributes = attributes.hstack(numbers[pl.Series(rows).replace(-1, None)])
    return Listed(ids, attributes, found[0], whole=False)

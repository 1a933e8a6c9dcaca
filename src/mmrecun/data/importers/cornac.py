"""Cornac's text formats of tuples: UI, UIR, UIRT and UITup, one a line, separated by tabs.

UI is a user and any number of items; R a rating, T a time, and Tup tuples about the pair, such as aspects.
"""

from pathlib import Path

from mmrecun.data.importers.batches import Table, open_table
from mmrecun.data.importers.delimited import first_line
from mmrecun.data.importers.item_lists import open_item_lists
from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.errors import DataError
from mmrecun.text import counted

_COLUMNS = {
    Format.UIR: ("user", "item", "rating"),
    Format.UIRT: ("user", "item", "rating", "timestamp"),
}


def open_tuples(path: Path, kind: Format, separator: str | None, options: ImportOptions) -> tuple[Table, ImportOptions]:
    """Open a file of tuples; the options that come back name its columns.

    Args:
        path: the file.
        kind: UI, UIR, UIRT or UITUP.
        separator: one character; a tab when not given.
        options: options of the import.

    Raises:
        DataError: when the lines have another number of columns.
    """
    separator = separator or "\t"
    if kind in (Format.UI, Format.UITUP):
        return open_item_lists(path, separator, 1 if kind is Format.UITUP else None), options
    width = first_line(path).rstrip("\r\n").count(separator) + 1
    columns = _COLUMNS[kind]
    if width != len(columns):
        raise DataError(
            f"{path}, line 1: {counted(width, 'column')}; {kind.upper()} has {len(columns)}: {', '.join(columns)}; "
            "for others, or another separator, give --format table with --columns, or --separator"
        )
    named = {"weight": options.weight or "rating"}
    if kind is Format.UIRT:
        named["timestamp"] = options.timestamp or "timestamp"
    return open_table(path, separator, columns), options.model_copy(update=named)

"""The table of interactions as it is written, with ids in place of rows, made in pieces to save memory."""

from collections.abc import Iterator

import polars as pl
from polars.io.plugins import register_io_source

from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split

_ROWS = 122_880  # rows of a piece: about a row group of polars


def interaction_rows(users: IdMap, items: IdMap, pairs: Interactions) -> pl.LazyFrame:
    """Return the columns user, item and split as text, and the attributes; rows in their order."""
    splits = pl.Series([split.label for split in Split])
    schema = {**dict.fromkeys(("user", "item", "split"), pl.String()), **pairs.attributes.schema}

    def pieces(*_: object) -> Iterator[pl.DataFrame]:
        for part in _parts(len(pairs)):
            columns = {
                "user": users.names.gather(pairs.users[part]),
                "item": items.names.gather(pairs.items[part]),
                "split": splits.gather(pairs.splits[part]),
            }
            table = pl.DataFrame(columns)
            yield table.hstack(pairs.attributes[part]) if pairs.attributes.width else table

    return register_io_source(pieces, schema=schema)


def _parts(rows: int) -> Iterator[slice]:
    """Yield slices of as even a length as can be, the number of them such that it is nearest to `_ROWS`."""
    fewest = max(rows // _ROWS, 1)
    count = min(fewest, fewest + 1, key=lambda parts: abs(rows / parts - _ROWS))
    size, longer = divmod(rows, count)
    start = 0
    for number in range(count):
        stop = start + size + (number < longer)
        yield slice(start, stop)
        start = stop

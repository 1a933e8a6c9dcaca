"""Published splits in several files: train, test and perhaps valid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from mmrecun.data.importers.batches import Table
from mmrecun.data.importers.readers import Source
from mmrecun.data.interactions import Split

SPLIT = "split"


def joined(parts: Mapping[Split, Table]) -> Table:
    """Return several tables as one, with a further column `split` that names the source of each row.

    Errors name the file and line of a row, and the file that lacks a column.
    """
    first = next(iter(parts.values()))
    columns = dict.fromkeys(name for part in parts.values() for name in part.columns if name != SPLIT)
    warnings: list[str] = []

    def read(wanted: Sequence[str]) -> Iterator[Source]:
        own = [name for name in wanted if name != SPLIT]
        for part in parts.values():
            part.require(own)
        for split, part in parts.items():
            label = pl.lit(split.label).alias(SPLIT)
            for batch in part.batches(own):
                yield replace(batch, table=batch.table.with_columns(label))
            warnings.extend(part.warnings)

    added = (*first.added, SPLIT)
    return Table(first.path, (*columns, SPLIT), read, first.header, warnings, Split.VALID not in parts, added)

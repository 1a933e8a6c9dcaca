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

    Only columns that all of them have are kept; errors name the file and line of a row.
    """
    first = next(iter(parts.values()))
    columns = [name for name in first.columns if name != SPLIT and all(name in part.columns for part in parts.values())]
    warnings: list[str] = []

    def read(wanted: Sequence[str]) -> Iterator[Source]:
        for split, part in parts.items():
            label = pl.lit(split.label).alias(SPLIT)
            for batch in part.batches([name for name in wanted if name != SPLIT]):
                yield replace(batch, table=batch.table.with_columns(label))
            warnings.extend(part.warnings)

    added = (*first.added, SPLIT)
    return Table(first.path, (*columns, SPLIT), read, first.header, warnings, Split.VALID not in parts, added)

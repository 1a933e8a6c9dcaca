"""The input of every format: a run, its vectors on the CPU, and the record of the export."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from torch import Tensor

from mmrecun.arrays import Ints
from mmrecun.data.parquet import write_parquet
from mmrecun.exports.arrow import pyarrow
from mmrecun.exports.record import ExportRecord, record_of
from mmrecun.models.inference import vectors_of
from mmrecun.runs import Run

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class ExportContents:
    """A run that is ready to be exported.

    Attributes:
        run: the run.
        users, items: float32 [U, D] and [I, D] on the CPU, contiguous; a score is their dot product.
        record: the record of the export.
    """

    run: Run
    users: Tensor
    items: Tensor
    record: ExportRecord

    def seen(self, rows: Ints) -> tuple[Ints, Ints]:
        """Return the pairs that are never recommended to users `rows` (int64 [B]), in training or held out.

        Returns:
            int64 [N] each: the place of the user among `rows`, and the item row.
        """
        pairs = self.run.dataset.interactions
        places, counts = pairs.rows_of_users(rows)
        return np.repeat(np.arange(len(rows)), counts), pairs.items[places]


def contents_of(run: Run, kind: str) -> ExportContents:
    """Compute all vectors of `run` for an export of `kind`."""
    vectors = vectors_of(run.model, run.dataset)
    users, items = (table.detach().cpu().float().contiguous() for table in (vectors.users, vectors.items))
    return ExportContents(run, users, items, record_of(run, kind, users.shape[1]))


def write_ids(contents: ExportContents, folder: Path, *kinds: str) -> None:
    """Write `users.parquet` or `items.parquet` with one column `id` in row order, for each of `kinds`."""
    for kind in kinds:
        ids = contents.run.dataset.users if kind == "users" else contents.run.dataset.items
        write_parquet(pl.DataFrame({"id": ids.names}), folder / f"{kind}.parquet")


def write_vectors(ids: pl.Series, vectors: Tensor, path: Path) -> None:
    """Write a Parquet file of `id` and `vector` (fixed-size list of D float32), one block of rows at a time."""
    starts = range(0, len(ids), BLOCK_ROWS)
    write_vector_blocks(
        ((ids.slice(start, BLOCK_ROWS), vectors[start : start + BLOCK_ROWS]) for start in starts),
        vectors.shape[1],
        path,
    )


def write_vector_blocks(blocks: Iterable[tuple[pl.Series, Tensor]], width: int, path: Path) -> None:
    """Write the same from blocks of ids, [B], and vectors, float32 [B, `width`]."""
    pa = pyarrow()
    schema = pa.schema([("id", pa.string()), ("vector", pa.list_(pa.float32(), width))])
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for ids, vectors in blocks:
            values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.numpy().reshape(-1)), width)
            names = ids.to_arrow().cast(pa.string())
            writer.write_table(pa.Table.from_arrays([names, values], schema=schema))

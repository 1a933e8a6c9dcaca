"""The best items of every user, in one Parquet file that is written block by block."""

from pathlib import Path
from typing import Any

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.evaluation.ranking import score_pairs, top_k
from mmrecun.exports.arrow import pyarrow
from mmrecun.exports.contents import BLOCK_ROWS, ExportContents
from mmrecun.progress import Progress


def write_lists(contents: ExportContents, folder: Path, progress: Progress, k: int) -> None:
    """Write `lists.parquet`: `user`, `items` (up to `k` ids, best first) and their `scores`.

    Items that a user has, in training or held out, are in no list, as in `recommend`.
    """
    total = len(contents.users)
    width = min(k, len(contents.items))
    schema = _schema()
    with pyarrow().parquet.ParquetWriter(folder / "lists.parquet", schema) as writer:
        for start in range(0, total, BLOCK_ROWS):
            rows = np.arange(start, min(start + BLOCK_ROWS, total))
            writer.write_table(_block(contents, rows, width, schema))
            progress(int(rows[-1]) + 1, total, "users listed")


def _schema() -> Any:
    """Return the columns of the file, a `pyarrow.Schema`."""
    pa = pyarrow()
    return pa.schema([("user", pa.string()), ("items", pa.list_(pa.string())), ("scores", pa.list_(pa.float32()))])


def _block(contents: ExportContents, rows: Ints, width: int, schema: Any) -> Any:
    """Return the lists of users `rows` (int64 [B]), a `pyarrow.Table` of B rows."""
    pa, data = pyarrow(), contents.run.dataset
    lists = top_k(contents.users, contents.items, data.interactions, rows, width)
    held = lists >= 0
    items = lists[held]  # row by row, so each list stays together
    owners = np.repeat(rows, held.sum(axis=1))
    scores = score_pairs(contents.users, contents.items, owners, items).numpy()
    # where each list begins among all entries: one more offset than there are lists
    offsets = pa.array(np.concatenate([[0], held.sum(axis=1).cumsum()]).astype(np.int32))
    names = data.items.names.gather(items).to_arrow().cast(pa.string())
    columns = [
        data.users.names.gather(rows).to_arrow().cast(pa.string()),
        pa.ListArray.from_arrays(offsets, names),
        pa.ListArray.from_arrays(offsets, pa.array(scores)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)

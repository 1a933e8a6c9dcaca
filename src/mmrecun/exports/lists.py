"""The best items of every user, in one Parquet file that is written block by block."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions
from mmrecun.evaluation.ranking import score_pairs, top_k
from mmrecun.exports.arrow import pyarrow
from mmrecun.exports.contents import BLOCK_ROWS, ExportContents
from mmrecun.models.base import UserItemVectors
from mmrecun.progress import Progress

_ENTRIES = 1 << 22  # of lists that are written at once; the text of a column is limited to 2 GiB by Arrow


class UserBlock(NamedTuple):
    """Users whose lists are written at once.

    Attributes:
        users, items: ids of the users in `vectors` and of all items.
        vectors: float32 [U, D] and [I, D].
        pairs: pairs that are not recommended.
        rows: int64 [B], rows of the users.
    """

    users: IdMap
    items: IdMap
    vectors: UserItemVectors
    pairs: Interactions
    rows: Ints


def write_lists(contents: ExportContents, folder: Path, progress: Progress, k: int) -> None:
    """Write `lists.parquet`: `user`, `items` (up to `k` ids, best first) and their `scores`.

    Items that a user has, in training or held out, are in no list, as in `recommend`.
    """
    data, total = contents.run.dataset, len(contents.users)
    rows = (np.arange(start, min(start + BLOCK_ROWS, total)) for start in range(0, total, BLOCK_ROWS))
    vectors = contents.users, contents.items
    blocks = (UserBlock(data.users, data.items, vectors, data.interactions, each) for each in rows)
    write_list_blocks(blocks, total, folder, progress, k)


def write_list_blocks(blocks: Iterable[UserBlock], total: int, folder: Path, progress: Progress, k: int) -> None:
    """Write the same from blocks of users, `total` in all."""
    schema, done = _schema(), 0
    with pyarrow().parquet.ParquetWriter(folder / "lists.parquet", schema) as writer:
        for block in blocks:
            most = max(1, _ENTRIES // min(k, max(1, len(block.items))))
            for start in range(0, len(block.rows), most):
                part = block._replace(rows=block.rows[start : start + most])
                writer.write_table(_lists_of(part, k, schema))
                done += len(part.rows)
                progress(done, total, "users listed")


def _schema() -> Any:
    """Return the columns of the file, a `pyarrow.Schema`."""
    pa = pyarrow()
    return pa.schema([("user", pa.string()), ("items", pa.list_(pa.string())), ("scores", pa.list_(pa.float32()))])


def _lists_of(block: UserBlock, k: int, schema: Any) -> Any:
    """Return the lists of a block, a `pyarrow.Table` of B rows."""
    pa, rows = pyarrow(), block.rows
    lists = top_k(*block.vectors, block.pairs, rows, min(k, len(block.items)))
    held = lists >= 0
    items = lists[held]  # row by row, so each list stays together
    owners = np.repeat(rows, held.sum(axis=1))
    scores = score_pairs(*block.vectors, owners, items).numpy()
    # where each list begins among all entries: one more offset than there are lists
    offsets = pa.array(np.concatenate([[0], held.sum(axis=1).cumsum()]).astype(np.int32))
    names = block.items.names.gather(items).to_arrow().cast(pa.string())
    columns = [
        block.users.names.gather(rows).to_arrow().cast(pa.string()),
        pa.ListArray.from_arrays(offsets, names),
        pa.ListArray.from_arrays(offsets, pa.array(scores)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)

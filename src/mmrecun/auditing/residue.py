"""Look for survivors: forgotten ids, pairs, rows and features in everything an unlearned run holds."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmrecun.arrays import Bools
from mmrecun.auditing.keys import CheckName, Question
from mmrecun.auditing.residue_files import files_check
from mmrecun.auditing.residue_record import record_checks
from mmrecun.auditing.result import Check
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.secret import read_key
from mmrecun.models.base import Recommender
from mmrecun.models.per_modality import modality_of_parameters
from mmrecun.text import counted

TABLES, ROWS, FEATURES = (CheckName.asking(Question.RESIDUE, of) for of in ("tables", "rows", "features"))
_BLOCK = 1 << 16


def scan(
    original: Recommender,
    unlearned: Recommender,
    partition: Partition,
    folder: Path,
    record: ForgetRecord | None,
    key: bytes | None = None,
) -> tuple[Check, ...]:
    """Make all residue checks of the run in `folder`; their details count forgotten ids without naming one.

    Args:
        original, unlearned: the models before and after.
        partition: original and retained data.
        folder: folder of the unlearned run.
        record: the run's own record of the request, from when it came in. Ids, pairs and features that the run still
            holds are compared with its hashes, if they can be read, or else with its counts.
        key: key of the hashes; that of MMRECUN_KEY by default.
    """
    record = record and record.with_key(read_key(key))
    return (
        *record_checks(unlearned, partition, record),
        _tables(unlearned, partition),
        _surviving_rows(original, unlearned, partition),
        _features(partition),
        files_check(partition, folder),
    )


def _tables(unlearned: Recommender, partition: Partition) -> Check:
    rows = {"users": len(partition.user_rows), "items": len(partition.item_rows)}
    found = [
        f"{name} has {counted(len(table.weight), 'row')} for {rows[table.side]:,} {table.side}"
        for name, table in unlearned.tables().items()
        if len(table.weight) != rows[table.side]
    ]
    gone = set(partition.original.modalities) - set(partition.retained.modalities)
    found += [name for name, modality in modality_of_parameters(unlearned).items() if modality in gone]
    tables = len(unlearned.tables())
    return Check.of_findings(
        TABLES,
        found,
        f"{tables} tables hold retained rows only",
        "left in the tables",
    )


def _surviving_rows(original: Recommender, unlearned: Recommender, partition: Partition) -> Check:
    """Return a forgotten row that occurs, bit for bit, anywhere in the new table.

    Tables of one number a row, such as biases of items, are passed over: two of ten thousand agree by chance.
    """
    found: list[str] = []
    after = unlearned.tables()
    for name, table in original.tables().items():
        if name not in after or table.weight.shape[1] == 1:
            continue
        lost = partition.removed_users if table.side == "users" else partition.removed_items
        if table.feature is not None:
            lost = lost | partition.removed_features.get(table.feature, np.zeros_like(lost))
        rows = table.weight.detach().cpu().numpy()
        survives = held_in(after[name].weight.detach().cpu().numpy(), rows[lost])
        found += [f"{name}[{row}]" for row in np.flatnonzero(lost)[survives & rows[lost].any(axis=1)]]
    return Check.of_findings(
        ROWS,
        found,
        "no forgotten row stands in a new table",
        "forgotten rows survive",
    )


def _features(partition: Partition) -> Check:
    """Return a forgotten feature row that occurs, bit for bit, in any row, even that of an item said to have none.

    Rows of zeros are passed over, since every item without the modality has one, and so is what a kept item has, too.
    """
    found: list[str] = []
    for name, before in partition.original.modalities.items():
        lost: Bools = (
            partition.removed_items | partition.removed_features.get(name, np.zeros_like(partition.removed_items))
        ) & before.present
        if name not in partition.retained.modalities or not lost.any():
            continue
        gone = np.flatnonzero(lost)
        content = np.asarray(before.features[gone])
        left = held_in(partition.retained.modalities[name].features, content) & content.any(axis=1)
        shared = held_in(before.features[before.present & ~lost], content[left])
        found += [f"{name} of item row {row}" for row in gone[left][~shared]]
    return Check.of_findings(
        FEATURES,
        found,
        "no forgotten feature row is left",
        "forgotten features are still there",
    )


def held_in(table: np.ndarray, rows: np.ndarray) -> Bools:
    """Find which of `rows` [M, F] occur, bit for bit, anywhere in `table` [R, F] of the same dtype; bool [M].

    Only rows of the table that begin like one of `rows` are compared as a whole.
    """
    wanted = _bits(rows)
    begins = np.unique(wanted[:, 0])
    there = {row.tobytes() for part in _parts(table) for row in part[np.isin(part[:, 0], begins)]}
    return np.array([row.tobytes() in there for row in wanted], dtype=bool)


def _parts(table: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(table), _BLOCK):
        yield _bits(table[start : start + _BLOCK])


def _bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")

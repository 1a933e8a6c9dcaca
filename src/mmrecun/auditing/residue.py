"""Look for survivors: forgotten ids, pairs, rows and features in everything an unlearned run holds."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from mmrecun.arrays import Bools
from mmrecun.auditing.result import Check, Outcome
from mmrecun.data.files import read_parquet
from mmrecun.data.graph import RequiredInputs, build_inputs
from mmrecun.data.references import Gone, Mention, mentions
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.secret import read_key
from mmrecun.models.base import Recommender
from mmrecun.models.per_modality import modality_of_parameters
from mmrecun.text import preview

_LONG_ENOUGH = 4
_OWN = {
    "manifest.json",
    "audit.json",
    "report.html",
    "dataset.toml",
    "export.json",
}  # full of words of the program itself
_OWN_WORD = re.compile(rb"[a-z_]+@\d+")  # names of figures
_ROWS = 1 << 16


def scan(
    original: Recommender,
    unlearned: Recommender,
    partition: Partition,
    folder: Path,
    record: ForgetRecord | None,
    key: bytes | None = None,
) -> tuple[Check, ...]:
    """All residue checks of the run in `folder`; their details count forgotten ids and never spell one out.

    Args:
        original, unlearned: the models before and after.
        partition: original and retained data.
        folder: of the unlearned run.
        record: what the run keeps of the request, from when it came in. Ids, pairs and features that the run still
            holds are held against its hashes, where they can be read, or else against its counts.
        key: reads the hashes; that of MMRECUN_KEY by default.
    """
    record = record and record.with_key(key or read_key())
    return (
        *_named(unlearned, partition, record),
        _tables(unlearned, partition),
        _surviving_rows(original, unlearned, partition),
        _features(partition),
        _files(partition, folder),
    )


def _check(name: str, found: Iterable[object], clean: str, dirty: str) -> Check:
    listed = list(found)
    if not listed:
        return Check(name=name, state=Outcome.PASSED, detail=clean)
    return Check(name=name, state=Outcome.FAILED, detail=f"{dirty}: {preview(listed)}")


def _lost_names(partition: Partition) -> list[str]:
    users = partition.original.users.names.filter(pl.Series(partition.removed_users))
    items = partition.original.items.names.filter(pl.Series(partition.removed_items))
    return [*users, *items]


def _named(unlearned: Recommender, partition: Partition, record: ForgetRecord | None) -> tuple[Check, ...]:
    """Return the three checks that rest on what the run keeps of the request: on its hashes, or as far as counts go."""
    if record is not None and record.readable:
        return _ids(partition, record), _graph(unlearned, partition, record), _attached(partition, record)
    if record is None or not record.counts:
        detail = "the run does not say what was requested (it was made by an earlier version)"
        names = ("ids", "graphs", "modalities")
        return tuple(Check(name=f"residue: {of}", state=Outcome.NOT_ASSESSED, detail=detail) for of in names)
    beyond = (
        len(_edges(unlearned, partition)) - len(partition.retained.train)
        if unlearned.required_inputs().user_item
        else 0
    )
    left = {
        "ids": {"users": int(partition.removed_users.sum()), "items": int(partition.removed_items.sum())},
        "graphs": {"pairs": partition.single_pair_count()},
        "modalities": {"features": sum(int(mask.sum()) for mask in partition.removed_features.values())},
    }
    checks = tuple(_counted(f"residue: {of}", record, gone) for of, gone in left.items())
    if beyond > 0:
        detail = f"the graph has {beyond} edges more than the retained data have pairs"
        return checks[0], Check(name="residue: graphs", state=Outcome.FAILED, detail=detail), checks[2]
    return checks


def _counted(name: str, record: ForgetRecord, left: dict[str, int]) -> Check:
    """Whether at least as much has left as the request named."""
    asked = {kind: record.counts.get(kind, 0) for kind in left}
    if not any(asked.values()):
        return _none_asked(name, " or ".join(asked))
    missing = [f"{left[kind]} of {asked[kind]} {kind}" for kind in left if left[kind] < asked[kind]]
    why = "the key of the run was not given" if record.locked else "the run was made without a key"
    said = " and ".join(f"{count} {kind}" for kind, count in asked.items())
    gone = " and ".join(f"{left[kind]} {kind}" for kind in left)
    clean = f"{said} were asked for and {gone} have left; whether they are the right ones was not checked, since {why}"
    check = _check(name, missing, clean, "fewer have left than were asked for")
    return check.model_copy(update={"partly": "only the number was checked"})


def _none_asked(name: str, kind: str) -> Check:
    detail = f"no single {kind} were asked for; those of removed users and items are looked for by the other scans"
    return Check(name=name, state=Outcome.NOT_APPLICABLE, detail=detail)


def _ids(partition: Partition, record: ForgetRecord) -> Check:
    if not record.users and not record.items:
        return _none_asked("residue: ids", "users or items")
    retained = partition.retained
    left = {"users": record.users_in(retained.users.names), "items": record.items_in(retained.items.names)}
    found = [f"{int(mask.sum())} {of}" for of, mask in left.items() if mask.any()]
    detail = f"none of {len(record.users)} users and {len(record.items)} items asked for is in an id map"
    return _check("residue: ids", found, detail, "forgotten ids are still in the id maps")


def _edges(unlearned: Recommender, partition: Partition) -> np.ndarray:
    """Return the edges of the graph that the model is given, int64 [N, 2] of users and items; none without a graph."""
    edges = RequiredInputs(user_item=unlearned.required_inputs().user_item)
    inputs = build_inputs(partition.retained, edges, torch.device("cpu"))
    if inputs.user_block is None:
        return np.empty((0, 2), dtype=np.int64)
    block = inputs.user_block.forward
    users = np.repeat(np.arange(block.shape[0]), np.diff(block.crow_indices().numpy()))
    return np.stack([users, block.col_indices().numpy().astype(np.int64)], axis=1)


def _graph(unlearned: Recommender, partition: Partition, record: ForgetRecord) -> Check:
    """Pairs among all retained interactions and among the edges of the graph that the model is given."""
    if not record.pairs:
        return _none_asked("residue: graphs", "pairs")
    retained = partition.retained
    whole = retained.interactions
    pairs = {"interactions": (whole.users, whole.items)}
    edges = _edges(unlearned, partition)
    if len(edges):
        pairs["edges"] = (edges[:, 0], edges[:, 1])
    found = []
    for of, (users, items) in pairs.items():
        bad = record.pairs_in(retained.users.names.gather(users), retained.items.names.gather(items))
        found += [f"{int(bad.sum())} {of}"] if bad.any() else []
    searched = " and ".join(f"{len(users)} {of}" for of, (users, _) in pairs.items())
    clean = f"none of {len(record.pairs)} pairs asked for is among {searched}"
    return _check("residue: graphs", found, clean, "forgotten pairs are still there")


def _attached(partition: Partition, record: ForgetRecord) -> Check:
    """Modalities that items should have lost."""
    if not record.features:
        return _none_asked("residue: modalities", "features")
    names, found = partition.retained.items.names, []
    for modality, held in partition.retained.modalities.items():
        bad = record.features_in(modality, names.filter(pl.Series(held.present)))
        found += [f"{int(bad.sum())} of '{modality}'"] if bad.any() else []
    clean = f"none of {len(record.features)} features asked for is attached"
    return _check("residue: modalities", found, clean, "forgotten features are still attached")


def _tables(unlearned: Recommender, partition: Partition) -> Check:
    rows = {"users": len(partition.user_rows), "items": len(partition.item_rows)}
    found = [
        f"{name} has {len(table.weight)} rows for {rows[table.side]} {table.side}"
        for name, table in unlearned.tables().items()
        if len(table.weight) != rows[table.side]
    ]
    gone = set(partition.original.modalities) - set(partition.retained.modalities)
    found += [name for name, modality in modality_of_parameters(unlearned).items() if modality in gone]
    tables = len(unlearned.tables())
    return _check("residue: tables", found, f"{tables} tables hold retained rows only", "left in the tables")


def _surviving_rows(original: Recommender, unlearned: Recommender, partition: Partition) -> Check:
    """Return a forgotten row that stands, bit for bit, anywhere in the new table."""
    found: list[str] = []
    after = unlearned.tables()
    for name, table in original.tables().items():
        if name not in after:
            continue
        lost = partition.removed_users if table.side == "users" else partition.removed_items
        if table.modality is not None:
            lost = lost | partition.removed_features.get(table.modality, np.zeros_like(lost))
        rows = table.weight.detach().cpu().numpy()
        standing = held_in(after[name].weight.detach().cpu().numpy(), rows[lost])
        found += [f"{name}[{row}]" for row in np.flatnonzero(lost)[standing & rows[lost].any(axis=1)]]
    return _check("residue: rows", found, "no forgotten row stands in a new table", "forgotten rows survive")


def _features(partition: Partition) -> Check:
    found: list[str] = []
    for name, before in partition.original.modalities.items():
        lost: Bools = (
            partition.removed_items | partition.removed_features.get(name, np.zeros_like(partition.removed_items))
        ) & before.present
        if name not in partition.retained.modalities or not lost.any():
            continue
        gone = np.flatnonzero(lost)
        content = np.asarray(before.features[gone])
        left = held_in(partition.retained.modalities[name].features, content)
        shared = held_in(before.features[before.present & ~lost], content[left])
        found += [f"{name} of item row {row}" for row in gone[left][~shared]]
    return _check("residue: features", found, "no forgotten feature row is left", "forgotten features are still there")


def held_in(table: np.ndarray, rows: np.ndarray) -> Bools:
    """Which of `rows` [M, F] stand, bit for bit, anywhere in `table` [R, F] of the same dtype; bool [M].

    Few rows of the table, those that begin like one of `rows`, are ever looked at whole.
    """
    wanted = _bits(rows)
    begins = np.unique(wanted[:, 0])
    there = {row.tobytes() for part in _parts(table) for row in part[np.isin(part[:, 0], begins)]}
    return np.array([row.tobytes() in there for row in wanted], dtype=bool)


def _parts(table: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(table), _ROWS):
        yield _bits(table[start : start + _ROWS])


def _bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def _files(partition: Partition, folder: Path) -> Check:
    """Forgotten ids in Parquet columns and attributes, and as words in any other file; none of the program's own words.

    Short and numeric ids are looked for in Parquet alone. In the program's own files, ids that are plain words cannot
    be told from its own, and are passed over.
    """
    names = _lost_names(partition)
    words = [name for name in names if len(name) >= _LONG_ENOUGH and not name.isdigit()]
    odd = [name for name in words if not name.isalpha() and not _OWN_WORD.fullmatch(name.encode())]
    found: list[str] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        hits = 0
        if path.suffix == ".parquet":
            hits = _in_columns(path, names, partition)
        elif path.suffix not in (".npy", ".safetensors"):
            content = _content(path)
            sought = odd if path.name in _OWN else words
            hits = sum(_holds(content, name.encode()) for name in sought)
        if hits:
            found.append(f"{hits} in {path.name}")
    notes = [f"{len(names)} ids were looked for in {len(files)} files"]
    if len(words) < len(names):
        notes.append("short or purely numeric ids in Parquet only")
    for mention in _mentioned(partition):
        if mention.plain:
            notes.append(f"words that are ids stand in {mention.rows} rows of {mention.table}.{mention.column}")
        else:
            found.append(f"{mention.rows} in the attribute '{mention.column}' of {mention.table}")
    return _check("residue: files", found, "; ".join(notes), "forgotten ids stand in files")


def _mentioned(partition: Partition) -> list[Mention]:
    """Forgotten ids in attributes of who and what is retained."""
    original = partition.original
    users, items = (original.users.names, partition.removed_users), (original.items.names, partition.removed_items)
    gone = Gone(*(ids.filter(pl.Series(lost)) for ids, lost in (users, items)))
    return mentions(partition.retained, original, gone)


def _in_columns(path: Path, names: list[str], partition: Partition) -> int:
    """How many forgotten ids stand in the columns of ids of a Parquet file."""
    wanted = pl.Series(names, dtype=pl.String).implode()
    kept = pl.concat(
        [ids.names.filter(ids.names.is_in(wanted)) for ids in (partition.retained.users, partition.retained.items)]
    )
    frame = read_parquet(path)
    columns = [frame[column].cast(pl.String) for column in frame.columns if column in ("id", "user", "item")]
    held = pl.concat(columns).unique() if columns else kept.clear()
    return int((held.is_in(wanted) & ~held.is_in(kept.implode())).sum())


def _content(path: Path) -> bytes:
    """Return what a file says; of JSON the texts and keys alone, and of the program's own JSON the texts alone."""
    content = path.read_bytes()
    if path.suffix != ".json":
        return content
    try:
        return "\n".join(_texts(json.loads(content), keys=path.name not in _OWN)).encode()
    except (ValueError, RecursionError):
        return content


def _texts(value: Any, keys: bool) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value if keys else ()
        for entry in value.values():
            yield from _texts(entry, keys)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, keys)


def _holds(content: bytes, name: bytes) -> bool:
    return name in content and re.search(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)", content) is not None

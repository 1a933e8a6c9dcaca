"""Look for survivors: forgotten ids, pairs, rows and features in everything an unlearned run holds."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch

from mmrecun.audit.verdict import Check, State
from mmrecun.data.forget import Partition
from mmrecun.data.graph import InputSpec, build_inputs
from mmrecun.data.ids import IdMap
from mmrecun.data.requested import Requested
from mmrecun.errors import some
from mmrecun.models.base import Recommender
from mmrecun.shapes import Bools

_LONG_ENOUGH = 4
_ROWS = 1 << 16


def scan(
    original: Recommender, unlearned: Recommender, parts: Partition, folder: Path, requested: Requested | None
) -> tuple[Check, ...]:
    """All residue checks of the run in `folder`; their details count forgotten ids and never spell one out.

    Args:
        original, unlearned: the models before and after.
        parts: original and retained data.
        folder: of the unlearned run.
        requested: what the requests named, as salted hashes that were written when the request came in. Ids, pairs and
            features that the run still holds are held against these; without them nothing is claimed.
    """
    return (
        _ids(parts, requested),
        _graph(unlearned, parts, requested),
        _attached(parts, requested),
        _tables(unlearned, parts),
        _surviving_rows(original, unlearned, parts),
        _features(parts),
        _files(parts, folder),
    )


def _check(name: str, found: Iterable[object], clean: str, dirty: str) -> Check:
    listed = list(found)
    if not listed:
        return Check(name=name, state=State.PASSED, detail=clean)
    return Check(name=name, state=State.FAILED, detail=f"{dirty}: {some(listed)}")


def _lost_names(parts: Partition) -> list[str]:
    users = parts.original.users.names.filter(pl.Series(parts.lost_users))
    items = parts.original.items.names.filter(pl.Series(parts.lost_items))
    return [*users, *items]


def _id_maps(parts: Partition) -> tuple[IdMap, IdMap]:
    return parts.retained.users, parts.retained.items


def _unknown(name: str) -> Check:
    detail = "the run does not say what was requested (it was made by an earlier version)"
    return Check(name=name, state=State.NOT_ASSESSED, detail=detail)


def _ids(parts: Partition, requested: Requested | None) -> Check:
    name = "residue: ids"
    if requested is None:
        return _unknown(name)
    retained = parts.retained
    left = {"users": requested.users_in(retained.users.names), "items": requested.items_in(retained.items.names)}
    found = [f"{int(mask.sum())} {of}" for of, mask in left.items() if mask.any()]
    detail = f"none of {len(requested.users)} users and {len(requested.items)} items asked for is in an id map"
    return _check(name, found, detail, "forgotten ids are still in the id maps")


def _graph(unlearned: Recommender, parts: Partition, requested: Requested | None) -> Check:
    """Pairs among all retained interactions and among the edges of the graph that the model is given."""
    name = "residue: graphs"
    if requested is None:
        return _unknown(name)
    retained = parts.retained
    whole = retained.interactions
    pairs = {"interactions": (whole.users, whole.items)}
    edges = InputSpec(user_item=unlearned.spec().user_item)
    inputs = build_inputs(retained, edges, torch.device("cpu"))
    if inputs.user_block is not None:
        block = inputs.user_block.forward
        users = np.repeat(np.arange(block.shape[0]), np.diff(block.crow_indices().numpy()))
        pairs["edges"] = (users, block.col_indices().numpy().astype(np.int64))
    found = []
    if requested.pairs:
        for of, (users, items) in pairs.items():
            bad = requested.pairs_in(retained.users.names.gather(users), retained.items.names.gather(items))
            found += [f"{int(bad.sum())} {of}"] if bad.any() else []
    searched = " and ".join(f"{len(users)} {of}" for of, (users, _) in pairs.items())
    clean = f"none of {len(requested.pairs)} pairs asked for is among {searched}"
    return _check(name, found, clean, "forgotten pairs are still there")


def _attached(parts: Partition, requested: Requested | None) -> Check:
    """Modalities that items should have lost."""
    name = "residue: modalities"
    if requested is None:
        return _unknown(name)
    names, found = parts.retained.items.names, []
    for modality, held in parts.retained.modalities.items():
        bad = requested.features_in(modality, names.filter(pl.Series(held.present)))
        found += [f"{int(bad.sum())} of '{modality}'"] if bad.any() else []
    clean = f"none of {len(requested.features)} features asked for is attached"
    return _check(name, found, clean, "forgotten features are still attached")


def _tables(unlearned: Recommender, parts: Partition) -> Check:
    rows = {"users": len(parts.user_rows), "items": len(parts.item_rows)}
    found = [
        f"{name} has {len(table.weight)} rows for {rows[table.of]} {table.of}"
        for name, table in unlearned.tables().items()
        if len(table.weight) != rows[table.of]
    ]
    gone = set(parts.original.modalities) - set(parts.retained.modalities)
    found += [name for name in unlearned.state_dict() if gone & set(name.split("."))]
    tables = len(unlearned.tables())
    return _check("residue: tables", found, f"{tables} tables hold retained rows only", "left in the tables")


def _surviving_rows(original: Recommender, unlearned: Recommender, parts: Partition) -> Check:
    """A forgotten row that stands, bit for bit, anywhere in the new table."""
    found: list[str] = []
    after = unlearned.tables()
    for name, table in original.tables().items():
        if name not in after:
            continue
        lost = parts.lost_users if table.of == "users" else parts.lost_items
        if table.modality is not None:
            lost = lost | parts.lost_features.get(table.modality, np.zeros_like(lost))
        rows = table.weight.detach().cpu().numpy()
        standing = held_in(after[name].weight.detach().cpu().numpy(), rows[lost])
        found += [f"{name}[{row}]" for row in np.flatnonzero(lost)[standing & rows[lost].any(axis=1)]]
    return _check("residue: rows", found, "no forgotten row stands in a new table", "forgotten rows survive")


def _features(parts: Partition) -> Check:
    found: list[str] = []
    for name, before in parts.original.modalities.items():
        lost: Bools = (
            parts.lost_items | parts.lost_features.get(name, np.zeros_like(parts.lost_items))
        ) & before.present
        if name not in parts.retained.modalities or not lost.any():
            continue
        gone = np.flatnonzero(lost)
        content = np.asarray(before.features[gone])
        left = held_in(parts.retained.modalities[name].features, content)
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


def _files(parts: Partition, folder: Path) -> Check:
    """Forgotten ids as whole values in Parquet columns, or as whole words in any other file."""
    names = _lost_names(parts)
    wanted = pl.Series(names, dtype=pl.String)
    searchable = [name.encode() for name in names if len(name) >= _LONG_ENOUGH and not name.isdigit()]
    kept = pl.concat([ids.names.filter(ids.names.is_in(wanted.implode())) for ids in _id_maps(parts)])
    found: list[str] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        hits = 0
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            columns = [frame[column] for column in frame.columns if column in ("id", "user", "item")]
            held = pl.concat(columns).unique() if columns else wanted.clear()
            hits = int((held.is_in(wanted.implode()) & ~held.is_in(kept.implode())).sum())
        elif path.suffix not in (".npy", ".safetensors"):
            content = path.read_bytes()
            hits = sum(name in content and _word(name).search(content) is not None for name in searchable)
        if hits:
            found.append(f"{hits} in {path.name}")
    detail = f"{len(names)} ids were looked for in {len(files)} files"
    if len(searchable) < len(names):
        detail += "; short or purely numeric ids in Parquet only"
    return _check("residue: files", found, detail, "forgotten ids stand in files")


def _word(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?<!\w)" + re.escape(name) + rb"(?!\w)")

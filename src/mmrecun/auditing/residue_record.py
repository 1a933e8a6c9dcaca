"""Look for requested ids in an unlearned run, by the run's own record of the request."""

import numpy as np
import polars as pl
import torch

from mmrecun.auditing.keys import CheckName, Question
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import Check
from mmrecun.data.graph import RequiredInputs, build_inputs
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.models.base import Recommender
from mmrecun.text import counted

IDS, GRAPHS, MODALITIES = (CheckName.asking(Question.RESIDUE, of) for of in ("ids", "graphs", "modalities"))


def record_checks(unlearned: Recommender, partition: Partition, record: ForgetRecord | None) -> tuple[Check, ...]:
    """Look for what the request named: ids in the id maps, pairs in data and graph, features of items.

    They are compared with the hashes in the record if they can be read, or else with its counts; without either the
    checks are not assessed.
    """
    if record is not None and record.readable:
        return _ids(partition, record), _graph(unlearned, partition, record), _attached(partition, record)
    if record is None or not record.counts:
        detail = "the run does not say what was requested (it was made by an earlier version)"
        return tuple(Check(name=name, state=Outcome.NOT_ASSESSED, detail=detail) for name in (IDS, GRAPHS, MODALITIES))
    return _checks_by_counts(unlearned, partition, record)


def _checks_by_counts(unlearned: Recommender, partition: Partition, record: ForgetRecord) -> tuple[Check, ...]:
    """Return the same checks as far as numbers go: has as much left as was requested, and has no edge too many."""
    left = {
        IDS: {"users": int(partition.removed_users.sum()), "items": int(partition.removed_items.sum())},
        GRAPHS: {"pairs": len(partition.single_pairs)},
        MODALITIES: {"features": sum(int(mask.sum()) for mask in partition.removed_features.values())},
    }
    checks = {name: _count_check(name, record, gone) for name, gone in left.items()}
    if unlearned.required_inputs().user_item:
        beyond = len(_edges(unlearned, partition)) - len(partition.retained.train)
        if beyond > 0:
            detail = f"the graph has {beyond} edges more than the retained data have pairs"
            checks[GRAPHS] = Check(name=GRAPHS, state=Outcome.FAILED, detail=detail)
    return tuple(checks.values())


def _counted(count: int, kinds: str) -> str:
    return counted(count, kinds.removesuffix("s"))


def _count_check(name: CheckName, record: ForgetRecord, left: dict[str, int]) -> Check:
    """Check that at least as much was removed as the request named."""
    asked = {kind: record.counts.get(kind, 0) for kind in left}
    if not any(asked.values()):
        return _nothing_asked_check(name, " or ".join(asked))
    missing = [f"{left[kind]} of {asked[kind]} {kind}" for kind in left if left[kind] < asked[kind]]
    why = record.why_locked if record.locked else "the run was made without a key"
    requested = " and ".join(_counted(count, kind) for kind, count in asked.items())
    gone = " and ".join(_counted(left[kind], kind) for kind in left)
    clean = f"asked for: {requested}; removed: {gone}; whether they are the right ones was not checked, since {why}"
    check = Check.of_findings(name, missing, clean, "fewer were removed than were asked for")
    return check.model_copy(update={"partly": "only the number was checked"})


def _nothing_asked_check(name: CheckName, kind: str) -> Check:
    detail = f"no single {kind} were asked for; those of removed users and items are looked for by the other scans"
    return Check(name=name, state=Outcome.NOT_APPLICABLE, detail=detail)


def _ids(partition: Partition, record: ForgetRecord) -> Check:
    if not record.users and not record.items:
        return _nothing_asked_check(IDS, "users or items")
    retained = partition.retained
    left = {"users": record.users_in(retained.users.names), "items": record.items_in(retained.items.names)}
    found = [_counted(int(mask.sum()), of) for of, mask in left.items() if mask.any()]
    asked = f"{counted(len(record.users), 'user')} and {counted(len(record.items), 'item')}"
    detail = f"none of {asked} asked for is in an id map"
    return Check.of_findings(IDS, found, detail, "forgotten ids are still in the id maps")


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
    """Look for the pairs among all retained interactions and among the edges of the model's graph."""
    if not record.pairs:
        return _nothing_asked_check(GRAPHS, "pairs")
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
    clean = f"none of {counted(len(record.pairs), 'pair')} asked for is among {searched}"
    return Check.of_findings(GRAPHS, found, clean, "forgotten pairs are still there")


def _attached(partition: Partition, record: ForgetRecord) -> Check:
    """Look for modalities that items should have lost."""
    if not record.features:
        return _nothing_asked_check(MODALITIES, "features")
    names, found = partition.retained.items.names, []
    for modality, held in partition.retained.modalities.items():
        bad = record.features_in(modality, names.filter(pl.Series(held.present)))
        found += [f"{int(bad.sum())} of '{modality}'"] if bad.any() else []
    clean = f"none of {counted(len(record.features), 'feature')} asked for is attached"
    return Check.of_findings(MODALITIES, found, clean, "forgotten features are still attached")

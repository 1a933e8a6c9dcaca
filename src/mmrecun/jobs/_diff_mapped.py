"""Differences between two runs in chunks on one dataset: counts of everybody, and lists of drawn users."""

from pathlib import Path
from typing import Any

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.chunked.excerpt import Excerpt
from mmrecun.chunked.residue import users_with_other_pairs
from mmrecun.chunked.run import SIDES, MappedRun
from mmrecun.data.interactions import Split
from mmrecun.device import prepared
from mmrecun.errors import ConfigError
from mmrecun.jobs._diff import LENGTH, Compared, compare
from mmrecun.jobs._mapped import checked_users, compared_items, most_touched
from mmrecun.jobs._part_reader import HERE, reader
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.runs import PathLike

_SEED = Seed(20).child("difference of runs in chunks")
_BLOCK = 1 << 16  # users whose pairs are read at once


@prepared()
def diff_mapped(
    run: PathLike,
    other: PathLike,
    names: bool = False,
    progress: Progress = no_progress,
    users: int | None = None,
    on: str = HERE,
) -> dict[str, Any]:
    """Compare two runs in chunks, whole or in parts, that were trained on the same dataset or descend from such runs.

    Args:
        run, other: their folders.
        names: whether to name the users whose lists changed most.
        progress: called with the number of finished lists.
        users: how many are drawn, beside at most four times as many who lost pairs; 0 for all; by default 500, fewer
            where there are many items.
        on: "here", or "ray:HOST:PORT" for parts on the hosts of a cluster.

    Returns:
        What `diff` returns, of which `rows` counts everybody, and the group "all", the movers and "others" are the
        users drawn; and `sample`, the number of users drawn. Lists are those of all items; `vectors` are of the users
        measured and of the items that are in their lists or pairs, beside 20,000 drawn ones.

    Raises:
        ConfigError: when the runs were trained on different data.
    """
    with reader(on) as read:
        first, second = read(Path(run)), read(Path(other))
        if first.manifest.dataset != second.manifest.dataset:
            raise ConfigError(
                f"{run} and {other} were trained on different data; compare runs in chunks of one dataset"
            )
        rows = {side: (first.retained(side), second.retained(side)) for side in SIDES}
        differ = users_with_other_pairs(first, second)
        removed, added = (_pairs_without(*pair, differ) for pair in ((first, second), (second, first)))
        common = {side: _common(*both) for side, both in rows.items()}
        count = checked_users(first.size("items")) if users is None else users
        drawn = common["users"] if not count else _drawn(common["users"], count)
        lost = _common(common["users"], differ[removed > 0])
        chosen = np.union1d(drawn, lost if not count else _drawn(lost, most_touched(count)))
        parts = _compared((first, second), chosen, rows["items"], common["items"], bool(count))
        found = compare(*parts, names, progress, np.isin(chosen, drawn))
    counts = {side: _counts(*map(len, (*both, common[side]))) for side, both in rows.items()}
    before, after = (sum(each.manifest.pairs.values()) for each in (first, second))
    gone, come = int(removed.sum()), int(added.sum())
    counts["interactions"] = {"before": before, "after": after, "removed": gone, "added": come}
    return found | {"rows": counts, "sample": len(drawn)}


def _compared(
    runs: tuple[MappedRun, MappedRun], users: Ints, items: tuple[Ints, Ints], common: Ints, some: bool
) -> tuple[Compared, Compared]:
    """Return the `users` of both runs and the items that they are compared on: all, or `some` of the `common` ones.

    All of int64, rows. Items that only one of the runs has are compared in any case.
    """
    chosen = common
    if some:
        chosen = _common(compared_items([(run, users) for run in runs], common, LENGTH), common)
    excerpts = (
        Excerpt(run, users, np.union1d(chosen, np.setdiff1d(every, common, assume_unique=True)))
        for run, every in zip(runs, items, strict=True)
    )
    one, two = (Compared(part.run.folder, part.dataset, part.vectors) for part in excerpts)
    return one, two


def _drawn(rows: Ints, count: int) -> Ints:
    return np.sort(_SEED.numpy().choice(rows, min(count, len(rows)), replace=False))


def _common(first: Ints, second: Ints) -> Ints:
    """Return the rows that both have, in the order of the first; int64."""
    return first[np.isin(first, second, kind="table")]  # a table of the rows: sorting ten million takes seconds


def _counts(before: int, after: int, both: int) -> dict[str, int]:
    return {"before": before, "after": after, "removed": before - both, "added": after - both}


def _pairs_without(run: MappedRun, other: MappedRun, users: Ints) -> Ints:
    """Count the pairs of each of `users` (int64 [K]) that `other` lacks, in all splits: int64 [K]."""
    counts = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(users), _BLOCK):
        part = users[start : start + _BLOCK]
        pairs, others = (each.interactions(part, *Split) for each in (run, other))
        missing = ~others.contains(pairs.users, pairs.items, run.size("items"))
        counts.append(np.bincount(pairs.users[missing], minlength=len(part)))
    return np.concatenate(counts)

"""Differences between two runs: what was removed, whose lists changed, and by how much."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmrecun.arrays import Bools, Floats, Ints
from mmrecun.data.dataset import Dataset, inverse_index
from mmrecun.data.ids import IdMap
from mmrecun.device import prepared
from mmrecun.errors import ConfigError
from mmrecun.evaluation.changes import list_overlap, lists_with, moved, same_lists
from mmrecun.evaluation.ranking import top_k
from mmrecun.jobs._titles import titles_of
from mmrecun.models.base import UserItemVectors
from mmrecun.models.inference import vectors_of
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike, Run, load

LENGTH = 20
_MOVERS = 10


class Compared(NamedTuple):
    """One of the two runs.

    Attributes:
        folder: its folder.
        data: its dataset.
        vectors: of its users and items, on the CPU.
    """

    folder: Path
    data: Dataset
    vectors: UserItemVectors


@dataclass(frozen=True)
class _Side:
    """One of the two runs, with the rows of the users and items that both have.

    Attributes:
        folder, data: as in `Compared`.
        users, items: int64, rows of the common users and items, in the order of the first run.
        foreign: number of its first item in lists where the other run does not have that item.
        user_vectors, item_vectors: all of its vectors.
    """

    folder: Path
    data: Dataset
    users: Ints
    items: Ints
    foreign: int
    user_vectors: Tensor
    item_vectors: Tensor

    def lists(self, progress: Progress, only_common: bool) -> Ints:
        """Return lists of the common users, int64 [M, K].

        Places of common items, from `foreign` on others, -1 for none.
        """
        place = inverse_index(self.items, len(self.data.items))
        pairs, table = self.data.interactions, self.item_vectors
        if only_common:
            pairs, table = pairs.renumbered(np.arange(len(self.data.users)), place), table[torch.from_numpy(self.items)]
            place = np.arange(len(self.items))
        found = top_k(self.user_vectors, table, pairs, self.users, LENGTH, progress)
        named = place[found]
        return np.where(found < 0, -1, np.where(named < 0, self.foreign + found, named))


@prepared()
def diff(
    run: Run | PathLike, other: Run | PathLike, names: bool = False, progress: Progress = no_progress
) -> dict[str, Any]:
    """Compare two runs over the users and items that both have.

    Args:
        run, other: runs or their folders; most often a run and one that was unlearned from it.
        names: whether to name the users whose lists changed most.
        progress: called with the number of finished lists.

    Returns:
        `rows`: how many users, items and interactions each has and how many the other lacks; `modalities`;
        `vectors`: how far they moved; `lists`: how much lists of 20 changed, as they are served and among items that
        both have, also for users who lost pairs and for the others; `movers`: items by change of exposure;
        `most_changed_users`: by overlap of their lists, with `names` alone.

    Raises:
        ConfigError: when the runs share no user or no item.
    """
    return compare(_of_run(load(run)), _of_run(load(other)), names, progress)


def compare(
    run: Compared, other: Compared, names: bool, progress: Progress, drawn: Bools | None = None
) -> dict[str, Any]:
    """Do as `diff` for runs that were read.

    Args:
        run, other: the runs.
        names, progress: as for `diff`.
        drawn: bool [U] over the first run's users, those who are a random sample of all; None for all of them. The
            figures of the group "all" and the movers are theirs.
    """
    first, second = _sides(run, other)
    everybody = np.ones(len(first.users), dtype=bool) if drawn is None else drawn[first.users]
    before, after = (side.lists(progress, only_common=False) for side in (first, second))
    kept_before, kept_after = (side.lists(progress, only_common=True) for side in (first, second))
    lost = _lost_pairs(first, second)
    overlap = list_overlap(before, after)
    among_kept = list_overlap(kept_before, kept_after)
    same = same_lists(kept_before, kept_after)
    groups = {"all": everybody, "who lost pairs": lost, "others": ~lost}
    served = before[everybody], after[everybody]
    return {
        "run": str(first.folder),
        "other": str(second.folder),
        "rows": _rows(first, second),
        "modalities": {
            "removed": sorted(set(first.data.modalities) - set(second.data.modalities)),
            "added": sorted(set(second.data.modalities) - set(first.data.modalities)),
        },
        "vectors": _vectors(first, second),
        "lists": {
            "k": LENGTH,
            **{name: _of_group(overlap[of], among_kept[of], same[of]) for name, of in groups.items()},
        },
        "movers": _movers(first, served),
        **({"most_changed_users": _most_changed(first, among_kept)} if names else {}),
    }


def _of_run(run: Run) -> Compared:
    vectors = vectors_of(run.model, run.dataset)
    return Compared(run.folder, run.dataset, (vectors.users.detach().cpu(), vectors.items.detach().cpu()))


def _sides(first: Compared, second: Compared) -> tuple[_Side, _Side]:
    rows = []
    for kind, one, two in (
        ("user", first.data.users, second.data.users),
        ("item", first.data.items, second.data.items),
    ):
        rows.append(_common(one, two))
        if not len(rows[-1][0]):
            raise ConfigError(f"{first.folder} and {second.folder} have no {kind} in common; nothing can be compared")
    (first_users, second_users), (first_items, second_items) = rows
    common = len(first_items)
    return (
        _Side(first.folder, first.data, first_users, first_items, common, *first.vectors),
        _Side(second.folder, second.data, second_users, second_items, common + len(first.data.items), *second.vectors),
    )


def _common(one: IdMap, two: IdMap) -> tuple[Ints, Ints]:
    there = two.find(one.names)
    return np.flatnonzero(there >= 0), there[there >= 0]


def _rows(first: _Side, second: _Side) -> dict[str, Any]:
    counts = {
        "users": (len(first.data.users), len(second.data.users), len(first.users)),
        "items": (len(first.data.items), len(second.data.items), len(first.items)),
        "interactions": (len(first.data.interactions), len(second.data.interactions), _common_pairs(first, second)),
    }
    return {
        kind: {"before": one, "after": two, "removed": one - both, "added": two - both}
        for kind, (one, two, both) in counts.items()
    }


def _in_second(first: _Side, second: _Side) -> Bools:
    """Say which of the first run's interactions the second one has, too: bool [N]."""
    pairs = first.data.interactions
    user_there, item_there = (np.full(len(ids), -1, dtype=np.int64) for ids in (first.data.users, first.data.items))
    user_there[first.users], item_there[first.items] = second.users, second.items
    users, items = user_there[pairs.users], item_there[pairs.items]
    found: Bools = (users >= 0) & (items >= 0)
    return found & second.data.interactions.contains(users, items, len(second.data.items))


def _common_pairs(first: _Side, second: _Side) -> int:
    return int(_in_second(first, second).sum())


def _lost_pairs(first: _Side, second: _Side) -> Bools:
    """Say which common users have pairs in the first run that the second one lacks: bool [M]."""
    gone = np.bincount(first.data.interactions.users[~_in_second(first, second)], minlength=len(first.data.users))
    lost: Bools = gone[first.users] > 0
    return lost


def _vectors(first: _Side, second: _Side) -> dict[str, Any] | None:
    """Compute median, 90th percentile and maximum of the movement; None if vectors differ in size."""
    if first.user_vectors.shape[1] != second.user_vectors.shape[1]:
        return None
    tables = [
        torch.cat([side.user_vectors[torch.from_numpy(side.users)], side.item_vectors[torch.from_numpy(side.items)]])
        for side in (first, second)
    ]
    users, items = moved(tables[0], tables[1], len(first.users))
    return {"users": _spread(users), "items": _spread(items)}


def _spread(shares: Floats) -> dict[str, float | None]:
    figures = {"median": np.median(shares), "p90": np.quantile(shares, 0.9, method="higher"), "max": shares.max()}
    return {name: float(figure) if np.isfinite(figure) else None for name, figure in figures.items()}


def _of_group(overlap: Floats, among_kept: Floats, same: Bools) -> dict[str, Any]:
    if not len(overlap):
        return {"users": 0, "overlap": None, "overlap_of_kept_items": None, "unchanged": None}
    return {
        "users": len(overlap),
        "overlap": float(overlap.mean()),
        "overlap_of_kept_items": float(among_kept.mean()),
        "unchanged": float(same.mean()),
    }


def _movers(first: _Side, served: tuple[Ints, Ints]) -> list[dict[str, Any]]:
    """Return the items that are in more or fewer lists than before, with the difference."""
    counts = [lists_with(lists, len(first.items)) for lists in served]
    order = np.argsort(-np.abs(counts[1] - counts[0]), kind="stable")[:_MOVERS]
    places = order[counts[0][order] != counts[1][order]]
    rows = first.items[places]
    return [
        {
            "item": first.data.items.names[row],
            "title": title,
            "lists_before": int(counts[0][place]),
            "lists_after": int(counts[1][place]),
        }
        for place, row, title in zip(places, rows.tolist(), titles_of(first.data, rows), strict=True)
    ]


def _most_changed(first: _Side, among_kept: Floats) -> list[dict[str, Any]]:
    order = np.argsort(among_kept, kind="stable")[:_MOVERS]
    ids = first.data.users.names.gather(first.users[order])
    return [
        {"user": user, "overlap_of_kept_items": float(share)}
        for user, share in zip(ids, among_kept[order], strict=True)
    ]

"""Evaluate, recommend from, check and fold runs in chunks, whose data and tables stay on disk."""

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.atomic import refuse_existing, refuse_within, staged_folder
from mmrecun.chunked import run as mapped
from mmrecun.chunked.excerpt import Excerpt
from mmrecun.chunked.folding import fold
from mmrecun.chunked.lineage import ancestors, parent_folder, with_unfolded
from mmrecun.chunked.listed_items import listed_items
from mmrecun.chunked.parts import part_folders
from mmrecun.chunked.residue import RemovedRows, residue
from mmrecun.chunked.run import MappedRun
from mmrecun.claims import claimed
from mmrecun.data.interactions import Split
from mmrecun.device import prepared
from mmrecun.errors import ConfigError, DataError
from mmrecun.evaluation.evaluate import CUTOFFS, RankingReport, evaluate
from mmrecun.evaluation.ranking import checked_length
from mmrecun.exports import register
from mmrecun.forget.request import ForgetRequest, as_id
from mmrecun.jobs._evaluate import best_items
from mmrecun.jobs._part_reader import HERE, reader, removed_rows_of
from mmrecun.keys import RECALL
from mmrecun.progress import Progress
from mmrecun.rng import Seed
from mmrecun.runs import PathLike
from mmrecun.text import unknown_name

_CHECKED, _FEWEST = 500, 50  # users whose lists an audit compares: at most, and at least
_ITEMS = 20_000  # items with which an audit compares, beside those of pairs and lists
_SCORES = 25_000_000  # users times items up to which an audit compares more than `_FEWEST`; some tenths of a second


@prepared()
def evaluate_mapped(
    run: PathLike, split: str = "test", users: int = 0, progress: Progress | None = None, on: str = HERE
) -> RankingReport:
    """Rank all items for users of a run in chunks and measure the lists on one split.

    Args:
        run: a run folder, or that of the parts of a run.
        split: "valid" or "test".
        users: how many are drawn, the same ones each time; 0 for all who have a pair in the split.
        progress: called with the number of ranked users.
        on: "here", or "ray:HOST:PORT" for parts on the hosts of a cluster.

    Raises:
        ConfigError: for an unknown split.
    """
    names = {part.label: part for part in Split if part is not Split.TRAIN}
    if split not in names:
        raise ConfigError(unknown_name("split", split, list(names)))
    with reader(on) as read:
        return _ranked(read(Path(run)), names[split], users, progress)


def _ranked(
    run: MappedRun, split: Split, users: int, progress: Progress | None = None, lists: bool = True
) -> RankingReport:
    """Rank for users, in a drawn order until enough have a pair in the split; removed ones never do.

    Without `lists` only their held-out items are placed, which costs less.
    """
    number = run.size("users")
    draw = Seed(0).child("users to rank").numpy()
    order = np.unique(draw.integers(number, size=4 * users)) if users else np.arange(number)
    whole = run.interactions(order, Split.TRAIN, split)
    asked = np.unique(whole.users[whole.splits == split])
    if users and len(asked) > users:
        asked = np.sort(Seed(0).child("of them").numpy().choice(asked, users, replace=False))
    rows, every = order[asked], run.retained("items")
    items = listed_items(run, rows, every, max(CUTOFFS)) if users else every
    excerpt, unlisted = Excerpt(run, rows, items), len(every) - len(items)
    seen, truth = (excerpt.interactions.split(part) for part in (Split.TRAIN, split))
    return evaluate(*excerpt.vectors, seen, truth, lists=lists, progress=progress, unlisted=unlisted)


@prepared()
def recommend_mapped(run: PathLike, user: str | int, k: int = 10, on: str = HERE) -> list[dict[str, Any]]:
    """Return the k best items for a user of a run in chunks, without any the user has, in training or held out.

    Args:
        run: a run folder, or that of the parts of a run.
        user: the user's id.
        k: length of the list.
        on: "here", or "ray:HOST:PORT" for parts on the hosts of a cluster.

    Returns:
        Id, title, which is None since a run in chunks holds no titles, and score of each item.

    Raises:
        ConfigError: when k is not positive.
        DataError: for a user who is unknown, or was forgotten.
    """
    name = as_id(user)
    with reader(on) as read:
        whole = read(Path(run))
        try:
            row = whole.require("users", (name,))
        except DataError as error:
            from mmrecun.jobs._absent import absent_of_mapped, no_list

            raise no_list(absent_of_mapped(run, ForgetRequest(users=(name,)), on), name, error) from None
        length = min(checked_length(k), whole.size("items"))
        excerpt = Excerpt(whole, row, listed_items(whole, row, whole.retained("items"), length))
        items, scores = best_items(excerpt.vectors, excerpt.interactions, np.zeros(1, dtype=np.int64), length)
        names = whole.names("items", excerpt.item_rows[items])
    return [{"item": name, "title": None, "score": score} for name, score in zip(names, scores, strict=True)]


@prepared()
def check_mapped(
    run: PathLike, request: ForgetRequest | dict[str, Any] | None = None, on: str = HERE, users: int | None = None
) -> dict[str, Any]:
    """Check what an unlearned run in chunks still holds, and compare the recall of a sample with the parent's.

    Args:
        run: an unlearned run, whole or in parts; its parent must be where it was.
        request: the request, for the check that it was carried out.
        on: "here", or "ray:HOST:PORT" for parts on the hosts of a cluster.
        users: how many are drawn for the sample; 0 for all; by default 500, fewer where there are many items.

    Returns:
        "parent": folder of the run before; "residue": each check with whether it passed, None where it was not
        assessed; "recall@20" on validation pairs of a sample, "before" and "after"; "sample": users ranked after;
        "shared" and "written": numbers of chunks; "waiting": number of rows to fold.

    Raises:
        ArtifactError: when the run was trained, its parent is gone, or a chunk is damaged.
    """
    asked = None if request is None else ForgetRequest.coerce(request)
    with reader(on) as read:
        return checked(read, Path(run), asked, users)[2].facts


class Checked(NamedTuple):
    """The rows that a run lacks, and what `check_mapped` returns."""

    removed: RemovedRows
    facts: dict[str, Any]


def checked(
    read: Callable[[Path], MappedRun],
    run: Path,
    asked: ForgetRequest | None,
    users: int | None,
    moved: Path | None = None,
) -> tuple[MappedRun, MappedRun, Checked]:
    """Do as `check_mapped`, with a function that reads runs; return the parent, `moved` or not, and the run as well."""
    child = read(run)
    removed = removed_rows_of(child, moved)
    parent = read(parent_folder(child, moved))
    drawn = checked_users(child.size("items")) if users is None else users
    ranked = {
        name: _ranked(each, Split.VALID, drawn, lists=False) for name, each in (("before", parent), ("after", child))
    }
    facts = {
        "parent": str(parent.folder),
        "residue": residue(parent, child, removed, asked),
        "recall@20": {name: report.metrics[RECALL] for name, report in ranked.items()},
        "sample": ranked["after"].users,
        "written": removed.written,
        "shared": removed.shared,
        "waiting": removed.waiting,
    }
    return parent, child, Checked(removed, facts)


def checked_users(items: int) -> int:
    """Return how many users' lists an audit compares, so that its cost hardly grows with the number of items.

    >>> [checked_users(items) for items in (30_000, 200_000, 1_000_000, 10_000_000)]
    [500, 125, 50, 50]
    """
    return min(_CHECKED, max(_FEWEST, _SCORES // items))


def compared_items(parts: Sequence[tuple[MappedRun, Ints]], among: Ints, k: int) -> Ints:
    """Return the items with which the users of an audit are compared: all, or with more than 20,000 some of them.

    These are the items that their lists can hold, their own, and 20,000 drawn ones, the same ones each time.

    Args:
        parts: runs, and the users of each, int64, rows.
        among: int64, rows of the items, ascending.
        k: length of the lists.

    Returns:
        Int64, rows, ascending; own items of users may be beside those of `among`.
    """
    if len(among) <= _ITEMS:
        return among
    drawn = np.sort(Seed(20).child("items to compare").numpy().choice(among, _ITEMS, replace=False))
    return reduce(np.union1d, (listed_items(run, users, among, k) for run, users in parts), drawn)


def most_touched(drawn: int) -> int:
    """Return how many users who lost pairs are measured at most, beside `drawn` others."""
    return 4 * drawn


@prepared()
def fold_mapped(run: PathLike, out: PathLike) -> int:
    """Write the rows of a run in chunks that wait in patches into their chunks; returns how many waited.

    The new run is the same model, and records the exports of the runs before. What earlier requests took out is in no
    chunk of it; it leaves the disk when the runs before are removed.

    Args:
        run: a run, or the folder of its parts, of which those on this machine are folded.
        out: folder to make.
    """
    place, out = Path(run), Path(out)
    refuse_existing(out)
    refuse_within(place, out)
    parts = part_folders(place)
    folders = {folder.name: (folder, out / folder.name) for folder in parts.values()} or {"": (place, out)}
    waited = 0
    for folder, target in folders.values():
        unfolded = mapped.read(folder, part=bool(parts))
        with claimed(target), staged_folder(target) as staging:
            fold(unfolded, staging, target)
            if not parts:  # which are not exported
                line = with_unfolded([unfolded, *ancestors(unfolded)])
                register.carry_entries((each.folder for each in line), staging, target)
        waited += unfolded.manifest.waiting()
    return waited

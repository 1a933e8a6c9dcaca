"""Bandwagon spam: fake users promote unpopular items, beside popular ones (Mobasher et al., ACM TOIT 7(4), 2007)."""

from dataclasses import replace

import numpy as np
import polars as pl

from mmrecun.arrays import Ints
from mmrecun.bench.strategies import largest_rows, random_rows, share, smallest_rows
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.data.interactions import Interactions, Split
from mmrecun.errors import DataError
from mmrecun.rng import Seed

PREFIX = "spam-"
UNPOPULAR, POPULAR = 0.2, 0.05


def inject(dataset: Dataset, ratio: float, promoted: int, seed: Seed) -> tuple[Dataset, tuple[str, ...], Ints]:
    """Add spam users to the training pairs.

    Every profile holds all promoted items, as many items drawn from the most popular ones, and as many drawn from
    the rest. Promoted items are drawn from the least popular fifth of those with training pairs.

    Args:
        dataset: the clean data; not changed.
        ratio: spam users per genuine user.
        promoted: how many items are promoted.
        seed: decides items and profiles.

    Returns:
        The dataset with spam, the ids of the spam users, and int64 [promoted], the rows of the promoted items.

    Raises:
        DataError: when genuine ids look like spam ids, or there are too few items.
    """
    _, counts = dataset.degrees
    traded = np.flatnonzero(counts)
    unpopular = smallest_rows(traded, counts, UNPOPULAR, seed.child("unpopular"))
    popular = largest_rows(traded, counts, max(POPULAR, promoted / len(traded)), seed.child("popular"))
    if promoted > len(unpopular) or 3 * promoted > len(traded):
        raise DataError(f"'{dataset.name}' has too few items to promote {promoted} of them by spam")
    targets = random_rows(unpopular, promoted / len(unpopular), seed.child("targets"))
    rest = np.setdiff1d(traded, np.union1d(targets, popular))
    rng = seed.child("profiles").numpy()
    profiles = [
        np.concatenate(
            [targets, *(rng.choice(pool, min(promoted, len(pool)), replace=False) for pool in (popular, rest))]
        )
        for _ in range(share(len(dataset.users), ratio))
    ]
    names = tuple(f"{PREFIX}{number:05d}" for number in range(len(profiles)))
    return _with_users(dataset, names, profiles), names, targets


def _with_users(dataset: Dataset, names: tuple[str, ...], profiles: list[Ints]) -> Dataset:
    before, pairs = len(dataset.users), dataset.interactions
    added = np.repeat(np.arange(before, before + len(names)), [len(profile) for profile in profiles])
    interactions = Interactions(
        np.concatenate([pairs.users, added]),
        np.concatenate([pairs.items, *profiles]),
        np.concatenate([pairs.splits, np.full(len(added), Split.TRAIN, dtype=np.int8)]),
        _lengthened(pairs.attributes, len(added)),
    )
    return replace(
        dataset,
        users=IdMap("user", pl.concat([dataset.users.names, pl.Series(dataset.users.names.name, names)])),
        interactions=interactions,
        user_attributes=_lengthened(dataset.user_attributes, len(names)),
    )


def _lengthened(table: pl.DataFrame, rows: int) -> pl.DataFrame:
    """Append `rows` empty rows to a table; a table without columns stays one."""
    return pl.concat([table, table.clear(rows)]) if table.width else table

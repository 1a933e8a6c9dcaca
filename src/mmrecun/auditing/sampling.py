"""The users whose lists an audit makes: all, or in large data a sample and all affected users."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from mmrecun.arrays import Bools, Ints
from mmrecun.errors import ConfigError
from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed

# Users times items that are scored for each state before users are sampled: some seconds on one core. Means over the
# thousands of users that are left vary by less than two Golds differ.
SCORES, FEWEST = 2_000_000_000, 2_000
_SEED = Seed(20).child("sample of users")


@dataclass(frozen=True)
class MeasuredUsers:
    """The retained users whose lists are made.

    Attributes:
        rows: int64 [M] ascending, of the retained data.
        drawn: bool [M], those that retained figures are means over: a simple random sample, or everybody.
        of: how many there are to be drawn from.
        unlisted: number of further items, which are in nobody's list and left out of the audit.
    """

    rows: Ints
    drawn: Bools
    of: int
    unlisted: int = 0

    @property
    def sampled(self) -> int:
        """Number of users drawn; 0 for all users."""
        return int(self.drawn.sum()) if self.drawn.sum() < self.of else 0

    @property
    def note(self) -> str:
        """A note on the sample for the report; "" for all users."""
        if not self.sampled:
            return ""
        return (
            f"Retained figures are means over a random sample of {self.sampled:,} of {self.of:,} users, the same for "
            f"every model; all {len(self.rows) - self.sampled:,} other users that the request touched were measured as "
            "well. Coverage counts the sample's lists alone."
        )


def sample_size(users: int, items: int, sample: int | None = None) -> int:
    """Return how many of U `users` the retained figures cover.

    Args:
        users, items: U and I.
        sample: that many; 0 for all; None for all up to `SCORES` scores, and else as many as that allows.

    Raises:
        ConfigError: for a negative number.

    >>> sample_size(40_000, 300_000), sample_size(40_000, 7_000), sample_size(40_000, 300_000, 0)
    (6666, 40000, 40000)
    """
    if sample is not None and (not isinstance(sample, Integral) or sample < 0):
        raise ConfigError(f"a sample of {sample} users; give 0 for all users, or a positive whole number")
    if sample is None:
        return users if users * items <= SCORES else min(users, max(FEWEST, SCORES // max(1, items)))
    return min(users, sample) if sample else users


def measured_users(partition: Partition, affected: Bools, sample: int | None = None) -> MeasuredUsers:
    """Return the retained users with a training pair whose lists are made.

    Args:
        partition: original and retained data.
        affected: bool [U] in original rows, users that the request touched; all that stay are measured.
        sample: as for `sample_size`.
    """
    rows = np.unique(partition.retained.train.users)
    size = sample_size(len(rows), len(partition.retained.items), sample)
    if size == len(rows):
        return MeasuredUsers(rows, np.ones(len(rows), dtype=bool), len(rows))
    drawn = np.zeros(len(rows), dtype=bool)
    drawn[_SEED.numpy().choice(len(rows), size, replace=False)] = True
    chosen = drawn | affected[partition.user_rows[rows]]
    return MeasuredUsers(rows[chosen], drawn[chosen], len(rows))

"""The users and items of a run in chunks that an audit measures, before and after."""

from typing import NamedTuple

import numpy as np

from mmrecun.arrays import Ints
from mmrecun.auditing.assess import AuditedRun, AuditSubject
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.result import Check
from mmrecun.auditing.sampling import MeasuredUsers
from mmrecun.chunked.excerpt import Excerpt
from mmrecun.chunked.residue import RemovedRows
from mmrecun.chunked.run import MappedRun
from mmrecun.data.interactions import Split
from mmrecun.errors import DataError
from mmrecun.evaluation.evaluate import CUTOFFS
from mmrecun.forget.partition import Partition
from mmrecun.jobs._mapped import compared_items, most_touched
from mmrecun.rng import Seed

_SEED = Seed(20).child("audit of a run in chunks")


class AuditSample(NamedTuple):
    """The users that are measured, before and after, and the items they are compared with.

    Attributes:
        before, after: the excerpts.
        partition: their difference.
        measured: the retained users among them.
        touched: how many users lost pairs, and how many of them are measured.
    """

    before: Excerpt
    after: Excerpt
    partition: Partition
    measured: MeasuredUsers
    touched: tuple[int, int]

    @classmethod
    def of(cls, before: MappedRun, after: MappedRun, removed: RemovedRows, touched: Ints, users: int) -> "AuditSample":
        """Draw `users` of the retained users (0 for all), and at most `most_touched` of those who lost pairs."""
        retained, every = after.retained("users"), after.retained("items")
        drawn = retained if not users else _with_pairs(after, retained, users)
        some = _drawn(touched, most_touched(users), "touched") if users else touched
        rows = np.union1d(drawn, some)
        left_rows = np.setdiff1d(rows, removed.rows["users"], assume_unique=True)
        items = compared_items([(before, rows), (after, left_rows)], every, max(CUTOFFS)) if users else every
        items = np.union1d(items, removed.rows["items"])
        left_items = np.setdiff1d(items, removed.rows["items"], assume_unique=True)
        whole, left = Excerpt(before, rows, items), Excerpt(after, left_rows, left_items)
        partition = _between(whole, left)
        train = np.unique(left.interactions.split(Split.TRAIN).users)
        measured = MeasuredUsers(
            train,
            np.isin(left_rows[train], drawn),
            len(retained) if users else len(train),
            len(every) - len(left_items),
        )
        return cls(whole, left, partition, measured, (len(touched), len(some)))

    def subject(self, removal: tuple[Check, ...]) -> AuditSubject:
        """Return what is audited; `removal` are the checks that were made on the whole run."""
        kinds = (RunKind.ORIGINAL, self.before), (RunKind.UNLEARNED, self.after)
        original, unlearned = (
            AuditedRun(kind, part.run.folder, part.model, part.run.manifest.seed, part.run.manifest.seconds)
            for kind, part in kinds
        )
        own = self.after.run.manifest
        names = (own.model, own.method, own.dataset_name)
        return AuditSubject(names, self.partition, original, unlearned, removal=removal, measured=self.measured)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on the users who lost pairs and the items that were left out, if there are any."""
        (touched, some), items = self.touched, len(self.after.item_rows)
        users = f"Of {touched:,} users who lost pairs, {some:,} were drawn and measured."
        others = (
            f"Lists are those of all {items + self.measured.unlisted:,} items. Percentiles and distributions of scores "
            f"are over {items:,} of them: those in lists, those of the measured users' pairs, and drawn ones."
        )
        return tuple(text for text, told in ((users, some < touched), (others, self.measured.unlisted)) if told)


def _between(whole: Excerpt, left: Excerpt) -> Partition:
    """Return the difference of excerpts before and after; rows of `left` are among those of `whole`.

    Raises:
        DataError: when there are pairs after that were not there before.
    """
    users, items = np.searchsorted(whole.user_rows, left.user_rows), np.searchsorted(whole.item_rows, left.item_rows)
    pairs = left.interactions.renumbered(users, items)
    kept = pairs.contains(whole.interactions.users, whole.interactions.items, len(whole.item_rows))
    if int(kept.sum()) != len(pairs):
        raise DataError(f"{left.run.folder} holds interactions that {whole.run.folder} does not")
    return Partition(whole.dataset, users, items, kept, {})


def _drawn(rows: Ints, count: int, what: str) -> Ints:
    return np.sort(_SEED.child(what).numpy().choice(rows, min(count, len(rows)), replace=False))


def _with_pairs(run: MappedRun, users: Ints, count: int) -> Ints:
    """Draw `count` of `users` (int64 [M]) that have a training pair, or as many as are found among four times more."""
    some = _drawn(users, 4 * count, "users")
    found = some[np.unique(run.interactions(some, Split.TRAIN).users)]
    return found if len(found) <= count else _drawn(found, count, "of them")

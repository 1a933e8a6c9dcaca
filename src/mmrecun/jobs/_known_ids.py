"""What is known of ids: those of a dataset or of a run in chunks, and those that earlier requests named."""

from collections.abc import Iterator
from typing import Protocol

from mmrecun import runs
from mmrecun.arrays import Bools
from mmrecun.chunked.run import SIDES, MappedRun
from mmrecun.data.dataset import Dataset
from mmrecun.errors import MMRecUnError
from mmrecun.forget.record import ForgetRecord
from mmrecun.jobs._foreign import data_before
from mmrecun.runs import Run


class KnownIds(Protocol):
    """A source of known users, items and pairs. Each method answers for N names: bool [N]."""

    def users_in(self, names: tuple[str, ...]) -> Bools:
        """Say which users are known."""

    def items_in(self, names: tuple[str, ...]) -> Bools:
        """Say which items are known."""

    def pairs_in(self, pairs: tuple[tuple[str, str], ...]) -> Bools:
        """Say which pairs are known."""


class InDataset:
    """The users, items and pairs of a dataset."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def users_in(self, names: tuple[str, ...]) -> Bools:
        there: Bools = self.data.users.find(names) >= 0
        return there

    def items_in(self, names: tuple[str, ...]) -> Bools:
        there: Bools = self.data.items.find(names) >= 0
        return there

    def pairs_in(self, pairs: tuple[tuple[str, str], ...]) -> Bools:
        data = self.data
        users, items = data.users.find(user for user, _ in pairs), data.items.find(item for _, item in pairs)
        known: Bools = (users >= 0) & (items >= 0)
        return known & data.interactions.contains(users, items, len(data.items))


class InChunks:
    """The users, items and pairs of a run in chunks."""

    def __init__(self, run: MappedRun) -> None:
        self.run = run

    def users_in(self, names: tuple[str, ...]) -> Bools:
        there: Bools = self.run.find("users", names) >= 0
        return there

    def items_in(self, names: tuple[str, ...]) -> Bools:
        there: Bools = self.run.find("items", names) >= 0
        return there

    def pairs_in(self, pairs: tuple[tuple[str, str], ...]) -> Bools:
        users, items = (self.run.find(side, names) for side, names in zip(SIDES, zip(*pairs, strict=True), strict=True))
        known: Bools = (users >= 0) & (items >= 0)
        lists = self.run.pairs_of("users").lists(users[known])
        # an entry of a list is four times its partner and the split
        known[known] = [item in partners >> 2 for item, partners in zip(items[known], lists, strict=True)]
        return known


class _Requested:
    """The ids of earlier requests, by the hashes that a run keeps of them."""

    def __init__(self, record: ForgetRecord) -> None:
        self.record = record
        self.users_in, self.items_in = record.users_in, record.items_in

    def pairs_in(self, pairs: tuple[tuple[str, str], ...]) -> Bools:
        """Say which pairs were requested, by themselves or by their user or item."""
        users, items = zip(*pairs, strict=True)
        record = self.record
        found: Bools = record.pairs_in(users, items) | record.users_in(users) | record.items_in(items)
        return found


def earlier_ids(run: Run, key: bytes | None) -> Iterator[KnownIds]:
    """Yield the hashes of earlier requests, where `key` reads them, then the data of which `run` has a part.

    These are the datasets of the runs that it descends from and, of a model of another library, those of its file.
    """
    yield from requested_ids(run.manifest.requested, key)
    line = [(run.folder, run.manifest), *runs.ancestors(run.folder, run.manifest)]
    try:
        yield from (InDataset(runs.read_dataset(folder, manifest)) for folder, manifest in line[1:])
        if (data := data_before(*line[-1])) is not None:
            yield InDataset(data)
    except MMRecUnError:  # it may have been removed, or have changed
        return


def requested_ids(record: ForgetRecord | None, key: bytes | None) -> Iterator[KnownIds]:
    """Yield the hashes of a record, where `key` reads them."""
    if record is not None and (known := record.with_key(key)).readable:
        yield _Requested(known)

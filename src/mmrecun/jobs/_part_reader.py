"""Read a run in chunks, whole or in parts, here or on the hosts of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmrecun.arrays import Ints
from mmrecun.chunked import run as mapped
from mmrecun.chunked.parts import Owner, OwnerHere, RunInParts, part_folders
from mmrecun.chunked.residue import RemovedRows, removed_rows_here, users_who_lost_pairs
from mmrecun.chunked.run import MappedRun
from mmrecun.errors import ConfigError
from mmrecun.scale.choice import HERE, head_of
from mmrecun.scale.part_owners import owners_on
from mmrecun.scale.ray_engine import connected

__all__ = ["HERE", "owners_of", "reader", "removed_rows_of", "users_who_lost_pairs_in"]


@contextmanager
def owners_of(on: str) -> Iterator[Callable[[Path], Sequence[Owner]]]:
    """Yield a function that finds the owners of the parts below a folder; on a cluster, the same folder on every host.

    Raises:
        ConfigError: for an unknown place, or a cluster that does not answer.
    """
    address = head_of(on)
    if on == HERE:
        yield lambda place: [OwnerHere(folder) for _, folder in sorted(part_folders(place).items())]
        return
    with connected(address) as engine:
        yield lambda place: owners_on(engine, place)


@contextmanager
def reader(on: str = HERE) -> Iterator[Callable[[Path], MappedRun]]:
    """Yield what reads the run in a folder: one in parts where there are parts, or `on` names a cluster."""

    def read(place: Path) -> MappedRun:
        if on == HERE and not part_folders(place):
            return mapped.read(place)
        return RunInParts.of(place, owners(place))

    with owners_of(on) as owners:
        yield read


def removed_rows_of(child: MappedRun, moved: Path | None = None) -> RemovedRows:
    """Find the rows removed from a run, or a run in parts; see `chunked.residue`. Its parent may have been `moved`.

    Raises:
        ConfigError: for a run in parts with a parent that was moved.
    """
    if not isinstance(child, RunInParts):
        return removed_rows_here(child, moved)
    if moved is not None:
        raise ConfigError(
            f"{child.folder} is a run in parts, which finds the run before where it was: put it back there"
        )
    return child.removed_rows()


def users_who_lost_pairs_in(child: MappedRun, moved: Path | None = None) -> Ints:
    """Find the users whose parent has more of their pairs, int64; arguments as for `removed_rows_of`."""
    return child.users_who_lost_pairs() if isinstance(child, RunInParts) else users_who_lost_pairs(child, moved)

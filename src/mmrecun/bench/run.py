"""Work through a spec, piece by piece, without repeating what exists."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmrecun.atomic import link_or_copy, staged_folder
from mmrecun.bench.cache import Cache
from mmrecun.bench.clock import Clock
from mmrecun.bench.groups import Group
from mmrecun.bench.output import ROWS
from mmrecun.bench.pieces import GroupFile, open_group, pieces_of
from mmrecun.bench.results import Key, Row, Status, Store
from mmrecun.bench.runner import row_without_figures
from mmrecun.bench.scenarios import Scenario
from mmrecun.device import prepared
from mmrecun.errors import DiskError
from mmrecun.manifest import now
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import rehome
from mmrecun.scale.executor import Executor, Made
from mmrecun.scale.local_executor import LocalExecutor
from mmrecun.scale.piece import Failure, Piece


@dataclass(frozen=True)
class BenchPaths:
    """Folders of a bench.

    Attributes:
        out: rows, tables and plots.
        cache: datasets, Originals and Golds.
        retry: make failed rows again.
    """

    out: Path
    cache: Cache
    retry: bool = False


@prepared()
def run(
    planned: Sequence[Group],
    paths: BenchPaths,
    progress: Progress = no_progress,
    on_group_done: Callable[[list[Row]], None] = lambda _: None,
    executor: Executor | None = None,
) -> list[Row]:
    """Make every row of `planned` that is not there yet; a failing row does not stop the bench.

    Args:
        planned: result of `groups(spec, base)`.
        paths: folders of the bench.
        progress: called with the number of finished pieces, of all pieces, and what is being made.
        on_group_done: called with all rows so far whenever a group is complete, and at the end.
        executor: where to make them; this process by default.

    Returns:
        All rows, in the order of the spec.

    Raises:
        DiskError: when the disk is full; the same call then goes on where it stopped.
    """
    executor = executor or LocalExecutor()
    store = Store(paths.out / ROWS)
    plans = [_Plan.of(group, paths, store, executor) for group in planned]
    collector = _Collector(paths, store, plans, executor)
    try:
        for made in executor.make([piece for plan in plans for piece in plan.pieces], paths.cache.folder, progress):
            if made.failure and made.failure.kind == DiskError.__name__:
                raise made.failure.error()
            if collector.collect(made):
                on_group_done([row for plan in plans for row in plan.rows(store)])
    finally:
        open_group.cache_clear()
    rows = [row for plan in plans for row in plan.rows(store)]
    on_group_done(rows)
    return rows


@dataclass
class _Plan:
    """The missing rows of one group.

    Attributes:
        group: the group.
        digests: digests of all its rows; empty if the request does not fit the dataset.
        pieces: the pieces to make, in order.
        making: name of a piece -> the rows that it makes.
        golds: checkpoint -> names.
    """

    group: Group
    digests: dict[Key, str] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    making: dict[str, dict[Key, str]] = field(default_factory=dict)
    golds: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, group: Group, paths: BenchPaths, store: Store, executor: Executor) -> "_Plan":
        """Find out what is missing, and with `paths.retry` what failed."""
        if isinstance(group.scenario, str):
            return cls(group)
        plan = cls(group, group.row_digests())
        wanted: dict[Key, str] = {}
        for key, digest in plan.digests.items():
            row = store.get(digest, key)
            if row is None or (paths.retry and row.status is Status.FAILED):
                wanted[key] = digest
        if wanted:
            again = now() if paths.retry else ""
            for piece, rows in pieces_of(group, group.scenario, wanted, paths.cache, executor.shared, again):
                plan.pieces.append(piece)
                if rows:
                    plan.making[piece.name] = rows
            plan.golds = GroupFile.describe(group, group.scenario).golds
        return plan

    def rows(self, store: Store) -> list[Row]:
        """Return the rows that are there, in the order of the table."""
        if not isinstance(self.group.scenario, Scenario):
            reason = Failure(kind="ForgetError", text=self.group.scenario)
            return [row_without_figures(key, reason) for key in self.group.row_keys()]
        found = [store.get(digest, key) for key, digest in self.digests.items()]
        return [row for row in found if row is not None]


class _Collector:
    """Stores what a executor returns: rows in the bench, and runs that are to be kept below `out`."""

    def __init__(self, paths: BenchPaths, store: Store, plans: Sequence[_Plan], executor: Executor) -> None:
        self.paths, self.store, self.plans = paths, store, plans
        self.clock = Clock(paths.out / "timed")
        self._alone = not executor.shared
        self._left = [set(plan.making) for plan in plans]
        golds = {name for plan in plans for names in plan.golds.values() for name in names}
        self._new_golds = {name for name in golds if not (paths.cache.folder / name).is_dir()}

    def collect(self, made: Made) -> bool:
        """Store what a piece has made; return whether its group is now complete."""
        name = made.piece.name
        if made.failure is None and self._alone and name in self._new_golds:
            self.clock.mark(name)
        keeps = made.failure is None and any(name in plan.making for plan in self.plans)
        if keeps:  # before the rows, since a resumed bench takes a run for complete when its row exists
            self._keep_runs(self.paths.cache.folder / name / "runs", self._parents(name))
        complete = False
        for plan, left in zip(self.plans, self._left, strict=True):
            if name in left:
                self._store_rows(made, plan)
                left.discard(name)
                complete |= not left
        if keeps:
            shutil.rmtree(self.paths.cache.folder / name)
        return complete

    def _store_rows(self, made: Made, plan: _Plan) -> None:
        source = Store(self.paths.cache.folder / made.piece.name / "rows")
        for key, digest in plan.making[made.piece.name].items():
            row = row_without_figures(key, made.failure) if made.failure else source.get(digest, key)
            if row is not None:
                self.store.put(digest, self.clock.with_speedup(row, plan.golds[key.requests]))

    def _parents(self, name: str) -> Iterable[Path]:
        """Return the folders of the Originals that the runs of a piece may descend from."""
        piece = next(piece for plan in self.plans for piece in plan.pieces if piece.name == name)
        return [self.paths.cache.folder / need for need in piece.needs if need.startswith("originals/")]

    def _keep_runs(self, source: Path, parents: Iterable[Path]) -> None:
        """Write the runs that are to be kept below `out`, and let them name their Originals from there."""
        for folder in sorted(source.iterdir()) if source.is_dir() else ():
            target = self.paths.out / "runs" / folder.name
            shutil.rmtree(target, ignore_errors=True)
            with staged_folder(target) as staging:
                shutil.copytree(folder, staging, copy_function=link_or_copy, dirs_exist_ok=True)
                rehome(staging / "1", parents)  # in a folder beside the target, so that relative paths stay valid

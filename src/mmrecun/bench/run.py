"""Work through a spec, one run at a time, without repeating runs that exist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmrecun.bench.cache import Cache
from mmrecun.bench.groups import Group
from mmrecun.bench.results import Row, Store
from mmrecun.bench.runner import BenchProgress, GroupRun
from mmrecun.device import prepare
from mmrecun.training.loop import Progress, no_progress


@dataclass(frozen=True)
class BenchPaths:
    """Folders and start time of a bench.

    Attributes:
        out: rows, tables and plots.
        cache: datasets, Originals and Golds.
        started: UTC time of the first start, as in manifests; Golds made before it give no speed-up.
        retry: make failed rows again.
    """

    out: Path
    cache: Cache
    started: str
    retry: bool = False


def run(
    planned: Sequence[Group],
    paths: BenchPaths,
    progress: Progress = no_progress,
    on_group_done: Callable[[list[Row]], None] = lambda _: None,
) -> list[Row]:
    """Make every row of `planned` that is not there yet; a failing row does not stop the bench.

    Args:
        planned: of `groups(spec, base)`.
        paths: where to keep things.
        progress: receives rows done, rows in all, and what is being made.
        on_group_done: receives all rows so far after each group.

    Returns:
        All rows, in the order of the spec.
    """
    prepare()
    row_progress = BenchProgress(progress, sum(len(list(group.row_keys())) for group in planned))
    rows: list[Row] = []
    for group in planned:
        made = GroupRun(group, paths.cache, Store(paths.out / "rows"), paths.out / "runs", paths.started, row_progress)
        rows += made.rows(paths.retry)
        on_group_done(rows)
    return rows

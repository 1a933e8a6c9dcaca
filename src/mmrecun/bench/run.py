"""Work through a spec, one run at a time; whatever is there already is not made again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmrecun.bench.cache import Cache
from mmrecun.bench.groups import Group
from mmrecun.bench.results import Row, Store
from mmrecun.bench.runner import GroupRun, Progress
from mmrecun.device import prepare
from mmrecun.training.loop import Report, silent


@dataclass(frozen=True)
class Place:
    """Where a bench keeps its things, and since when.

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
    place: Place,
    report: Report = silent,
    told: Callable[[list[Row]], None] = lambda _: None,
) -> list[Row]:
    """Make every row of `planned` that is not there yet; nothing that fails on the way stops the bench.

    Args:
        planned: of `groups(spec, base)`.
        place: where to keep things.
        report: receives rows done, rows in all, and what is being made.
        told: receives all rows so far after each group.

    Returns:
        All rows, in the order of the spec.
    """
    prepare()
    progress = Progress(report, sum(len(list(group.row_keys())) for group in planned))
    rows: list[Row] = []
    for group in planned:
        made = GroupRun(group, place.cache, Store(place.out / "rows"), place.out / "runs", place.started, progress)
        rows += made.rows(place.retry)
        told(rows)
    return rows

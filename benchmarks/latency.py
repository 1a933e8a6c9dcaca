"""From a request to a run that can be served and to its audit: where the seconds of one user or one item go."""

import cProfile
import pstats
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cases import chosen
from benchmarks.originals import trained
from benchmarks.page import Table, arguments, write
from benchmarks.timing import Spread
from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest

Phases = dict[str, tuple[tuple[str, str], ...]]
UNLEARNING: Phases = {
    "resolve": (("mmrecun/forget/partition.py", "from_request"),),
    "method": (("mmrecun/unlearning/", "run"),),
    "copy": (("mmrecun/unlearning/base.py", "retained_model"),),
    "save": (
        ("mmrecun/data/dataset.py", "digest"),
        ("mmrecun/data/files.py", "write_into"),
        ("mmrecun/runs.py", "write"),
    ),
}


def phases(action: Callable[[], object], of: Phases) -> dict[str, float]:
    """Seconds that `action` spent in the functions of each phase (file name, or folder, and name), and in the rest."""
    profile = cProfile.Profile()
    started = time.perf_counter()
    profile.runcall(action)
    total = time.perf_counter() - started
    found = dict.fromkeys(of, 0.0)
    for (path, _, name), (_, _, _, spent, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        for phase, functions in of.items():
            if any(place in path and name == function for place, function in functions):
                found[phase] += spent
    return found | {"rest": total - sum(found.values()), "total": total}


def singles(dataset: Dataset) -> dict[str, ForgetRequest]:
    """One user, one item and one pair, from the middle of the training pairs."""
    train = dataset.train
    place = len(train) // 2
    user, item = dataset.users.names[int(train.users[place])], dataset.items.names[int(train.items[place])]
    return {
        "user": ForgetRequest(users=(user,)),
        "item": ForgetRequest(items=(item,)),
        "pair": ForgetRequest(pairs=((user, item),)),
    }


def request_seconds(run: Path, request: ForgetRequest, out: Path, audited: bool = True) -> dict[str, float]:
    """Seconds of the unlearning by phase, and of the audit after it; `out` is replaced.

    The copy of retained data and rows is made inside the method and counted apart; `latency` is what is neither load,
    copy nor save.
    """
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    parent = runs.load(run)
    load = time.perf_counter() - started
    spent = {"load": load} | phases(lambda: jobs.unlearn(parent, request, out), UNLEARNING)
    spent["total"] += load
    spent["method"] -= spent["copy"]
    spent["rest"] += spent["copy"]
    spent["latency"] = spent["resolve"] + spent["method"] + spent["rest"]
    if audited:
        started = time.perf_counter()
        jobs.audit(out)
        spent["audit"] = time.perf_counter() - started
    return spent


def measured(run: Path, dataset: Dataset, model: str, rounds: int, folder: Path) -> list[dict[str, Any]]:
    """One row for one user, one for one item and one for one pair, taking turns."""
    requests = singles(dataset)
    found: dict[str, list[dict[str, float]]] = {target: [] for target in requests}
    for _ in range(rounds):
        for target, request in requests.items():
            found[target].append(request_seconds(run, request, folder / target))
    return [
        {"data": dataset.name, "model": model, "request": f"one {target}"}
        | {name: Spread.of(row[name] for row in rows) for name in rows[0]}
        for target, rows in found.items()
    ]


def main(given: Sequence[str] | None = None) -> None:
    """Measure every dataset."""
    parser = arguments("latency", rounds=3)
    parser.add_argument("--models", nargs="+", default=["mgcn", "lightgcn"])
    parser.add_argument("--epochs", type=int, default=3, help="of the Original")
    options = parser.parse_args(given)
    rows: list[dict[str, Any]] = []
    for dataset in chosen(options.data, options.sizes):
        for model in options.models:
            with TemporaryDirectory() as name:
                folder = Path(name)
                files.save(dataset, folder / "data")
                run = trained(folder / "data", model, folder / "run", options.epochs)
                rows += measured(run, dataset, model, options.rounds, folder)
    write(options.out, "latency", [Table("One user, one item or one pair: seconds in each phase", rows)])


if __name__ == "__main__":
    main()

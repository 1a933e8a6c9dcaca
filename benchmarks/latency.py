"""From a request to a run that can be served and to its audit: where the seconds of one user or one item go."""

import cProfile
import pstats
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType
from typing import Any

from benchmarks.cases import chosen
from benchmarks.originals import trained
from benchmarks.page import Table, arguments, write
from benchmarks.timing import Spread
from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.unlearning.base import retained_model
from mmrecun.unlearning.registry import method_class

Phases = Mapping[str, Sequence[FunctionType]]
METHOD, SETTINGS = "mmrecun", {"min_cosine": -1}  # models trained for a moment are solved for, too


def unlearning_phases() -> Phases:
    """Return the functions in which the time of an unlearning is spent; one that was renamed is an AttributeError."""
    return {
        "resolve": [Partition.from_request.__func__],
        "method": [method_class(METHOD).run],
        "copy": [retained_model],
        "save": [Dataset.digest.func, files.write_into, runs.write],
    }


def phases(action: Callable[[], object], of: Phases) -> dict[str, float]:
    """Measure the seconds that `action` spends in the functions of each phase, and in the rest.

    Raises:
        RuntimeError: when a function is never called, so that its phase would seem to cost nothing.
    """
    profile = cProfile.Profile()
    started = time.perf_counter()
    profile.runcall(action)
    total = time.perf_counter() - started
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = {phase: sum(_seconds_in(function, stats, phase) for function in of[phase]) for phase in of}
    return found | {"rest": total - sum(found.values()), "total": total}


def _seconds_in(function: FunctionType, stats: Mapping[Any, Any], phase: str) -> float:
    code = function.__code__
    try:
        _, _, _, spent, _ = stats[code.co_filename, code.co_firstlineno, code.co_name]
    except KeyError:
        raise RuntimeError(
            f"phase '{phase}': {function.__qualname__} was never called; name what took its place in latency.py"
        ) from None
    return float(spent)


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
    spent = {"load": load} | phases(lambda: jobs.unlearn(parent, request, out, METHOD, SETTINGS), unlearning_phases())
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

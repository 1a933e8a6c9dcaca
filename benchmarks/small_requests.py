"""Every user of a request forgotten one at a time, beside Golds without all of them: what small requests leave.

Models and Golds are those of `benchmarks.verdicts`, kept in the same folder.
"""

import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.against_gold import beside, court_of, figures_of
from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import DRAW, trials
from benchmarks.verdicts import Court, Kept
from mmrecun.auditing.figures import RunKind
from mmrecun.forget.partition import Partition
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.registry import method_class


def one_by_one(court: Court, method: str) -> tuple[Recommender, list[float]]:
    """Forget the users of a request in a random order; return the last model, and the CPU seconds of each request."""
    kind, original = method_class(method), court.original
    model, data, seconds = original.model, original.dataset, list[float]()
    carried: Mapping[str, Any] = {}
    for number, user in enumerate(Seed(1).numpy().permutation(np.array(court.asked.users))):
        started = time.process_time()
        partition = Partition.from_request(data, ForgetRequest(users=(str(user),)))
        task = Task.of(
            model, partition, original.training, Seed(number), carried=carried, epochs=original.manifest.epochs
        )
        result = kind(kind.Config()).run(task)
        model, data, carried = result.model, partition.retained, result.carried
        seconds.append(time.process_time() - started)
    return model, seconds


def row_of(court: Court, method: str) -> dict[str, Any]:
    """Judge the last model; each figure stands before its mean over the Golds."""
    model, seconds = one_by_one(court, method)
    state = court.measured(RunKind.UNLEARNED, court.original, model)
    judged = court.row("method", method, state, model, court.targets)
    return {
        "data": court.data,
        "model": court.model,
        "requests": len(seconds),
        **{name: beside(value, court.targets, name) for name, value in figures_of(state).items()},
        "median CPU s": round(float(np.median(seconds)), 2),
        "mean CPU s": round(float(np.mean(seconds)), 2),
        "without Gold": judged["without Gold"],
        "with Gold": judged["with Gold"],
    }


def main(given: Sequence[str] | None = None) -> None:
    """Judge every model of the grid that has the request, or those whose names hold a word that is given."""
    parser = arguments("small_requests", rounds=1)
    parser.add_argument("--kept", type=Path, default=OUT / "verdicts", help="folder of what is trained")
    parser.add_argument("--only", default="tiktok mgcn", help="such as 'ml100k bprmf'")
    parser.add_argument("--request", default="users5", help="share of the users, such as 'users11'")
    parser.add_argument("--golds", type=int, default=2)
    parser.add_argument("--method", default="mmrecun")
    options = parser.parse_args(given)
    write(options.out, "small_requests", [Table("One user at a time / Gold", _rows(options))])


def _rows(options: Namespace) -> list[dict[str, Any]]:
    kept, name = Kept(options.kept), options.request
    chosen = [trial for trial, own in trials(options.only) if own == "users5"]
    return [row_of(court_of(kept, trial, name, DRAW, options.golds), options.method) for trial in chosen]


if __name__ == "__main__":
    main()

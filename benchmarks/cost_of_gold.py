"""CPU seconds of a method beside those of its Golds, whatever else the machine is doing.

Golds are those of `benchmarks.verdicts`, kept in the same folder. What one costs is counted, not timed: the epochs it
took, each with the seconds that an epoch and a validation take now.
"""

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks import every_kind
from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import DRAW, GRID, Trial, trials
from benchmarks.verdicts import Kept
from mmrecun import runs
from mmrecun.data.bpr_sampling import NegativeSampler
from mmrecun.forget import views
from mmrecun.forget.partition import Partition
from mmrecun.rng import Seed
from mmrecun.training.fit import train_epoch
from mmrecun.training.loop import adam
from mmrecun.unlearning.base import Task, retained_model
from mmrecun.unlearning.registry import METHODS, method_class

SEED = Seed(7)


def row_of(kept: Kept, trial: Trial, name: str, options: Namespace) -> dict[str, Any]:
    """Time a method and an epoch of Gold's training, in turns; the first turn warms up and does not count."""
    original = kept.original(trial, every_kind.ORIGINALS[0] if options.every_kind else 0)
    draw, kind = every_kind.DRAW if options.every_kind else DRAW, method_class(options.method)
    asked, golds = kept.golds(original, name, draw, trial.golds)
    partition = Partition.from_request(original.dataset, asked)
    task = Task.of(original.model, partition, original.training, SEED, epochs=original.manifest.epochs)
    model, inputs = retained_model(task, task.model), task.inputs(views.retained)
    retained, training = task.partition.retained, task.training
    sampler = NegativeSampler(retained.train, len(retained.users), len(retained.items))
    optimizer = adam(model, training.learning_rate)
    turns = [
        (
            cpu_seconds(lambda: kind(kind.Config()).run(task)),
            cpu_seconds(
                lambda: train_epoch(model, retained.train, sampler, inputs, training.batch_size, SEED, optimizer)
            ),
            cpu_seconds(lambda: task.validate(model, inputs)),
        )
        for _ in range(1 + options.rounds)
    ]
    own, epoch, validation = (median(part) for part in zip(*turns[1:], strict=True))
    epochs = mean(len(runs.history(gold.folder)) for gold in golds)
    gold_seconds = epochs * (epoch + validation / training.validate_every)
    return {
        "data": trial.data,
        "model": trial.model,
        "request": name,
        "CPU s": round(own, 2),
        "Gold, epochs": round(epochs),
        "Gold, CPU s": round(gold_seconds, 1),
        "times faster": round(gold_seconds / own, 1),
    }


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that `work` takes in this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main(given: Sequence[str] | None = None) -> None:
    """Measure every request of the grid, or those whose names hold a word that is given."""
    parser = arguments("cost_of_gold", rounds=3)
    parser.add_argument("--kept", type=Path, default=OUT / "verdicts", help="folder of what is trained")
    parser.add_argument("--only", default="", help="such as 'baby bprmf' or 'items5'")
    parser.add_argument("--method", default="mmrecun", choices=METHODS)
    parser.add_argument("--every-kind", action="store_true", help="the requests of `benchmarks.every_kind`")
    options = parser.parse_args(given)
    chosen = trials(options.only, every_kind.TRIALS if options.every_kind else GRID)
    rows = [row_of(Kept(options.kept), trial, name, options) for trial, name in chosen]
    write(options.out, "cost_of_gold", [Table(f"{options.method} beside Gold", rows)])


if __name__ == "__main__":
    main()

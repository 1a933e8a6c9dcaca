"""A method beside Gold, request by request: quality, forgetting, marks, bystanders and time, as the audit sees them.

Models and Golds are those of `benchmarks.verdicts`, kept in the same folder. With `--draw` other than 5, requests are
drawn anew, and Golds made for them: those of 5 were looked at while `mmrecun` was made. With `--data`, it is tried on a
dataset of your own.
"""

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import DRAW, Trial, trials
from benchmarks.verdicts import Court, Kept
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.keys import CheckName
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.rng import Seed
from mmrecun.unlearning.registry import METHODS

SEED = Seed(7)


def row_of(court: Court, method: str) -> dict[str, Any]:
    """Unlearn, time it and judge it; each figure stands before its mean over the Golds."""
    started = time.perf_counter()
    model = court.unlearned(method, SEED)
    seconds = time.perf_counter() - started
    state = court.measured(RunKind.UNLEARNED, court.original, model)
    judged = court.row("method", method, state, model, court.targets)
    gold_seconds = min(gold.manifest.seconds for gold in court.golds)
    figures = {name: beside(value, court.targets, name) for name, value in figures_of(state).items()}
    return {
        "data": court.data,
        "model": court.model,
        "request": court.name,
        "Golds": len(court.golds),
        **figures,
        "seconds": round(seconds, 2),
        "times faster": round(gold_seconds / seconds, 1),
        "without Gold": judged["without Gold"],
        "with Gold": judged["with Gold"],
        "failed": ", ".join(CheckName(name).without_gold for name in judged["failed against Gold"] or judged["failed"]),
    }


def figures_of(state: MeasuredRun) -> dict[str, float]:
    """Return recall, and the AUCs of what was forgotten and of marks."""
    figures = state.figures
    found = {"retained recall": figures.retain["recall@20"]}
    for name, recognition in figures.recognition.items():
        found[f"AUC {name}"] = recognition.auc
    for name, mark in figures.marks.items():
        found[f"marks {name}"] = mark.auc
    return found


def beside(value: float, golds: Sequence[MeasuredRun], name: str) -> str:
    """Return a figure before its mean over the Golds."""
    theirs = [found[name] for found in map(figures_of, golds) if name in found]
    return f"{value:.3f} / {sum(theirs) / len(theirs):.3f}" if theirs else f"{value:.3f}"


def court_of(kept: Kept, trial: Trial, name: str, draw: int, golds: int, seed: int = 0) -> Court:
    """Return the original of a seed, the Golds and the probe of one request."""
    original = kept.original(trial, seed)
    asked, runs = kept.golds(original, name, draw, golds)
    return Court(Path(trial.data).name, trial.model, name, original, asked, runs)


def main(given: Sequence[str] | None = None) -> None:
    """Judge a method on every request of the grid, or those whose names hold a word that is given."""
    parser = arguments("against_gold", rounds=1)
    parser.add_argument("--kept", type=Path, default=OUT / "verdicts", help="folder of what is trained")
    parser.add_argument("--only", default="", help="such as 'baby bprmf' or 'items5'")
    parser.add_argument("--model", default="mgcn", help="model to train on --data")
    parser.add_argument("--requests", default="users5,items5,pairs5", help="made to it, as in `verdict_trials.request`")
    parser.add_argument("--draw", type=int, default=DRAW, help="seed of the requests")
    parser.add_argument("--original", type=int, default=0, help="seed of the training of the original")
    parser.add_argument("--golds", type=int, default=0, help="of each request; as in the grid by default")
    parser.add_argument("--method", default="mmrecun", choices=METHODS)
    options = parser.parse_args(given)
    write(options.out, "against_gold", _tables(options))


def _tables(options: Namespace) -> list[Table]:
    kept, rows = Kept(options.kept), list[dict[str, Any]]()
    for trial, name in _own(options) if options.data else trials(options.only):
        court = court_of(kept, trial, name, options.draw, options.golds or trial.golds, options.original)
        rows.append(row_of(court, options.method))
        print(rows[-1], flush=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [Table(f"{options.method} / Gold", [{column: row.get(column, "") for column in columns} for row in rows])]


def _own(options: Namespace) -> list[tuple[Trial, str]]:
    """Return the requests to a model of each dataset folder that is given."""
    names = tuple(options.requests.split(","))
    return [(Trial(str(folder), options.model, names, golds=2), name) for folder in options.data for name in names]


if __name__ == "__main__":
    main()

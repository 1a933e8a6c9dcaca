"""The verdict's own error: fakes that must be refused and Golds that must not, over datasets, models and requests.

Everything trained is kept in a folder, so that an interrupted call goes on where it was.
"""

import json
import shutil
from argparse import Namespace
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from benchmarks.cases import imported
from benchmarks.fakes import FAKES, Case, graph_swap
from benchmarks.page import OUT, Table, arguments, write
from benchmarks.verdict_trials import DRAW, Trial, request, trials
from mmrecun import jobs, runs
from mmrecun.auditing import residue
from mmrecun.auditing.compare import check_run
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.measure import MeasuredRun, measure_state
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.errors import ArtifactError
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.runs import WEIGHTS, Run
from mmrecun.training.checkpoint import save_weights
from mmrecun.unlearning.base import Task
from mmrecun.unlearning.registry import method_class

FIRST_GOLD = 1001
HALVED = ("bprmf", "vbpr")  # models that train fast enough to forget half of each request as Gold would
METHODS = ("mmrecun", "mmrecun-paper")


@dataclass(frozen=True)
class Kept:
    """A folder of datasets, trained models and Golds, each made when it is first asked for."""

    folder: Path

    def original(self, trial: Trial, seed: int = 0) -> Run:
        """Return a model trained on all of the data."""
        place = self.folder / "original" / f"{Path(trial.data).name}-{trial.model}-{seed}"
        if not place.is_dir():
            own = (Path(trial.data) / "dataset.toml").is_file()
            data = Path(trial.data) if own else imported(trial.data, self.folder / "data")
            jobs.train(data, trial.model, place, trial.settings, seed)
        return runs.load(place)

    def golds(self, original: Run, name: str, draw: int, count: int) -> tuple[ForgetRequest, list[Run]]:
        """Return a request of a draw, and `count` models trained without what it asks for."""
        asked = request(original.dataset, name, Seed(draw))
        called = name if draw == DRAW else f"{name}-draw{draw}"
        return asked, [self.retrained(original, called, asked, FIRST_GOLD + number) for number in range(count)]

    def retrained(self, original: Run, name: str, asked: ForgetRequest, seed: int) -> Run:
        """Return a model trained without what was asked for."""
        place = self.folder / "gold" / f"{original.folder.name[:-2]}-{name}-{seed}"
        if not place.is_dir():
            jobs.unlearn(original, asked, place, "retrain", seed=seed)
        return runs.load(place)


@dataclass
class Court:
    """Judges states of one request, without Gold and with."""

    data: str
    model: str
    name: str
    original: Run
    asked: ForgetRequest
    golds: list[Run]

    def __post_init__(self) -> None:
        self.partition: Partition = Partition.between(self.original.dataset, self.golds[0].dataset)
        self.setup: AuditSetup = audit_setup(self.partition)
        self.before = self.measured(RunKind.ORIGINAL, self.original, self.original.model)
        self.targets = [self.measured(RunKind.GOLD, gold, gold.model) for gold in self.golds]

    def beside(self, original: Run) -> Self:
        """Return the same request to another training of the same data; what is known of Golds stays."""
        other = copy(self)
        other.original, other.before = original, self.measured(RunKind.ORIGINAL, original, original.model)
        return other

    def task(self, seed: Seed) -> Task:
        """Return what a method is given."""
        run = self.original
        return Task.of(run.model, self.partition, run.training, seed, epochs=run.manifest.epochs)

    def unlearned(self, method: str, seed: Seed) -> Recommender:
        """Return what a method makes of the original with its defaults."""
        kind = method_class(method)
        return kind(kind.Config()).run(self.task(seed)).model

    def measured(self, kind: RunKind, run: Run, model: Recommender) -> MeasuredRun:
        """Everything that an audit measures of one state."""
        audited = AuditedRun(kind, run.folder, model, run.manifest.seed, run.manifest.seconds)
        return measure_state(audited, self.partition, self.setup)

    def row(
        self, kind: str, what: str, state: MeasuredRun, model: Recommender, golds: Sequence[MeasuredRun]
    ) -> dict[str, Any]:
        """Return what the audit says of one state."""
        found = residue.scan(
            self.original.model, model, self.partition, self.golds[0].folder, ForgetRecord.extended(self.asked)
        )
        made = check_run(self.partition, self.setup, self.before, state, golds, found)
        failed = [check for check in made.checks if check.state is Outcome.FAILED]
        return {
            "data": self.data,
            "model": self.model,
            "request": self.name,
            "kind": kind,
            "what": what,
            "without Gold": made.without_gold.value,
            "with Gold": made.verdict.value,
            "failed": [check.name for check in failed if not check.against_gold],
            "failed against Gold": [check.name for check in failed if check.against_gold],
            "details": {check.name: check.detail for check in made.checks},
            "open": [check.name for check in made.checks if check.state is Outcome.NOT_ASSESSED],
        }

    def gold_rows(self) -> Iterator[dict[str, Any]]:
        """Each Gold against the others."""
        for number, (gold, state) in enumerate(zip(self.golds, self.targets, strict=True)):
            others = self.targets[:number] + self.targets[number + 1 :]
            yield self.row("gold", str(gold.manifest.seed), state, gold.model, others)

    def fake_rows(self, case: Case) -> Iterator[dict[str, Any]]:
        """Fakes and methods against all but the Gold that some fakes are made from."""
        for fake in FAKES:
            if (model := fake(case)) is not None:
                yield self._claimed("fake", fake.__name__.replace("_", " "), model)
        yield self._swapped(graph_swap(case))
        for method in METHODS:
            yield self._claimed("method", method, case.by(method))

    def _swapped(self, model: Recommender) -> dict[str, Any]:
        """Return a Gold's folder with other weights under its manifest; an audit should not even read it."""
        with TemporaryDirectory() as name:
            place = Path(name) / "run"
            shutil.copytree(self.golds[0].folder, place)
            save_weights(model, place / WEIGHTS)
            try:
                runs.load(place)
                state, checks = Outcome.PASSED, list[str]()
            except ArtifactError:
                state, checks = Outcome.FAILED, ["digest of the weights"]
        facts = {
            "data": self.data,
            "model": self.model,
            "request": self.name,
            "kind": "fake",
            "what": "weights swapped",
        }
        verdicts = {"without Gold": state.value, "with Gold": state.value}
        return {**facts, **verdicts, "failed": checks, "failed against Gold": [], "details": {}, "open": []}

    def _claimed(self, kind: str, what: str, model: Recommender) -> dict[str, Any]:
        state = self.measured(RunKind.UNLEARNED, self.original, model)
        return self.row(kind, what, state, model, self.targets[1:])


def judged(kept: Kept, trial: Trial, name: str) -> list[dict[str, Any]]:
    """All rows of one request, kept once they are there."""
    path = kept.folder / "judged" / f"{trial.data}-{trial.model}-{name}.json"
    if path.is_file():
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return rows
    original = kept.original(trial)
    asked, runs = kept.golds(original, name, DRAW, trial.golds)
    court = Court(trial.data, trial.model, name, original, asked, runs)
    rows = list(court.gold_rows())
    if name in trial.faked:
        half = None
        if trial.model in HALVED:
            part = request(original.dataset, name, Seed(DRAW), half=True)
            run = kept.retrained(original, f"half-{name}", part, FIRST_GOLD)
            half = run.model, run.dataset
        other = request(original.dataset, name, Seed(DRAW).child("another"))
        case = Case(original, court.partition, court.setup, kept.original(trial, 1), runs[0].model, half, other)
        rows += court.fake_rows(case)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return rows


def tables(rows: Sequence[dict[str, Any]]) -> list[Table]:
    """Return accepted and refused runs by kind, and what each check alone found out."""
    return [
        Table("Fakes and Golds judged", [_counted(rows, kind, what) for kind, what in _kinds(rows)]),
        Table("What each check catches among the fakes", _caught(rows, "failed")),
        Table("What each check catches with Gold", _caught(rows, "failed against Gold")),
    ]


def _kinds(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    kinds = dict.fromkeys((row["kind"], row["what"] if row["kind"] != "gold" else "Gold") for row in rows)
    return [*kinds, ("fake", "")]


def _counted(rows: Sequence[dict[str, Any]], kind: str, what: str) -> dict[str, Any]:
    same = [row for row in rows if row["kind"] == kind and what in ("", "Gold", row["what"])]
    counts: dict[str, Any] = {"what": what or "all fakes", "runs": len(same)}
    for column in ("without Gold", "with Gold"):
        for state in (Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ASSESSED):
            counts[f"{state.value} {column}"] = sum(row[column] == state.value for row in same)
    return counts


def _caught(rows: Sequence[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    fakes = [row[column] for row in rows if row["kind"] == "fake"]
    golds = [row[column] for row in rows if row["kind"] == "gold"]
    names = sorted({name for found in (*fakes, *golds) for name in found})
    return [
        {
            "check": name,
            "fakes": sum(name in found for found in fakes),
            "fakes that no other check caught": sum(found == [name] for found in fakes),
            "Golds": sum(name in found for found in golds),
        }
        for name in names
    ]


def main(given: Sequence[str] | None = None) -> None:
    """Judge every request of the grid, or those whose names hold a word that is given."""
    parser = arguments("verdicts", rounds=1)
    parser.add_argument("--kept", type=Path, default=OUT / "verdicts", help="folder of what is trained")
    parser.add_argument("--only", default="", help="such as 'baby bprmf' or 'items5'")
    options = parser.parse_args(given)
    write(options.out, "verdicts", tables(_rows(options)))


def _rows(options: Namespace) -> list[dict[str, Any]]:
    """Of the whole grid, or of what is asked for."""
    kept = Kept(options.kept)
    return [row for trial, name in trials(options.only) for row in judged(kept, trial, name)]


if __name__ == "__main__":
    main()

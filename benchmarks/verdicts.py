"""The verdict's own error: fakes that must be refused and Golds that must not, over datasets, models and requests.

Everything trained is kept in a folder, so that an interrupted call goes on where it was.
"""

import json
import re
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.cases import imported
from benchmarks.fakes import FAKES, Case, graph_swap
from benchmarks.page import OUT, Table, arguments, write
from mmrecun import jobs, runs
from mmrecun.auditing import residue
from mmrecun.auditing.compare import check_run
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.measure import MeasuredRun, measure_state
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.result import Outcome
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.data.dataset import Dataset
from mmrecun.errors import ArtifactError
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.request import ForgetRequest
from mmrecun.models.base import Recommender
from mmrecun.rng import Seed
from mmrecun.runs import WEIGHTS, Run
from mmrecun.training.checkpoint import save_weights


@dataclass(frozen=True)
class Trial:
    """A model on a dataset, and the requests that are made to it.

    Attributes:
        data, model: names.
        requests: see `request`.
        golds: of each request.
        faked: the requests that fakes are made of, too.
        settings: of the training, where they are not the defaults.
    """

    data: str
    model: str
    requests: tuple[str, ...]
    golds: int
    faked: tuple[str, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)


BABY = {"learning_rate": 3e-3, "patience": 8, "patience_steps": 0}
CITEULIKE = {"learning_rate": 1e-2, "patience": 8, "patience_steps": 0}
ALL = ("users5", "items5", "pairs5")
GRID = (
    Trial("ml100k", "bprmf", (*ALL, "active2"), 5, (*ALL, "active2")),
    Trial("baby", "bprmf", ALL, 5, ALL),
    Trial("citeulike", "bprmf", ALL, 5, ALL),
    Trial("ml100k", "vbpr", ("users5", "feattext-20"), 4, ("users5", "feattext-20")),
    Trial("tiktok", "vbpr", ("users5", "items5", "feataudio-20"), 4, ("users5", "feataudio-20")),
    Trial("ml100k", "lightgcn", ALL, 3, ("users5",)),
    Trial("baby", "lightgcn", ALL, 3, ("items5",), BABY),
    Trial("citeulike", "lightgcn", ALL, 2, (), CITEULIKE),
    Trial("tiktok", "mgcn", (*ALL, "feataudio-20"), 2),
)
REQUESTS = Seed(5)
FIRST_GOLD = 1001
HALVED = ("bprmf", "vbpr")  # models that train fast enough to forget half of each request as Gold would
METHODS = ("mmrecun", "mmrecun-paper")


def request(dataset: Dataset, name: str, seed: Seed, half: bool = False) -> ForgetRequest:
    """Return a share, in per cent, of users, most active users, items, training pairs or a modality's items.

    With `half`, the first half of the same draw.

    Args:
        dataset: to draw from.
        name: such as `users5`, or `feataudio-20` for the audio of a fifth of the items.
        seed: of the draw.
        half: whether to take half of it.
    """
    kind, modality, percent = re.fullmatch(r"([a-z]+?)(?:(?<=feat)([a-z]+)-)?(\d+)", name).groups()
    train, ratio, rng = dataset.train, float(percent) / 100, seed.child(name).numpy()
    users, items = np.unique(train.users), np.unique(train.items)

    def drawn(rows: np.ndarray) -> np.ndarray:
        chosen = rng.choice(rows, max(1, round(ratio * len(rows))), replace=False)
        return np.sort(chosen[: len(chosen) // 2] if half else chosen)

    if kind == "pairs":
        rows = drawn(np.arange(len(train)))
        names = dataset.users.names.gather(train.users[rows]), dataset.items.names.gather(train.items[rows])
        return ForgetRequest(pairs=tuple(zip(*names, strict=True)))
    if kind in ("users", "active"):
        degree = dataset.degrees[0]
        most = np.argsort(-degree, kind="stable")[: round(ratio * len(degree))]
        rows = drawn(users) if kind == "users" else most[: len(most) // (2 if half else 1)]
        return ForgetRequest(users=tuple(dataset.users.names.gather(rows)))
    if kind == "items":
        return ForgetRequest(items=tuple(dataset.items.names.gather(drawn(items))))
    carriers = np.intersect1d(np.flatnonzero(dataset.modalities[modality].present), items)
    return ForgetRequest(modalities={modality: tuple(dataset.items.names.gather(drawn(carriers)))})


def trials(only: str) -> list[tuple[Trial, str]]:
    """Return the requests of the grid whose data, model and name hold the words `only`; all for "".

    Raises:
        SystemExit: when there is none.
    """
    found = [(trial, name) for trial in GRID for name in trial.requests if only in f"{trial.data} {trial.model} {name}"]
    if not found:
        raise SystemExit(f"--only {only}: no request of the grid is called so; write it as 'baby bprmf items5'")
    return found


@dataclass(frozen=True)
class Kept:
    """A folder of datasets, trained models and Golds, each made when it is first asked for."""

    folder: Path

    def original(self, trial: Trial, seed: int = 0) -> Run:
        """Return a model trained on all of the data."""
        place = self.folder / "original" / f"{trial.data}-{trial.model}-{seed}"
        if not place.is_dir():
            jobs.train(imported(trial.data, self.folder / "data"), trial.model, place, trial.settings, seed)
        return runs.load(place)

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
    asked = request(original.dataset, name, REQUESTS)
    runs = [kept.retrained(original, name, asked, FIRST_GOLD + number) for number in range(trial.golds)]
    court = Court(trial.data, trial.model, name, original, asked, runs)
    rows = list(court.gold_rows())
    if name in trial.faked:
        half = None
        if trial.model in HALVED:
            part = request(original.dataset, name, REQUESTS, half=True)
            run = kept.retrained(original, f"half-{name}", part, FIRST_GOLD)
            half = run.model, run.dataset
        other = request(original.dataset, name, REQUESTS.child("another"))
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

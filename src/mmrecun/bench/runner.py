"""The rows of one dataset, backbone and request: Originals, Golds, then every method, each audited at once."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from mmrecun import jobs, runs
from mmrecun.atomic import replace_file
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.measure import MeasuredRun
from mmrecun.bench.auditor import RunAuditor
from mmrecun.bench.cache import GOLD_SEED, Cache
from mmrecun.bench.groups import Group, method_facts, reference_facts
from mmrecun.bench.memory import peak_memory
from mmrecun.bench.results import Key, Row, Status, Store, gaps, of_figures, of_report
from mmrecun.bench.scenarios import Scenario
from mmrecun.bench.spec import Method
from mmrecun.errors import ForgetError, MMRecUnError
from mmrecun.forget.partition import Partition
from mmrecun.runs import Run
from mmrecun.training.loop import Progress
from mmrecun.unlearning.registry import method_class


class BenchProgress:
    """Counts finished rows, and reports what is being made."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def begin(self, note: str) -> Progress:
        """Announce a piece of work, and return the callback for its own progress."""
        self.progress(self.done, self.total, note)
        return lambda done, total, _: self.progress(self.done, self.total, f"{note}  {done}/{total}")

    def finish(self, rows: int = 1) -> None:
        """Count finished rows."""
        self.done += rows
        self.progress(self.done, self.total, "")


class TimedRun(NamedTuple):
    """A run that a method has just made.

    Attributes:
        run: the run, ready to be audited.
        seconds: mean over the requests so far.
        peak: bytes resident at most, None where the system does not tell.
    """

    run: Run
    seconds: float
    peak: int | None


@dataclass
class GroupRun:
    """Makes and reads the rows of one group.

    Attributes:
        group: what is to be made.
        cache: of datasets, Originals and Golds.
        store: of finished rows.
        runs: folder for the runs of methods, which are removed once audited unless the spec keeps them.
        started: of the bench; Golds made earlier give no speed-up.
        row_progress: told of every row.
    """

    group: Group
    cache: Cache
    store: Store
    runs: Path
    started: str
    row_progress: BenchProgress
    _originals: dict[int, Run] = field(default_factory=dict)
    _auditors: dict[int, RunAuditor] = field(default_factory=dict)

    @cached_property
    def _scenario(self) -> Scenario:
        assert isinstance(self.group.scenario, Scenario)
        return self.group.scenario

    @cached_property
    def _digests(self) -> dict[Key, str]:
        methods = {method.label: method for method in self.group.spec.methods}
        return {
            key: self.group.digest(
                key.requests,
                method_facts(methods[key.method], key.seed)
                if key.method in methods
                else reference_facts(key.method, key.seed),
            )
            for key in self.group.row_keys()
        }

    def rows(self, retry: bool = False) -> list[Row]:
        """All rows, those missing made first, and with `retry` those that failed.

        A method that cannot forget the target gives a row that says so; one that fails gives a row with its error.
        """
        if isinstance(self.group.scenario, str):
            reason = self.group.scenario
            listed = [_bare(key, Status.NOT_APPLICABLE, reason) for key in self.group.row_keys()]
            self.row_progress.finish(len(listed))
            return listed
        wanted = {key for key in self._digests if self._wanted(key, retry)}
        self.row_progress.finish(len(self._digests) - len(wanted))
        if wanted:
            self._make(wanted)
        found = [self.store.get(digest, key) for key, digest in self._digests.items()]
        return [row for row in found if row is not None]

    def _wanted(self, key: Key, retry: bool) -> bool:
        row = self.store.get(self._digests[key], key)
        return row is None or (retry and row.status is Status.FAILED)

    def _make(self, wanted: set[Key]) -> None:
        try:
            self._refuse_unread()
            for checkpoint in sorted({key.requests for key in wanted}):
                self._auditors[checkpoint] = self._auditor(checkpoint)
            for key in self._ordered(wanted, "original"):
                self._put(self._of_original(key))
            for key in self._ordered(wanted, "gold"):
                self._put(self._of_gold(key))
        except Exception as error:  # noqa: BLE001
            self._give_up(self._left(wanted), error)
            return
        for method in self.group.spec.methods:
            for seed in self.group.spec.seeds:
                keys = {key for key in self._ordered(wanted, method.label) if key.seed == seed}
                if keys:
                    self._of_method(method, seed, keys)

    def _ordered(self, wanted: set[Key], label: str) -> list[Key]:
        return [key for key in self._digests if key in wanted and key.method == label]

    def _left(self, wanted: set[Key]) -> list[Key]:
        return [key for key in self._digests if key in wanted and self.store.get(self._digests[key], key) is None]

    def _give_up(self, keys: list[Key], error: Exception) -> None:
        status = Status.NOT_APPLICABLE if isinstance(error, ForgetError) else Status.FAILED
        for key in keys:
            self._put(_bare(key, status, one_line(error)))

    def _put(self, row: Row) -> None:
        key = Key.model_validate(row.model_dump(include=set(Key.model_fields)))
        self.store.put(self._digests[key], row)
        self.row_progress.finish()

    def _note(self, what: str) -> str:
        return f"{self.group.dataset} {self.group.backbone.label}, {self.group.request.label}: {what}"

    def _original(self, seed: int) -> Run:
        if seed not in self._originals:
            progress = self.row_progress.begin(self._note(f"original, seed {seed}"))
            backbone = self.group.backbone
            self._originals[seed] = self.cache.original(self._scenario.dataset, backbone, seed, progress)
        return self._originals[seed]

    def _refuse_unread(self) -> None:
        """Refuse to forget a modality that the model does not read."""
        original = self._original(self.group.spec.seeds[0])
        unread = set(self._scenario.steps[0].modalities) - set(original.model.modalities())
        if unread:
            raise ForgetError(f"'{self.group.backbone.model}' does not read the modality '{min(unread)}'")

    def _auditor(self, checkpoint: int) -> RunAuditor:
        request, seeds = self._scenario.until(checkpoint), self.group.spec.seeds
        retained = Partition.from_request(self._scenario.dataset, request).retained.digest
        golds: list[Run] = []
        for number in range(self.group.spec.golds):
            progress = self.row_progress.begin(self._note(f"Gold {number + 1} of {self.group.spec.golds}"))
            original = self._original(seeds[0])
            folder = self.cache.gold(original, self.group.backbone, request, retained, number, progress)
            golds.append(runs.load(folder, self.cache.device))
        return RunAuditor(self._scenario.dataset, request, golds)

    def _of_original(self, key: Key) -> Row:
        auditor, original = self._auditors[key.requests], self._original(key.seed)
        values = of_figures(auditor.original(original).figures)
        against = {**gaps(values, _figures(auditor.golds)), **self._costs(auditor, None)}
        return Row(**key.model_dump(), **values, **against, status=Status.DONE)

    def _of_gold(self, key: Key) -> Row:
        """Audit a Gold against the other Golds as if it were unlearned, to see how often the right answer passes."""
        auditor, number = self._auditors[key.requests], key.seed - GOLD_SEED
        values = _figures(auditor.golds)
        own = values.pop(number)
        costs = {**self._costs(auditor, auditor.golds[number].figures.seconds), "speedup_over_gold": None}
        report = auditor.of_gold(self._original(self.group.spec.seeds[0]), number)
        return Row(
            **key.model_dump(),
            **own,
            **gaps(own, values),
            **costs,
            **of_report(report),
            status=Status.DONE,
        )

    def _of_method(self, method: Method, seed: int, keys: set[Key]) -> None:
        folder = self.runs / self._digests[max(keys, key=lambda key: key.requests)]
        wanted = {key.requests: key for key in keys}
        try:
            method_class(method.method).check(next(iter(self._auditors.values())).partition)
            for checkpoint, timed in self._unlearn(method, seed, folder):
                if checkpoint in wanted:
                    self._put(self._audited(wanted.pop(checkpoint), timed))
                if not wanted:
                    break
        except Exception as error:  # noqa: BLE001
            self._give_up(list(wanted.values()), error)
        if not self.group.spec.keep_runs:
            shutil.rmtree(folder, ignore_errors=True)

    def _unlearn(self, method: Method, seed: int, folder: Path) -> Iterator[tuple[int, TimedRun]]:
        """Make the requests one after another, and yield the run at each checkpoint."""
        run, times, most = self._original(seed), list[float](), None
        shutil.rmtree(folder, ignore_errors=True)
        for number, step in enumerate(self._scenario.steps, start=1):
            progress = self.row_progress.begin(self._note(f"{method.label}, seed {seed}"))
            place = folder / str(number)
            with peak_memory() as peak:
                manifest = jobs.unlearn(run, step, place, method.method, method.settings, seed, progress)
                most = max(filter(None, (most, peak())), default=None)
            times.append(manifest.seconds)
            run = runs.load(place, self.cache.device)
            if number in self._scenario.checkpoints:
                yield number, TimedRun(run, mean(times), most)

    def _audited(self, key: Key, timed: TimedRun) -> Row:
        auditor = self._auditors[key.requests]
        report = auditor.report(self._original(key.seed), timed.run)
        values = of_figures(report.measurements(RunKind.UNLEARNED))
        if self.group.spec.keep_runs:
            replace_file(timed.run.folder / "audit.json", (report.model_dump_json(indent=2) + "\n").encode())
        return Row(
            **key.model_dump(),
            **values,
            **gaps(values, _figures(auditor.golds)),
            **self._costs(auditor, timed.seconds),
            **of_report(report),
            peak_memory=timed.peak,
            stop=timed.run.manifest.stop,
            status=Status.DONE,
        )

    def _costs(self, auditor: RunAuditor, seconds: float | None) -> dict[str, Any]:
        gold = mean(gold.figures.seconds for gold in auditor.golds)
        comparable = seconds and min(auditor.made) >= self.started
        speedup = gold / seconds if seconds and comparable else None
        return {"seconds": seconds, "gold_seconds": gold, "speedup_over_gold": speedup}


def _figures(states: Sequence[MeasuredRun]) -> list[dict[str, float | None]]:
    return [of_figures(state.figures) for state in states]


def one_line(error: Exception) -> str:
    """Return an error as a one-line reason; one that is not ours is given with its type."""
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, MMRecUnError) else f"{type(error).__name__}: {text}"


def _bare(key: Key, status: Status, reason: str) -> Row:
    return Row(**key.model_dump(), status=status, reason=reason)

"""The rows of one dataset, backbone and request: Originals, Golds, then every method, each judged at once."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from mmrecun import jobs, runs
from mmrecun.atomic import replace_file
from mmrecun.auditing.measure import Measured
from mmrecun.bench.auditor import Judge
from mmrecun.bench.cache import GOLD_SEED, Cache
from mmrecun.bench.groups import Group, method_facts, reference_facts
from mmrecun.bench.memory import peak_memory
from mmrecun.bench.results import Key, Row, Status, Store, gaps, of_figures, of_report
from mmrecun.bench.scenarios import Scenario
from mmrecun.bench.spec import Method
from mmrecun.errors import ForgetError, MMRecUnError
from mmrecun.forget.partition import retain
from mmrecun.runs import Run
from mmrecun.training.loop import Report
from mmrecun.unlearning.registry import method_class


class Progress:
    """Counts finished rows, and says what is being made."""

    def __init__(self, report: Report, total: int) -> None:
        self.report, self.total, self.done = report, total, 0

    def begin(self, note: str) -> Report:
        """Announce a piece of work; returns what receives its own progress."""
        self.report(self.done, self.total, note)
        return lambda done, total, _: self.report(self.done, self.total, f"{note}  {done}/{total}")

    def finish(self, rows: int = 1) -> None:
        """Count finished rows."""
        self.done += rows
        self.report(self.done, self.total, "")


class Served(NamedTuple):
    """A run that a method has just made.

    Attributes:
        run: ready to be judged.
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
        runs: folder for the runs of methods, which are removed once judged unless the spec keeps them.
        started: of the bench; Golds made earlier give no speed-up.
        progress: told of every row.
    """

    group: Group
    cache: Cache
    store: Store
    runs: Path
    started: str
    progress: Progress
    _originals: dict[int, Run] = field(default_factory=dict)
    _judges: dict[int, Judge] = field(default_factory=dict)

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
            self.progress.finish(len(listed))
            return listed
        wanted = {key for key in self._digests if self._wanted(key, retry)}
        self.progress.finish(len(self._digests) - len(wanted))
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
                self._judges[checkpoint] = self._judge(checkpoint)
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
        self.progress.finish()

    def _note(self, what: str) -> str:
        return f"{self.group.dataset} {self.group.backbone.label}, {self.group.request.label}: {what}"

    def _original(self, seed: int) -> Run:
        if seed not in self._originals:
            report = self.progress.begin(self._note(f"original, seed {seed}"))
            backbone = self.group.backbone
            self._originals[seed] = self.cache.original(self._scenario.dataset, backbone, seed, report)
        return self._originals[seed]

    def _refuse_unread(self) -> None:
        """A modality that the model does not read cannot be forgotten from it."""
        original = self._original(self.group.spec.seeds[0])
        unread = set(self._scenario.steps[0].modalities) - set(original.model.modalities())
        if unread:
            raise ForgetError(f"'{self.group.backbone.model}' does not read the modality '{min(unread)}'")

    def _judge(self, checkpoint: int) -> Judge:
        request, seeds = self._scenario.until(checkpoint), self.group.spec.seeds
        retained = retain(self._scenario.dataset, request).digest
        golds: list[Run] = []
        for number in range(self.group.spec.golds):
            report = self.progress.begin(self._note(f"Gold {number + 1} of {self.group.spec.golds}"))
            original = self._original(seeds[0])
            folder = self.cache.gold(original, self.group.backbone, request, retained, number, report)
            golds.append(runs.load(folder, self.cache.device))
        return Judge(self._scenario.dataset, request, golds)

    def _of_original(self, key: Key) -> Row:
        judge, original = self._judges[key.requests], self._original(key.seed)
        values = of_figures(judge.original(original).figures)
        against = {**gaps(values, _figures(judge.golds)), **self._costs(judge, None)}
        return Row(**key.model_dump(), **values, **against, status=Status.DONE)

    def _of_gold(self, key: Key) -> Row:
        """A Gold against the other Golds, as if it were unlearned: how often does the right answer pass?"""
        judge, number = self._judges[key.requests], key.seed - GOLD_SEED
        values = _figures(judge.golds)
        own = values.pop(number)
        costs = {**self._costs(judge, judge.golds[number].figures.seconds), "speedup_over_gold": None}
        report = judge.of_gold(self._original(self.group.spec.seeds[0]), number)
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
            method_class(method.method).check(next(iter(self._judges.values())).parts)
            for checkpoint, served in self._serve(method, seed, folder):
                if checkpoint in wanted:
                    self._put(self._judged(wanted.pop(checkpoint), served))
                if not wanted:
                    break
        except Exception as error:  # noqa: BLE001
            self._give_up(list(wanted.values()), error)
        if not self.group.spec.keep_runs:
            shutil.rmtree(folder, ignore_errors=True)

    def _serve(self, method: Method, seed: int, folder: Path) -> Iterator[tuple[int, Served]]:
        """Make the requests one after another; yields the run at each checkpoint."""
        run, times, most = self._original(seed), list[float](), None
        shutil.rmtree(folder, ignore_errors=True)
        for number, step in enumerate(self._scenario.steps, start=1):
            report = self.progress.begin(self._note(f"{method.label}, seed {seed}"))
            place = folder / str(number)
            with peak_memory() as peak:
                manifest = jobs.unlearn(run, step, place, method.method, method.settings, seed, report)
                most = max(filter(None, (most, peak())), default=None)
            times.append(manifest.seconds)
            run = runs.load(place, self.cache.device)
            if number in self._scenario.checkpoints:
                yield number, Served(run, mean(times), most)

    def _judged(self, key: Key, served: Served) -> Row:
        judge = self._judges[key.requests]
        report = judge.report(self._original(key.seed), served.run)
        values = of_figures(report.state("unlearned"))
        if self.group.spec.keep_runs:
            replace_file(served.run.folder / "audit.json", (report.model_dump_json(indent=2) + "\n").encode())
        return Row(
            **key.model_dump(),
            **values,
            **gaps(values, _figures(judge.golds)),
            **self._costs(judge, served.seconds),
            **of_report(report),
            peak_memory=served.peak,
            stop=served.run.manifest.stop,
            status=Status.DONE,
        )

    def _costs(self, judge: Judge, seconds: float | None) -> dict[str, Any]:
        gold = mean(gold.figures.seconds for gold in judge.golds)
        comparable = seconds and min(judge.made) >= self.started
        speedup = gold / seconds if seconds and comparable else None
        return {"seconds": seconds, "gold_seconds": gold, "speedup_over_gold": speedup}


def _figures(states: Sequence[Measured]) -> list[dict[str, float | None]]:
    return [of_figures(state.figures) for state in states]


def one_line(error: Exception) -> str:
    """An error as a reason; the type says more where it is not one of ours."""
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, MMRecUnError) else f"{type(error).__name__}: {text}"


def _bare(key: Key, status: Status, reason: str) -> Row:
    return Row(**key.model_dump(), status=status, reason=reason)

"""The rows of one dataset, backbone and request, from Originals and Golds: every method, each audited at once."""

import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from mmrecun.bench.groups import Group
from mmrecun.bench.memory import peak_memory
from mmrecun.bench.results import Key, Row, Status, Store, gaps, of_figures, of_report
from mmrecun.bench.scenarios import Scenario
from mmrecun.bench.spec import GOLD, GOLD_SEED, ORIGINAL, Method
from mmrecun.errors import DiskError, ForgetError
from mmrecun.progress import Progress
from mmrecun.runs import Run
from mmrecun.scale.piece import Failure
from mmrecun.unlearning.registry import method_class


class TimedRun(NamedTuple):
    """A run that a method has just made.

    Attributes:
        run: the run, ready to be audited.
        seconds: mean over the requests so far.
        peak: peak of resident bytes; None where the system does not report it.
    """

    run: Run
    seconds: float
    peak: int | None


@dataclass
class GroupRun:
    """Makes the rows of one group from existing runs.

    Attributes:
        group: the group of the rows.
        originals: seed -> run folder.
        golds: checkpoint -> run folders.
        device: to unlearn and measure on.
    """

    group: Group
    originals: Mapping[int, Path]
    golds: Mapping[int, Sequence[Path]]
    device: str
    _read: dict[int, Run] = field(default_factory=dict)
    _auditors: dict[int, RunAuditor] = field(default_factory=dict)

    def original(self, seed: int) -> Run:
        """Return the Original of a seed, read at its first use."""
        if seed not in self._read:
            self._read[seed] = runs.load(self.originals[seed], self.device)
        return self._read[seed]

    @property
    def first(self) -> Run:
        """The Original that the Golds descend from."""
        return self.original(self.group.spec.seeds[0])

    @cached_property
    def scenario(self) -> Scenario:
        """The request, resolved for the dataset."""
        assert isinstance(self.group.scenario, Scenario)
        return self.group.scenario

    def refuse_unread(self) -> None:
        """Refuse to forget a modality that the model does not read.

        Raises:
            ForgetError: in that case.
        """
        unread = set(self.scenario.steps[0].modalities) - set(self.first.model.modalities())
        if unread:
            raise ForgetError(f"'{self.group.backbone.model}' does not read the modality '{min(unread)}'")

    def auditor(self, checkpoint: int) -> RunAuditor:
        """Return the auditor of the runs after `number` requests; its Golds are measured once."""
        if checkpoint not in self._auditors:
            golds = [runs.load(folder, self.device) for folder in self.golds[checkpoint]]
            self._auditors[checkpoint] = RunAuditor(self.scenario.dataset, self.scenario.until(checkpoint), golds)
        return self._auditors[checkpoint]


@dataclass
class RowMaker:
    """Makes and writes the rows of one method and seed, or those of Originals and Golds.

    Attributes:
        group_run: the group of the rows.
        wanted: keys of the rows, and their digests.
        place: folder; rows are written to `rows` below it, and runs to `runs` where the spec keeps them.
        shared: whether other pieces run at the same time.
        progress: called with the progress of a method.
    """

    group_run: GroupRun
    wanted: Mapping[Key, str]
    place: Path
    shared: bool
    progress: Progress

    def write(self) -> None:
        """Write every wanted row.

        A method that cannot forget the target, or fails, gives a row with the reason.

        Raises:
            DiskError: when the disk is full; later rows would fail, too.
        """
        try:
            self.group_run.refuse_unread()
            for key in self._keys_of(ORIGINAL):
                self._put(self._of_original(key))
            for key in self._keys_of(GOLD):
                self._put(self._of_gold(key))
        except DiskError:
            raise
        except Exception as error:  # noqa: BLE001
            self._put_failure(self.wanted, error)
            return
        for method in self.group_run.group.spec.methods:
            for seed in self.group_run.group.spec.seeds:
                keys = {key for key in self._keys_of(method.label) if key.seed == seed}
                if keys:
                    self._of_method(method, seed, keys)

    def _keys_of(self, label: str) -> list[Key]:
        return [key for key in self.wanted if key.method == label]

    def _put_failure(self, keys: Iterable[Key], error: Exception) -> None:
        for key in keys:
            self._put(row_without_figures(key, Failure.from_error(error)))

    def _put(self, row: Row) -> None:
        key = Key.model_validate(row.model_dump(include=set(Key.model_fields)))
        row = row.model_copy(update={"host": platform.node(), "shared": self.shared})
        Store(self.place / "rows").put(self.wanted[key], row)

    def _of_original(self, key: Key) -> Row:
        auditor, original = self.group_run.auditor(key.requests), self.group_run.original(key.seed)
        values = of_figures(auditor.original(original).figures)
        against = {**gaps(values, _figures(auditor.golds)), **self._times(auditor, None)}
        return Row(**key.model_dump(), **values, **against, status=Status.DONE)

    def _of_gold(self, key: Key) -> Row:
        """Audit a Gold against the other Golds as if it were unlearned, to count how often a correct run passes."""
        auditor, number = self.group_run.auditor(key.requests), key.seed - GOLD_SEED
        values = _figures(auditor.golds)
        own = values.pop(number)
        times = self._times(auditor, auditor.golds[number].figures.seconds)
        report = auditor.of_gold(self.group_run.first, number)
        return Row(
            **key.model_dump(),
            **own,
            **gaps(own, values),
            **times,
            **of_report(report),
            status=Status.DONE,
        )

    def _of_method(self, method: Method, seed: int, keys: set[Key]) -> None:
        folder = self.place / "runs" / self.wanted[max(keys, key=lambda key: key.requests)]
        left = {key.requests: key for key in keys}
        try:
            method_class(method.method).check(self.group_run.auditor(max(left)).partition)
            for checkpoint, timed in self._unlearn(method, seed, folder):
                if checkpoint in left:
                    self._put(self._audited(left[checkpoint], timed))
                    del left[checkpoint]  # only now, so that a run that cannot be audited has a row, too
                if not left:
                    break
        except DiskError:
            raise
        except Exception as error:  # noqa: BLE001
            self._put_failure(left.values(), error)
        if not self.group_run.group.spec.keep_runs:
            shutil.rmtree(folder, ignore_errors=True)

    def _unlearn(self, method: Method, seed: int, folder: Path) -> Iterator[tuple[int, TimedRun]]:
        """Make the requests one after another, and yield the run at each checkpoint."""
        run, times, most = self.group_run.original(seed), list[float](), None
        for number, step in enumerate(self.group_run.scenario.steps, start=1):
            place = folder / str(number)
            with peak_memory() as peak:
                manifest = jobs.unlearn(run, step, place, method.method, method.settings, seed, self.progress)
                most = max(filter(None, (most, peak())), default=None)
            times.append(manifest.seconds)
            run = runs.load(place, self.group_run.device)
            if number in self.group_run.scenario.checkpoints:
                yield number, TimedRun(run, mean(times), most)

    def _audited(self, key: Key, timed: TimedRun) -> Row:
        auditor = self.group_run.auditor(key.requests)
        report = auditor.report(self.group_run.original(key.seed), timed.run)
        values = of_figures(report.measurements(RunKind.UNLEARNED))
        if self.group_run.group.spec.keep_runs:
            replace_file(timed.run.folder / "audit.json", report.json_text().encode())
        return Row(
            **key.model_dump(),
            **values,
            **gaps(values, _figures(auditor.golds)),
            **self._times(auditor, timed.seconds),
            **of_report(report),
            peak_memory=timed.peak,
            stop=timed.run.manifest.stop,
            status=Status.DONE,
        )

    def _times(self, auditor: RunAuditor, seconds: float | None) -> dict[str, Any]:
        return {"seconds": seconds, "gold_seconds": mean(gold.figures.seconds for gold in auditor.golds)}


def _figures(states: Sequence[MeasuredRun]) -> list[dict[str, float | None]]:
    return [of_figures(state.figures) for state in states]


def row_without_figures(key: Key, failure: Failure) -> Row:
    """Return a row without figures, with the reason."""
    status = Status.NOT_APPLICABLE if failure.kind == ForgetError.__name__ else Status.FAILED
    return Row(**key.model_dump(), status=status, reason=failure.text)

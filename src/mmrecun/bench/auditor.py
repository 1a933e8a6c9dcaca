"""The audit of many runs of one request. Golds and Originals are measured once; every run is compared with them."""

from collections.abc import Sequence
from pathlib import Path

from mmrecun.auditing import residue
from mmrecun.auditing.compare import compare
from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.measure import MeasuredRun, measure_state
from mmrecun.auditing.model_outputs import AuditedRun
from mmrecun.auditing.result import AuditReport
from mmrecun.auditing.setup import audit_setup
from mmrecun.data.dataset import Dataset
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.request import ForgetRequest
from mmrecun.runs import Run


class RunAuditor:
    """Audits runs of one request, without the slower probes.

    Args:
        original: the original dataset.
        request: what is forgotten.
        golds: Gold runs, which hold the retained dataset.

    Attributes:
        partition: before and after.
        golds: the Golds, measured.
    """

    def __init__(self, original: Dataset, request: ForgetRequest, golds: Sequence[Run]) -> None:
        self._original = original
        self.partition = Partition.between(original, golds[0].dataset)
        self._setup = audit_setup(self.partition, sample=0)
        self._requested = ForgetRecord.extended(request)
        self._runs = list(golds)
        self._originals: dict[Path, MeasuredRun] = {}
        self.golds = [self._measure(RunKind.GOLD, gold) for gold in golds]

    def original(self, run: Run) -> MeasuredRun:
        """Return the measurements of an Original, which is measured on first use."""
        if run.folder not in self._originals:
            self._originals[run.folder] = self._measure(RunKind.ORIGINAL, run)
        return self._originals[run.folder]

    def report(self, original: Run, run: Run) -> AuditReport:
        """Return the audit of `run` against all Golds."""
        return self._compare(original, run, self._measure(RunKind.UNLEARNED, run), self.golds)

    def of_gold(self, original: Run, number: int) -> AuditReport:
        """Return the audit of Gold `number` against the other Golds, as if a method had made it."""
        gold, others = self.golds[number], [*self.golds[:number], *self.golds[number + 1 :]]
        return self._compare(original, self._runs[number], gold, others)

    def _compare(self, original: Run, run: Run, measured: MeasuredRun, golds: Sequence[MeasuredRun]) -> AuditReport:
        names = (original.manifest.model, run.manifest.method, run.dataset.name)
        own = Partition.between(self._original, run.dataset)  # what the run itself holds, not what a Gold does
        checks = residue.scan(original.model, run.model, own, run.folder, self._requested)
        return compare(names, self.partition, self._setup, self.original(original), measured, golds, checks)

    def _measure(self, kind: RunKind, run: Run) -> MeasuredRun:
        return measure_state(AuditedRun.of(kind, run), self.partition, self._setup)

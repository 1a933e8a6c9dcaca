"""The audit of one run: measure every state, examine it closely, scan the run for residue, compare."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from mmrecun.auditing import residue
from mmrecun.auditing.compare import compare
from mmrecun.auditing.extra_metrics import extra_metrics
from mmrecun.auditing.measure import AuditedRun, MeasuredRun, measure_state, model_outputs
from mmrecun.auditing.result import AuditReport
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.evaluation.ranking import Progress
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord

__all__ = ["AuditedRun", "SlowFigures", "SlowProbe", "assess"]


class SlowFigures(NamedTuple):
    """What a closer look says of one state: figures by name, and why others could not be had."""

    probes: dict[str, float] = {}
    unassessed: dict[str, str] = {}


class SlowProbe(NamedTuple):
    """A probe that trains models; an audit runs it only where it is asked for.

    Attributes:
        note: how the figures came about; kept where there are any.
        measure: from the pairs under test, the states (the original first) and what was measured of them, one
            `SlowFigures` each.
    """

    note: str
    measure: Callable[[AuditSetup, Sequence[AuditedRun], Sequence[MeasuredRun]], Sequence[SlowFigures]]


def assess(
    names: tuple[str, str, str],
    partition: Partition,
    original: AuditedRun,
    unlearned: AuditedRun,
    golds: Sequence[AuditedRun],
    record: ForgetRecord | None = None,
    slow_probes: Sequence[SlowProbe] = (),
    key: bytes | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """The whole audit, slower probes included.

    Args:
        names: of model, method and dataset.
        partition: original and retained data.
        original, unlearned, golds: the states; all but the first know the retained data only.
        record: salted hashes of what the request named, from the run's manifest; without them three of the residue
            checks are not assessed.
        slow_probes: probes that train models.
        key: reads the hashes.
        progress: told how many users are ranked, of those of all states together.
    """
    setup, audited_runs = audit_setup(partition), (original, unlearned, *golds)
    states, notes = list[MeasuredRun](), list[str]()
    for number, audited in enumerate(audited_runs):

        def state_progress(
            done: int, total: int, note: str, number: int = number, audited: AuditedRun = audited
        ) -> None:
            if progress is not None:
                progress(number * total + done, len(audited_runs) * total, f"{audited.name}: {note}")

        states.append(_measured(audited, partition, setup, state_progress))
    for probe in slow_probes:
        found = probe.measure(setup, audited_runs, states)
        states = [_with_figures(state, *each) for state, each in zip(states, found, strict=True)]
        notes += [probe.note] if any(each.probes for each in found) else []
    checks = residue.scan(original.model, unlearned.model, partition, unlearned.folder, record, key)
    report = compare(names, partition, setup, states[0], states[1], states[2:], checks)
    return report.model_copy(update={"notes": (*report.notes, *notes)})


def _measured(audited: AuditedRun, partition: Partition, setup: AuditSetup, progress: Progress) -> MeasuredRun:
    outputs = model_outputs(audited, partition, setup)
    return _with_figures(
        measure_state(audited, partition, setup, outputs, progress),
        extra_metrics(audited, partition, setup, outputs),
        {},
    )


def _with_figures(state: MeasuredRun, probes: dict[str, float], unassessed: dict[str, str]) -> MeasuredRun:
    more = {"probes": state.figures.probes | probes, "unassessed": state.figures.unassessed | unassessed}
    return replace(state, figures=state.figures.model_copy(update=more))

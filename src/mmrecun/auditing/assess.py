"""The audit of one run: measure every run involved, scan for residue, compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mmrecun.auditing import residue
from mmrecun.auditing.compare import compare
from mmrecun.auditing.extra_metrics import extra_metrics
from mmrecun.auditing.keys import ProbeKey
from mmrecun.auditing.measure import MeasuredRun, measure_state
from mmrecun.auditing.model_outputs import AuditedRun, model_outputs
from mmrecun.auditing.relearning import relearning, relearning_note
from mmrecun.auditing.result import AuditReport, Check
from mmrecun.auditing.sampling import MeasuredUsers
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.auditing.shadow_models import ShadowAttack
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import ForgetRecord
from mmrecun.progress import Progress, no_progress
from mmrecun.training.fit import TrainConfig

__all__ = ["AuditSubject", "AuditedRun", "assess"]


@dataclass(frozen=True)
class AuditSubject:
    """An unlearned run, and what it is compared with.

    Attributes:
        names: names of model, method and dataset.
        partition: original and retained data.
        original, unlearned, golds: the runs; all but the first know the retained data only.
        record: salted hashes of what the request named, from the run's manifest; without them three of the residue
            checks are not assessed.
        key: reads the hashes; that of MMRECUN_KEY by default.
        removal: checks that what was requested is out, of a run that `residue.scan` cannot read; None for its own.
        measured: the users whose lists are made, where they are already drawn; see `sampling.measured_users`.
    """

    names: tuple[str, str, str]
    partition: Partition
    original: AuditedRun
    unlearned: AuditedRun
    golds: Sequence[AuditedRun] = ()
    record: ForgetRecord | None = None
    key: bytes | None = None
    removal: tuple[Check, ...] | None = None
    measured: MeasuredUsers | None = None

    @property
    def runs(self) -> tuple[AuditedRun, ...]:
        """All runs: the original, the unlearned one, and every Gold."""
        return self.original, self.unlearned, *self.golds


def assess(
    subject: AuditSubject,
    relearn: TrainConfig | None = None,
    shadows: ShadowAttack | None = None,
    sample: int | None = None,
    progress: Progress = no_progress,
) -> AuditReport:
    """Measure every run of `subject`, compare them, and return the report.

    Args:
        subject: the runs.
        relearn: training settings of the original, if the forgotten pairs are to be relearned.
        shadows: the likelihood-ratio attack, if requested.
        sample: number of users in the retained figures; see `sampling.sample_size`.
        progress: called with the number of ranked users, of those of all runs together.
    """
    partition, setup = subject.partition, audit_setup(subject.partition, sample, subject.measured)
    states = [
        _measured(audited, partition, setup, _progress_of_all(progress, audited, number, len(subject.runs)))
        for number, audited in enumerate(subject.runs)
    ]
    notes = list[str]()
    if relearn is not None:
        again = relearning(setup, subject.runs, relearn, progress)
        notes += [relearning_note(relearn)] if _any_figure(again) else []
        states = [_with_figures(*pair) for pair in zip(states, again, strict=True)]
    if shadows is not None:
        attacks = shadows.measure(setup, states, progress)
        notes += [shadows.note] if _any_figure(attacks) else []
        states = [_with_figures(*pair) for pair in zip(states, attacks, strict=True)]
    checks, after = subject.removal, subject.unlearned
    if checks is None:
        checks = residue.scan(subject.original.model, after.model, partition, after.folder, subject.record, subject.key)
    report = compare(subject.names, partition, setup, states[0], states[1], states[2:], checks)
    return report.model_copy(
        update={"notes": (*report.notes, *filter(None, [setup.measured.note]), *notes), "users": _users(setup)}
    )


def _progress_of_all(progress: Progress, audited: AuditedRun, number: int, runs: int) -> Progress:
    """Return what reports the progress of one run, the one with this `number` from 0, as that of all."""

    def of_all(done: int, total: int, note: str) -> None:
        progress(number * total + done, runs * total, f"{audited.kind}: {note}")

    return of_all


def _users(setup: AuditSetup) -> dict[str, int]:
    measured = setup.measured
    return {"measured": len(measured.rows), "drawn": int(measured.drawn.sum()), "all": measured.of}


def _measured(audited: AuditedRun, partition: Partition, setup: AuditSetup, progress: Progress) -> MeasuredRun:
    outputs = model_outputs(audited, partition, setup)
    measured = measure_state(audited, partition, setup, outputs, progress)
    return _with_figures(measured, extra_metrics(audited, partition, setup, outputs))


def _any_figure(found: Sequence[Mapping[ProbeKey, float | str]]) -> bool:
    return any(not isinstance(value, str) for each in found for value in each.values())


def _with_figures(state: MeasuredRun, found: Mapping[ProbeKey, float | str]) -> MeasuredRun:
    """Add figures; a text gives the reason why there is none."""
    figures = state.figures
    probes = {name: value for name, value in found.items() if not isinstance(value, str)}
    reasons = {name: value for name, value in found.items() if isinstance(value, str)}
    more = {"probes": figures.probes | probes, "unassessed": figures.unassessed | reasons}
    return replace(state, figures=figures.model_copy(update=more))

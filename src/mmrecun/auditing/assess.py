"""The audit of one run: measure every state, examine it closely, scan the run for residue, compare."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from mmrecun.auditing import residue
from mmrecun.auditing.compare import compare
from mmrecun.auditing.extra_metrics import examine
from mmrecun.auditing.measure import Measured, Subject, ask, measure_state
from mmrecun.auditing.result import AuditReport
from mmrecun.auditing.setup import Probe, probe_of
from mmrecun.evaluation.ranking import Report
from mmrecun.forget.partition import Partition
from mmrecun.forget.record import Requested

__all__ = ["Closer", "Subject", "Told", "assess"]


class Told(NamedTuple):
    """What a closer look says of one state: figures by name, and why others could not be had."""

    probes: dict[str, float] = {}
    unassessed: dict[str, str] = {}


class Closer(NamedTuple):
    """A probe that trains models; an audit runs it only where it is asked for.

    Attributes:
        note: how the figures came about; kept where there are any.
        look: from the pairs under test, the states (the original first) and what was measured of them, one `Told` each.
    """

    note: str
    look: Callable[[Probe, Sequence[Subject], Sequence[Measured]], Sequence[Told]]


def assess(
    names: tuple[str, str, str],
    parts: Partition,
    original: Subject,
    unlearned: Subject,
    golds: Sequence[Subject],
    requested: Requested | None = None,
    closer: Sequence[Closer] = (),
    key: bytes | None = None,
    progress: Report | None = None,
) -> AuditReport:
    """The whole audit, slower probes included.

    Args:
        names: of model, method and dataset.
        parts: original and retained data.
        original, unlearned, golds: the states; all but the first know the retained data only.
        requested: salted hashes of what the request named, from the run's manifest; without them three of the residue
            checks are not assessed.
        closer: probes that train models.
        key: reads the hashes.
        progress: told how many users are ranked, of those of all states together.
    """
    probe, subjects = probe_of(parts), (original, unlearned, *golds)
    states, notes = list[Measured](), list[str]()
    for number, subject in enumerate(subjects):

        def tell(done: int, total: int, note: str, number: int = number, subject: Subject = subject) -> None:
            if progress is not None:
                progress(number * total + done, len(subjects) * total, f"{subject.name}: {note}")

        states.append(_examined(subject, parts, probe, tell))
    for one in closer:
        told = one.look(probe, subjects, states)
        states = [_with(state, *each) for state, each in zip(states, told, strict=True)]
        notes += [one.note] if any(each.probes for each in told) else []
    checks = residue.scan(original.model, unlearned.model, parts, unlearned.folder, requested, key)
    report = compare(names, parts, probe, states[0], states[1], states[2:], checks)
    return report.model_copy(update={"notes": (*report.notes, *notes)})


def _examined(subject: Subject, parts: Partition, probe: Probe, progress: Report) -> Measured:
    answers = ask(subject, parts, probe)
    return _with(measure_state(subject, parts, probe, answers, progress), examine(subject, parts, probe, answers), {})


def _with(state: Measured, probes: dict[str, float], unassessed: dict[str, str]) -> Measured:
    more = {"probes": state.figures.probes | probes, "unassessed": state.figures.unassessed | unassessed}
    return replace(state, figures=state.figures.model_copy(update=more))

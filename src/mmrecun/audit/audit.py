"""The audit of one run: measure every state, examine it closely, scan the run for residue, compare."""

from collections.abc import Sequence
from dataclasses import replace

from mmrecun.audit import residue
from mmrecun.audit.compare import compare
from mmrecun.audit.examine import examine
from mmrecun.audit.measure import Measured, Subject, measure_state
from mmrecun.audit.probes import Probe, probe_of
from mmrecun.audit.verdict import AuditReport
from mmrecun.data.forget import Partition
from mmrecun.data.requested import Requested

__all__ = ["Subject", "assess"]


def assess(
    names: tuple[str, str, str],
    parts: Partition,
    original: Subject,
    unlearned: Subject,
    golds: Sequence[Subject],
    requested: Requested | None = None,
) -> AuditReport:
    """The whole audit, slower probes included.

    Args:
        names: of model, method and dataset.
        parts: original and retained data.
        original, unlearned, golds: the states; all but the first know the retained data only.
        requested: salted hashes of what the request named, from the run's manifest; without them three of the residue
            checks are not assessed.
    """
    probe = probe_of(parts)
    before, after, *others = (_closely(subject, parts, probe) for subject in (original, unlearned, *golds))
    checks = residue.scan(original.model, unlearned.model, parts, unlearned.folder, requested)
    return compare(names, parts, probe, before, after, others, checks)


def _closely(subject: Subject, parts: Partition, probe: Probe) -> Measured:
    measured = measure_state(subject, parts, probe)
    figures = measured.figures.model_copy(update={"probes": measured.figures.probes | examine(subject, parts, probe)})
    return replace(measured, figures=figures)

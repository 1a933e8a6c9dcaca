"""The audit: figures of the original, the unlearned run and each Gold; gaps, checks, verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from mmrecun.audit import residue
from mmrecun.audit.probes import Probe, lost_rows, measure, probe_of, retained_utility, vectors_of, with_newcomers
from mmrecun.audit.verdict import AuditReport, Check, Figures, Gap, State, conclude
from mmrecun.data.forget import Partition
from mmrecun.models.base import Recommender

HEADLINE = "recall@20"
UTILITY_SHARE = 0.95
TOLERANCE = 0.02
MEMBERSHIP = (0.1, 0.55)


@dataclass(frozen=True)
class Subject:
    """One run under audit.

    Attributes:
        name: "original", "unlearned" or "gold".
        folder: of the run.
        model: its recommender.
        seed, seconds: from its manifest.
    """

    name: str
    folder: Path
    model: Recommender
    seed: int
    seconds: float

    def figures(self, parts: Partition, probe: Probe) -> Figures:
        """Measure this state."""
        if self.name == "original":
            vectors = vectors_of(self.model, parts.original)
            retain = retained_utility(vectors, parts, original_rows=True)
        else:
            retain = retained_utility(vectors_of(self.model, parts.retained), parts, original_rows=False)
            vectors = with_newcomers(self.model, parts)
        return measure(self.name, self.folder.name, self.seed, self.seconds, retain, vectors, probe)


def assess(
    names: tuple[str, str, str], parts: Partition, original: Subject, unlearned: Subject, golds: Sequence[Subject]
) -> AuditReport:
    """The whole audit.

    Args:
        names: of model, method and dataset.
        parts: original and retained data.
        original, unlearned, golds: the states; all but the first know the retained data only.
    """
    probe = probe_of(parts)
    states = tuple(subject.figures(parts, probe) for subject in (original, unlearned, *golds))
    gaps = _gaps(states[1], states[2:])
    checks = residue.scan(original.model, unlearned.model, parts, unlearned.folder)
    checks += (_utility(states[0], states[1]), _membership(states[1], probe), *_gold_checks(gaps))
    model, method, dataset = names
    return AuditReport(
        model=model,
        method=method,
        dataset=dataset,
        forgotten=parts.counts(),
        states=states,
        gap=gaps,
        checks=checks,
        verdict=conclude(checks),
        notes=_notes(parts, probe, len(golds)),
    )


def _values(figures: Figures) -> dict[str, float | None]:
    return {
        f"retain_{HEADLINE}": figures.retain.get(HEADLINE),
        f"forget_{HEADLINE}": figures.forget.get(HEADLINE),
        "auc": figures.auc,
    }


def _gaps(unlearned: Figures, golds: Sequence[Figures]) -> dict[str, Gap]:
    gaps: dict[str, Gap] = {}
    for name, value in _values(unlearned).items():
        reference = [figure for gold in golds if (figure := _values(gold)[name]) is not None]
        if value is None or not reference:
            continue
        centre = mean(reference)
        spread = stdev(reference) if len(reference) > 1 else None
        gaps[name] = Gap(
            value=value,
            gold_mean=centre,
            gold_std=spread,
            difference=value - centre,
            z=(value - centre) / spread if spread else None,
            tolerance=max(TOLERANCE, 2 * (spread or 0.0)),
        )
    return gaps


def _gold_checks(gaps: dict[str, Gap]) -> tuple[Check, ...]:
    labels = {
        f"retain_{HEADLINE}": ("gold: retained utility", "lower", "higher"),
        f"forget_{HEADLINE}": ("gold: forget recall", "over-forgotten", "under-forgotten"),
        "auc": ("gold: membership", "over-forgotten", "under-forgotten"),
    }
    checks = []
    for name, (label, below, above) in labels.items():
        if name not in gaps:
            checks.append(Check(name=label, state=State.NOT_ASSESSED, detail="no Gold run with this figure was given"))
            continue
        gap = gaps[name]
        one_sided = label == "gold: retained utility"
        passed = gap.difference >= -gap.tolerance if one_sided else abs(gap.difference) <= gap.tolerance
        side = "at Gold's level" if abs(gap.difference) <= gap.tolerance else below if gap.difference < 0 else above
        figures = f"{gap.value:.4f} against {gap.gold_mean:.4f}, gap {gap.difference:+.4f}"
        detail = f"{figures} (tolerance {gap.tolerance:.4f}): {side}"
        checks.append(Check(name=label, state=State.PASSED if passed else State.FAILED, detail=detail))
    return tuple(checks)


def _utility(original: Figures, unlearned: Figures) -> Check:
    before, after = original.retain[HEADLINE], unlearned.retain[HEADLINE]
    state = State.PASSED if after >= UTILITY_SHARE * before else State.FAILED
    detail = f"{HEADLINE} on retained test pairs {before:.4f} before, {after:.4f} after (at least {UTILITY_SHARE:.0%})"
    return Check(name="retained utility", state=state, detail=detail)


def _membership(unlearned: Figures, probe: Probe) -> Check:
    name = "membership"
    if unlearned.auc is None:
        why = f"the model has no '{probe.branch}' branch any more" if probe.branch else "no pair was forgotten"
        if probe.branch and len(probe.forgotten) and not len(probe.controls):
            why = "no held-out positive to compare with"
        return Check(name=name, state=State.NOT_ASSESSED, detail=why)
    low, high = MEMBERSHIP
    state = State.PASSED if low <= unlearned.auc <= high else State.FAILED
    side = (
        "alike or harder"
        if state is State.PASSED
        else "still recognised"
        if unlearned.auc > high
        else "marked: over-forgotten"
    )
    detail = f"AUC {unlearned.auc:.3f} of forgotten pairs against held-out positives (from {low} to {high}): {side}"
    return Check(name=name, state=state, detail=detail)


def _notes(parts: Partition, probe: Probe, golds: int) -> tuple[str, ...]:
    notes = [
        "Forget recall takes the forgotten pairs as ground truth and masks retained positives only; "
        "Gold's is not zero, because to Gold they are held-out data."
    ]
    if lost_rows(parts):
        notes.append(
            f"{lost_rows(parts)} removed users and items have no row any more. A newcomer stands in for each: a fresh "
            "row from one fixed seed, its own features, no interaction; the same in Gold."
        )
    if probe.branch:
        notes.append(
            f"The removed '{probe.branch}' features were attached again for the measurement, and pairs of those items "
            "were ranked by that branch alone; the whole-model score was not judged, since these pairs are retained."
        )
    if len(parts.lost_features) > 1 or (parts.lost_features and len(parts.forgotten)):
        notes.append("Of several kinds of removal in one request, membership was measured for one; residue for all.")
    if not golds:
        notes.append("No Gold run was given: whether forgetting went too far cannot be told with certainty.")
    if golds == 1:
        notes.append("One Gold has no spread; three or more make the gap readable.")
    notes.append("Not looked at: backups, logs, caches and indexes outside the run folder, and copies made by others.")
    return tuple(notes)

"""The part "A closer look" of an audit as rows of text: fairness, slower figures, and why some are missing."""

from mmrecun.auditing.keys import Probe, ProbeKey
from mmrecun.auditing.result import AuditReport
from mmrecun.report.tables import StateRow, by_kind, cell
from mmrecun.text import listing

_GROUPS = {
    "a_igf": ("gap between active and other users", "Of retained recall@20. Lower is fairer."),
    "item_gap": ("gap between popular and other items", "Of retained recall@20. Lower is fairer."),
}
_PROBES = {
    Probe.ZRF: ("like an untrained model (ZRF)", "1: answers those who had it as if nothing had been learned."),
    Probe.FOLD_IN: (
        "fold-in from half of the pairs",
        "Mean place of the other half after fitting a row to one half: 0 bottom, 1 top.",
    ),
    Probe.FEATURES_R2: ("removed features readable", "R² of reading the removed features off the item vectors."),
    Probe.BRANCH_RECALL: ("forget recall@20, that branch alone", "Forgotten pairs ranked by one modality only."),
    Probe.BRANCH_AUC: (
        "AUC matched, that branch alone",
        "The same ranks, against pairs as popular that were never seen.",
    ),
    Probe.RELEARN_STEPS: (
        "steps to learn it again",
        "Training steps until forgotten pairs rank nearly as before. Fewer than Gold: something was left.",
    ),
    Probe.ATTACK_SCORE: (
        "attack probability",
        "How sure an attacker with shadow models is that pairs were unlearned, not unseen. Above Gold: it is right.",
    ),
    Probe.ATTACK_DETECTED: ("attack detections", "Share of the forgotten pairs that the attacker calls unlearned."),
    Probe.ATTACK_WORST: ("attack on the most exposed tenth", "The mean probability of the pairs that it is surest of."),
}
_SPECS: dict[str, str] = {Probe.RELEARN_STEPS: ".1f"}


def rows(report: AuditReport) -> list[StateRow]:
    """Return fairness and the slower figures, as far as measured, in the columns of `state_columns`."""
    names: dict[str, tuple[str, str]] = {
        name: _GROUPS[name] for name in _GROUPS if any(name in state.groups for state in report.states)
    }
    names |= {key: _probe_words(key) for state in report.states for key in (*state.probes, *state.unassessed)}
    groups = list(by_kind(report).values())
    return [
        StateRow(
            *words,
            tuple(
                cell([s.groups.get(name, s.probes.get(ProbeKey(name))) for s in states], _SPECS.get(name, ".4f"))
                for states in groups
            ),
        )
        for name, words in names.items()
    ]


def gaps(report: AuditReport) -> list[str]:
    """Return why figures are missing: one line for each reason, with its figures and runs."""
    states: dict[tuple[ProbeKey, str], dict[str, None]] = {}
    for state in report.states:
        for key, reason in state.unassessed.items():
            states.setdefault((key, reason), {})[state.name] = None
    labels: dict[tuple[str, str], list[str]] = {}
    for (key, reason), who in states.items():
        labels.setdefault((listing(list(who)), reason), []).append(_probe_words(key)[0])
    return [f"{listing(which)} ({who}): {reason}" for (who, reason), which in labels.items()]


def _probe_words(key: ProbeKey) -> tuple[str, str]:
    """Return label and meaning of a figure; a modality's name goes in front of the label."""
    if key.probe is None:
        return key, ""
    label, meaning = _PROBES[key.probe]
    return (f"{key.modality}: {label}" if key.modality else label), meaning

"""The part "A closer look" of an audit as rows of text: fairness, slower figures, and why some are missing."""

from mmrecun.auditing.result import AuditReport
from mmrecun.report.tables import StateRow, by_name, cell
from mmrecun.text import listing

_GROUPS = {
    "a_igf": ("gap between active and other users", "Of retained recall@20. Lower is fairer."),
    "item_gap": ("gap between popular and other items", "Of retained recall@20. Lower is fairer."),
}
_PROBES = {
    "zrf": ("like an untrained model (ZRF)", "1: answers those who had it as if nothing had been learned."),
    "fold_in": (
        "fold-in from half of the pairs",
        "Mean place of the other half after fitting a row to one half: 0 bottom, 1 top.",
    ),
    "features_r2": ("removed features readable", "R² of reading the removed features off the item vectors."),
    "forget_recall@20": ("forget recall@20, that branch alone", "Forgotten pairs ranked by one modality only."),
    "auc": ("AUC matched, that branch alone", "The same ranks, against pairs as popular that were never seen."),
    "relearn_steps": (
        "steps to learn it again",
        "Training steps until forgotten pairs rank nearly as before. Fewer than Gold: something was left to build on.",
    ),
    "attack_score": (
        "attack probability",
        "How sure an attacker with shadow models is that pairs were unlearned and not unseen. Above Gold: it can tell.",
    ),
    "attack_detected": ("attack detections", "Share of the forgotten pairs that the attacker calls unlearned."),
    "attack_worst": ("attack on the most exposed tenth", "The mean probability of the pairs that it is surest of."),
}
_SPECS = {"relearn_steps": ".1f"}


def rows(report: AuditReport) -> list[StateRow]:
    """Return fairness and the slower figures, as far as measured, in the columns of `state_columns`."""
    names = {name: _GROUPS[name] for name in _GROUPS if any(name in state.groups for state in report.states)}
    names |= {name: _probe_words(name) for state in report.states for name in (*state.probes, *state.unassessed)}
    groups = list(by_name(report).values())
    return [
        StateRow(
            *words,
            tuple(
                cell([{**s.groups, **s.probes}.get(name) for s in states], _SPECS.get(name, ".4f")) for states in groups
            ),
        )
        for name, words in names.items()
    ]


def gaps(report: AuditReport) -> list[str]:
    """Say why figures are missing: one line for each reason, with the figures and runs it applies to."""
    states: dict[tuple[str, str], dict[str, None]] = {}
    for state in report.states:
        for name, reason in state.unassessed.items():
            states.setdefault((name, reason), {})[state.name] = None
    labels: dict[tuple[str, str], list[str]] = {}
    for (name, reason), who in states.items():
        labels.setdefault((listing(list(who)), reason), []).append(_probe_words(name)[0])
    return [f"{listing(which)} ({who}): {reason}" for (who, reason), which in labels.items()]


def _probe_words(name: str) -> tuple[str, str]:
    """Return label and meaning of a figure; a modality's name goes in front of the label."""
    known = next((probe for probe in _PROBES if probe in name.split(" ")), None)
    if known is None:
        return name, ""
    label, meaning = _PROBES[known]
    modality = " ".join(part for part in name.split(" ") if part != known)
    return (f"{modality}: {label}" if modality else label), meaning

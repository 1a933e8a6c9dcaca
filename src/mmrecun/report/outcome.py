"""The grounds of a verdict, in sentences that name what was measured."""

from collections.abc import Sequence
from typing import NamedTuple

from mmrecun.auditing.checks import UTILITY_SHARE, share_words
from mmrecun.auditing.figures import Bystanders, Gap, Recognition, RunKind
from mmrecun.auditing.keys import (
    BYSTANDER_LISTS,
    BYSTANDER_RECALL,
    GOLD_TRAINING,
    Kind,
    MarkKind,
    Question,
)
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import About, AuditReport, Check
from mmrecun.forget.request import Target
from mmrecun.keys import RECALL
from mmrecun.report.to_gold import GAP_NAMES
from mmrecun.report.wording import gold_count, golds
from mmrecun.text import listing

_LEADS = {
    Outcome.FAILED: "Measured, and failed",
    Outcome.NOT_ASSESSED: "Could not be measured",
    Outcome.PASSED: "Measured, and held",
    Outcome.NOT_APPLICABLE: "Does not apply to this request",
}
_ORDER = {
    Outcome.PASSED: (Outcome.PASSED, Outcome.NOT_ASSESSED, Outcome.NOT_APPLICABLE),
    Outcome.FAILED: (Outcome.FAILED, Outcome.PASSED, Outcome.NOT_ASSESSED, Outcome.NOT_APPLICABLE),
}
_RECOGNISED = {
    Target.USERS: (
        "removed users' items predict each other no better than held-out ones",
        "removed users' items can be distinguished from held-out ones",
        "whether removed users' items still predict each other",
    ),
    Target.ITEMS: (
        "removed items' users predict each other no better than held-out ones",
        "removed items' users can be distinguished from held-out ones",
        "whether removed items' users still predict each other",
    ),
    Target.INTERACTIONS: (
        "removed interactions rank like held-out ones",
        "removed interactions can be distinguished from held-out ones",
        "whether removed interactions are still known",
    ),
    Target.MODALITIES: (
        "the removed {}features bring back no pair learned with them",
        "pairs learned with the removed {}features can be distinguished from held-out ones",
        "whether the removed {}features still bring back pairs learned with them",
    ),
}
_NO_GOLD = "how close the run is to Gold, a model retrained without what was forgotten: none was given"
ALLOWED = 1 - UTILITY_SHARE
_PLACE = {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.NOT_ASSESSED: 2}
_OTHERS = {
    GOLD_TRAINING: ("Gold is trained well enough to be the target", "Gold is undertrained, so it is not a target"),
    BYSTANDER_LISTS.with_gold: (
        "users least related to the request see lists as close to Gold's as two Golds' are to each other",
        "users least related to the request see lists further from Gold's than two Golds' are from each other",
    ),
}
_SUBJECTS = {
    About.FORGETTING: "what was forgotten is",
    About.UTILITY: "lists are as good",
    About.LEVEL: "what was forgotten is found as rarely",
    About.MARKS: "what the request touched stands out no more",
    About.BYSTANDERS: "lists of users least related to the request are",
}


class Paragraph(NamedTuple):
    """All answers of one kind, each with its figures."""

    lead: str
    state: Outcome
    clauses: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.lead}: {'; '.join(self.clauses)}."


def paragraphs(report: AuditReport) -> list[Paragraph]:
    """Return what failed, what held and what could not be measured; what decides the verdict comes first."""
    if not report.checks:
        clause = "no check was made, so nothing is said about whether it was forgotten"
        return [Paragraph(_LEADS[Outcome.NOT_ASSESSED], Outcome.NOT_ASSESSED, (clause,))]
    clauses = _clauses(report)
    order = _ORDER.get(report.verdict, (Outcome.NOT_ASSESSED, Outcome.FAILED, Outcome.PASSED, Outcome.NOT_APPLICABLE))
    order = tuple(dict.fromkeys((*order, *Outcome)))
    found = {state: tuple(text for of, text in clauses if of is state) for state in order}
    return [Paragraph(_LEADS[state], state, texts) for state, texts in found.items() if texts]


def outcome(report: AuditReport) -> str:
    """Return the paragraphs as running text."""
    return " ".join(str(paragraph) for paragraph in paragraphs(report))


def _clauses(report: AuditReport) -> list[tuple[Outcome, str]]:
    own = [check for check in report.checks if not check.against_gold]
    clauses = _removal([check for check in own if check.about is About.REMOVAL])
    marks = [check for check in own if check.about is About.MARKS]
    for check in own:
        if check.about not in (About.REMOVAL, About.MARKS):
            clauses.append((check.state, _own(report, check)))
    clauses += _marks(report, marks)
    if own and not marks:
        clauses.append((Outcome.NOT_ASSESSED, "whether what the request touched stands out: too little was touched"))
    return clauses + _against_gold(report, [check for check in report.checks if check.against_gold])


def _removal(checks: Sequence[Check]) -> list[tuple[Outcome, str]]:
    """Return one clause for all scans of each outcome."""
    passed, failed, open_, idle = (
        [check for check in checks if check.state is state]
        for state in (Outcome.PASSED, Outcome.FAILED, Outcome.NOT_ASSESSED, Outcome.NOT_APPLICABLE)
    )
    clauses = []
    if failed:
        which = "; ".join(f"{check.name.subject}: {check.detail}" for check in failed)
        clauses.append((Outcome.FAILED, f"something that was requested is still in the run ({which})"))
    if passed:
        whole = f"{len(passed)} scan{'s' if len(passed) > 1 else ''}"
        what = "nothing requested is left in the run" if len(passed) == len(checks) else "nothing requested was found"
        parts = "".join(f"; of {check.name.subject} {check.partly}" for check in passed if check.partly)
        subjects = listing([check.name.subject for check in passed])
        clauses.append((Outcome.PASSED, f"{what} ({whole}: {subjects}{parts})"))
    for state, some in ((Outcome.NOT_ASSESSED, open_), (Outcome.NOT_APPLICABLE, idle)):
        clauses += [(state, f"what is left in {check.name.subject}: {check.detail}") for check in some]
    return clauses


def _own(report: AuditReport, check: Check) -> str:
    """Return a check that needs no Gold, in words; a check unknown here is shown by its name and detail."""
    after = report.measurements(RunKind.UNLEARNED)
    if check.about is About.FORGETTING:
        kind = Kind(check.name.subject)
        return _recognised(check, kind, after.recognition.get(kind))
    if check.about is About.UTILITY and check.state in (Outcome.PASSED, Outcome.FAILED):
        before = [state.retain for state in report.states if state.name is RunKind.ORIGINAL]
        figures = f"{_recall(after.retain)}{f'; it was {_recall(before[0])}' if before else ''}"
        values = [metrics.get(RECALL, 0.0) for metrics in (*before[:1], after.retain)]
        return f"lists {_better(check, values[0], values[-1])} (retained recall@20 is {figures})"
    if check.about is About.BYSTANDERS and after.bystanders and check.state in (Outcome.PASSED, Outcome.FAILED):
        return _bystanders(check, after.bystanders)
    return f"{check.name}: {check.detail}"


def _better(check: Check, before: float, after: float) -> str:
    """Describe how lists have changed; a loss within chance is named."""
    if check.state is Outcome.FAILED:
        return "got worse"
    lost = 1 - after / before if before else 0.0
    return f"lost {lost:.0%}, which chance allows" if lost > ALLOWED else "are about as good as before"


def _recall(metrics: dict[str, float]) -> str:
    return f"{metrics[RECALL]:.3f}" if RECALL in metrics else Outcome.NOT_ASSESSED.value


def _recognised(check: Check, kind: Kind, found: Recognition | None) -> str:
    if kind.target is None or check.state not in _PLACE:
        return f"{check.name}: {check.detail}"
    text = _RECOGNISED[kind.target][_PLACE[check.state]].format(f"‘{kind.modality}’ " if kind.modality else "")
    if found is None or check.state is Outcome.NOT_ASSESSED:
        return f"{text}: {check.detail}"
    figures = f"AUC {found.auc:.3f}, {share_words(found)} still look known"
    if found.attack_auc is not None:
        level = found.attack_level if found.attack_level is not None else 0.5
        figures += f", an attack with labels reaches {found.attack_auc:.3f} with the model and {level:.3f} without"
    return f"{text} ({figures})"


def _marks(report: AuditReport, checks: Sequence[Check]) -> list[tuple[Outcome, str]]:
    """Return one clause for the rows and lists of each outcome."""
    texts = {
        Outcome.PASSED: "what the request touched does not stand out",
        Outcome.FAILED: "what the request touched can be picked out",
        Outcome.NOT_ASSESSED: "whether what the request touched stands out, as too few rows can be compared",
    }
    names: dict[str, str] = {
        MarkKind.USERS: "rows of users",
        MarkKind.ITEMS: "rows of items",
        MarkKind.LISTS: "places gained in lists",
    }
    marks = {str(kind): mark for kind, mark in report.measurements(RunKind.UNLEARNED).marks.items()}
    clauses = [(check.state, f"{check.name}: {check.detail}") for check in checks if check.state not in texts]
    for state, text in texts.items():
        kinds = [check.name.subject for check in checks if check.state is state]
        figures = [f"{names.get(kind, kind)}{f' {marks[kind].auc:.3f}' if kind in marks else ''}" for kind in kinds]
        clauses += [(state, f"{text} (AUC: {listing(figures)})")] if kinds else []
    return clauses


def _bystanders(check: Check, found: Bystanders) -> str:
    """Describe the lists of users least related to the request, if it affected any items."""
    passed = check.state is Outcome.PASSED
    if check.name == BYSTANDER_RECALL:
        before, after = found.recall_before or 0.0, found.recall_after or 0.0
        better = _better(check, before, after)
        return f"lists of users least related to the request {better} (recall@20 is {after:.3f}; it was {before:.3f})"
    if passed and not (found.share_before or found.share_after):
        return "no touched item is in the lists of users least related to the request, before or after"
    how = "shown touched items no more often than chance allows" if passed else "shown touched items too often"
    places = f"{found.share_after:.1%} of the places in their lists; it was {found.share_before:.1%}"
    return f"users least related to the request are {how} ({places})"


def _against_gold(report: AuditReport, checks: Sequence[Check]) -> list[tuple[Outcome, str]]:
    """Return one clause for all gaps of each outcome, and one for every other comparison; bad Golds answer nothing."""
    which = golds(report) if gold_count(report) else "Gold"
    texts = {Outcome.PASSED: f"in line with {which}", Outcome.FAILED: f"out of line with {which}"}
    if checks and not gold_count(report) and all(check.state is Outcome.NOT_ASSESSED for check in checks):
        return [(Outcome.NOT_ASSESSED, _NO_GOLD)]
    bad = [check for check in checks if check.name == GOLD_TRAINING and check.state is Outcome.NOT_ASSESSED]
    if bad:
        checks = [check for check in checks if check.state is not Outcome.NOT_ASSESSED]
    clauses = [(check.state, f"whether anything is in line with {which}: {check.detail}") for check in bad]
    alone = [check for check in checks if check.state not in texts or check.name.gap not in report.gap]
    clauses += [(check.state, _other(check)) for check in alone]
    for state, text in texts.items():
        found = [_compared(report, check) for check in checks if check.state is state and check not in alone]
        clauses += [(state, f"{text}: {', '.join(found)}")] if found else []
    return clauses


def _other(check: Check) -> str:
    """Return a comparison with Gold that is not a gap, or that could not be made."""
    if check.state is Outcome.NOT_ASSESSED:
        subject = _SUBJECTS.get(check.about, "this is")
        return f"whether {subject} as in Gold ({check.name.without_gold}): {check.detail}"
    words = _OTHERS.get(check.name, (check.name, check.name))
    return f"{words[check.state is not Outcome.PASSED]}: {check.detail}"


def _compared(report: AuditReport, check: Check) -> str:
    name, key = check.name, check.name.gap
    assert key is not None
    if name.question in (Question.CO_OCCURRENCE, Question.MEMBERSHIP, Question.FOLD_IN):
        return f"{name.question} of {name.subject} {_pair(report.gap[key])}"
    return f"{GAP_NAMES[key].partition(': ')[2] or GAP_NAMES[key]} {_pair(report.gap[key])}"


def _pair(gap: Gap) -> str:
    return f"{gap.value:.3f} (Gold {gap.gold_mean:.3f})"

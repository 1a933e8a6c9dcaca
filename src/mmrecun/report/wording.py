"""Sentences of an audit besides its verdict: what was done, when, compared with what, and what remains open."""

from datetime import datetime
from statistics import mean

from mmrecun.auditing.figures import RunKind
from mmrecun.auditing.result import AuditReport
from mmrecun.text import duration, listing

_TARGETS = {
    "users": ("user", "users"),
    "items": ("item", "items"),
    "interactions": ("interaction", "interactions"),
    "held_out": ("held-out interaction", "held-out interactions"),
    "modalities": ("item feature", "item features"),
}


def counts(report: AuditReport) -> list[tuple[str, str]]:
    """Return number and noun of each kind of target that was removed."""
    return [
        (f"{count:,}", _TARGETS.get(name, (name, name))[count != 1])
        for name, count in report.forgotten.items()
        if count
    ]


def summary(report: AuditReport) -> str:
    """Summarise the audit in one sentence."""
    aside = report.forgotten.get("held_out", 0)
    parts = [part for part in counts(report) if "held-out" not in part[1]]
    taken = listing([f"{number} {noun}" for number, noun in parts]) or "Nothing"
    verb = "was" if not parts or (len(parts) == 1 and parts[0][0] == "1") else "were"
    seconds = report.measurements(RunKind.UNLEARNED).seconds
    text = f"{taken} {verb} taken out of a trained '{report.model}' by '{report.method}' in {duration(seconds)}"
    more = f"; {aside:,} held-out interaction{'s' if aside > 1 else ''} left the data with them" if aside else ""
    return f"{text}{_speed(report, seconds)}{more}."


def _speed(report: AuditReport, seconds: float) -> str:
    golds = [state.seconds for state in report.golds]
    if report.method == "retrain":
        return "; this run is itself a retraining"
    if not golds or seconds <= 0 or mean(golds) <= 0:
        return ""
    times = mean(golds) / seconds
    if times >= 1.05:
        shown = f"{times:,.0f}" if times >= 9.95 else f"{times:.1f}"
        return f", {shown} times as fast as retraining ({duration(mean(golds))})"
    return f"; retraining took {duration(mean(golds))}, which is no longer"


def gold_count(report: AuditReport) -> int:
    """Count the Golds that were measured."""
    return len(report.golds)


def golds(report: AuditReport) -> str:
    """Return the Golds in words: "the one Gold" or "the 3 Golds"."""
    count = gold_count(report)
    return "the one Gold" if count == 1 else f"the {count} Golds"


def occasion(report: AuditReport) -> str:
    """Return when the audit was made, and what the run was compared with."""
    count = gold_count(report)
    others = {0: "no retrained model (Gold) was given", 1: "one retrained model (Gold)"}
    what = others.get(count, f"{count} retrained models (Gold)")
    text = f"compared with the model before{'; ' if count == 0 else ' and '}{what}"
    if report.compared.shadows:
        text += f"; attacked with {report.compared.shadows} shadow models"
    if report.compared.relearn:
        text += "; time to learn it again measured"
    made = _minute(report.made)
    return f"Made {made}, {text}." if made else f"{text[0].upper()}{text[1:]}."


def _minute(made: str) -> str:
    """Return an ISO time without its seconds.

    >>> _minute("2026-11-26T19:26:08+00:00"), _minute("")
    ('2026-11-26 19:26 UTC', '')
    """
    try:
        when = datetime.fromisoformat(made)
    except ValueError:
        return made
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".rstrip()


def facts(report: AuditReport) -> dict[str, str]:
    """Return what identifies the audit: date, format, digests of weights and data, and Golds."""
    named = {"audit made": report.made, "audit format": str(report.format)}
    named |= {f"digest of the {name}": digest[:16] for name, digest in report.digests.items()}
    golds_given = enumerate(report.compared.golds, start=1)
    named |= {f"digest of Gold {place}": digest[:16] for place, digest in golds_given}
    named["compared with"] = f"the original and {golds(report)}" if gold_count(report) else "the original only"
    named["time to learn again"] = "measured" if report.compared.relearn else "not asked for"
    named["shadow models"] = str(report.compared.shadows or "none asked for")
    return {name: text for name, text in named.items() if text}


def persons(report: AuditReport) -> str:
    """Return how many users fare worse or better than with every Gold; empty without two of them."""
    found = report.persons
    if found is None:
        return ""
    chance = 1 / (gold_count(report) + 1)
    return (
        f"Of {found.users:,} people, {found.below:.1%} are served worse than by any Gold and {found.above:.1%} better "
        f"than by any. One more Gold would be outside by chance too, for up to {chance:.0%} of people on either side."
    )


def open_questions(report: AuditReport) -> list[str]:
    """Return the questions that this audit cannot answer without Gold."""
    if gold_count(report):
        return []
    return [
        "whether the forgotten pairs rank exactly as in a model that never had them",
        "whether people are shown what retraining would have shown them",
        "whether the kept quality is what retraining would have reached, and how much time was saved",
    ]

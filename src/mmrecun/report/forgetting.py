"""Figures of recognition, visibility and affected users of each run, as rows of text."""

from collections.abc import Callable

from mmrecun.auditing.figures import Bystanders, Harm, Mark, Measurements, Recognition, RunKind
from mmrecun.auditing.keys import Kind, MarkKind, recognition_name
from mmrecun.auditing.outcome import Outcome
from mmrecun.auditing.result import AuditReport
from mmrecun.forget.request import Target
from mmrecun.report.tables import RowGroup, StateRow, by_kind, cell

FigureWithError = tuple[float | None, str]  # a figure, and its error or band in words
_QUESTIONS = {
    Target.USERS: "A removed user's items were learned together. Shown all of them but one, does the model still rank "
    "the missing one above items that the user chose but nobody trained on?",
    Target.ITEMS: "A removed item's users were learned together. Shown all of them but one, does the model still rank "
    "the missing one above people who chose the item but whose choice nobody trained on?",
    Target.INTERACTIONS: "Does the model still rank a removed interaction above those that the same person made and "
    "nobody trained on?",
    Target.MODALITIES: "Shown an item as if it were new, with nothing but the removed features, does the model still "
    "rank the people it once learned them from above others who chose the item?",
}
_MARKED = {
    MarkKind.USERS: (
        "rows of touched users (AUC)",
        "How often a classifier that knows some of the touched users ranks another one above an untouched one.",
    ),
    MarkKind.ITEMS: (
        "rows of touched items (AUC)",
        "How often a classifier that knows some of the touched items ranks another one above an untouched one.",
    ),
    MarkKind.LISTS: (
        "places gained in lists (AUC)",
        "How often a touched item gained more places in everybody's lists than an untouched one, before to after.",
    ),
}


def share_band(found: Recognition) -> str:
    """Return the 95 % band of the share that still looks known: "0% to 9%", or "100%" where both ends are the same."""
    ends = dict.fromkeys((f"{found.known_share_low:.0%}", f"{found.known_share_high:.0%}"))
    return " to ".join(ends)


_RECOGNISED: tuple[tuple[str, str, str, Callable[[Recognition], FigureWithError]], ...] = (
    (
        "forgotten pairs (AUC)",
        "How often a forgotten pair ranks above a held-out one. 0.5: the two look alike.",
        ".3f",
        lambda found: (found.auc, f"± {found.auc_error:.3f}"),
    ),
    (
        "still looks known",
        "How many of the forgotten pairs rank like trained pairs. The target is Gold, a few per cent by chance.",
        ".0%",
        lambda found: (found.known_share, share_band(found)),
    ),
    (
        "mean place of a forgotten pair",
        "Where forgotten pairs rank, from 0 to 1; those of removed users and items as predicted by fold-in.",
        ".3f",
        lambda found: (found.place, ""),
    ),
    (
        "known pairs (AUC)",
        "The same AUC for trained pairs that the model may keep. Near 0.5: it remembers too little to compare.",
        ".3f",
        lambda found: (found.known_auc, ""),
    ),
    (
        "attack with labels (AUC)",
        "An attacker who knows some of the forgotten pairs looks for the others. Right is what the data alone give.",
        ".3f",
        lambda found: (found.attack_auc, f"± {found.attack_auc_error or 0:.3f}"),
    ),
    (
        "attack without the model (AUC)",
        "The same attack by what the retained data alone show of users and items. 0.5: no better than guessing.",
        ".3f",
        lambda found: (found.attack_level, ""),
    ),
    (
        "without the model (AUC)",
        "The first AUC by the retained pairs alone. Far from 0.5: held-out pairs are of another kind, such as later.",
        ".3f",
        lambda found: (found.reference_auc, ""),
    ),
)
_NEIGHBOURS: tuple[tuple[str, str, Callable[[Harm], float]], ...] = (
    ("mean change of recall@20", "After minus before. Below zero: their lists got worse.", lambda found: found.mean),
    ("worst in twenty (p5)", "One in twenty of them fared this badly or worse.", lambda found: found.p5),
    ("worst in a hundred (p1)", "One in a hundred of them fared this badly or worse.", lambda found: found.p1),
)


def recognition(report: AuditReport) -> list[RowGroup]:
    """Return for each kind of target how well it is distinguished from pairs that were never trained on."""
    kinds = dict.fromkeys(kind for state in report.states for kind in state.recognition)
    return [_recognition(report, kind) for kind in kinds]


def _recognition(report: AuditReport, kind: Kind) -> RowGroup:
    first = next(state.recognition[kind] for state in report.states if kind in state.recognition)
    rows = [
        _row(report, label, meaning, spec, _of_kind(kind, read))
        for label, meaning, spec, read in _RECOGNISED
        if any(read(state.recognition[kind])[0] is not None for state in report.states if kind in state.recognition)
    ]
    pairs = f"{first.pairs:,} forgotten pairs against {first.held_out:,} held-out ones."
    question = _QUESTIONS[kind.target] if kind.target else ""
    return RowGroup(recognition_name(kind), f"{question} {pairs}".strip(), rows)


def _of_kind(
    kind: Kind, read: Callable[[Recognition], FigureWithError]
) -> Callable[[Measurements], FigureWithError | None]:
    return lambda state: read(state.recognition[kind]) if kind in state.recognition else None


def others(report: AuditReport) -> list[RowGroup]:
    """Return marks, bystanders and neighbours, as far as they were measured."""
    return [group for group in (marks(report), _bystanders(report), _harm(report)) if group is not None]


def marks(report: AuditReport) -> RowGroup | None:
    """Return how well touched users, items and places in lists can be picked out; None where it was not measured."""
    found = {kind: [s.marks[kind] for s in report.states if kind in s.marks] for kind in _MARKED}
    found = {kind: of for kind, of in found.items() if of}
    if not found:
        return None
    rows = [_row(report, *_MARKED[kind], ".3f", _mark_of(kind)) for kind in found]
    sizes = dict.fromkeys(_compared(of[0], kind.noun) for kind, of in found.items())
    meaning = (
        "Does the new model give away whom or what the request touched? Touched are users and items that stayed but "
        f"lost more of their pairs than most: {'; '.join(sizes)}. In brackets what the retained data alone give away; "
        "at that level the model adds nothing."
    )
    return RowGroup("marks", meaning, rows)


def _mark_of(kind: MarkKind) -> Callable[[Measurements], FigureWithError | None]:
    return lambda state: (
        (state.marks[kind].auc, f"± {state.marks[kind].auc_error:.3f} ({state.marks[kind].level:.3f})")
        if kind in state.marks
        else None
    )


def _compared(mark: Mark, noun: str) -> str:
    return f"{mark.rows:,} {noun} against {mark.others:,} others"


def _bystanders(report: AuditReport) -> RowGroup | None:
    """Return the bystanders' rows; the original's column holds what was before, with which every state is compared."""
    first = next((state.bystanders for state in report.states if state.bystanders), None)
    if first is None:
        return None

    def of(
        read: Callable[[Bystanders], float | None], before: float | None
    ) -> Callable[[Measurements], FigureWithError | None]:
        def figure(state: Measurements) -> FigureWithError | None:
            if state.name is RunKind.ORIGINAL:
                return before, ""
            return None if state.bystanders is None else (read(state.bystanders), "")

        return figure

    rows = [
        _row(
            report,
            "same lists as before",
            "Share of their lists of twenty that is as it was. Retraining changes lists too: the target is Gold.",
            ".0%",
            of(lambda found: found.overlap, None),
        ),
        _row(
            report,
            "places held by touched items",
            "Share of all places in their lists. Well above the original: touched items were pushed up.",
            ".1%",
            of(lambda found: found.share_after, first.share_before),
        ),
        _row(
            report,
            "retained recall@20",
            "The share of what they really chose that a list of twenty finds. It should not fall.",
            ".4f",
            of(lambda found: found.recall_after, first.recall_before),
        ),
    ]
    meaning = f"The {first.users:,} people who have least to do with the request. Their lists should stay good."
    return RowGroup("bystanders", meaning, rows)


def _harm(report: AuditReport) -> RowGroup | None:
    first = next((state.harm for state in report.states if state.harm), None)
    if first is None:
        return None
    rows = [_row(report, label, meaning, "+z.3f", _harm_of(read)) for label, meaning, read in _NEIGHBOURS]
    meaning = (
        f"The {first.users:,} people closest to what was forgotten: those most like removed users or, where no user "
        "was removed, those who lost a pair. Retraining moves their recall too, up and down: the target is Gold."
    )
    return RowGroup("nearest neighbours", meaning, rows)


def _harm_of(read: Callable[[Harm], float]) -> Callable[[Measurements], FigureWithError | None]:
    return lambda state: (read(state.harm), "") if state.harm else None


def _row(
    report: AuditReport, label: str, meaning: str, spec: str, of: Callable[[Measurements], FigureWithError | None]
) -> StateRow:
    """Return one figure of every state; what only a later state can have does not apply to the original."""
    cells = []
    for kind, states in by_kind(report).items():
        found = [of(state) or (None, "") for state in states]
        missing = Outcome.NOT_APPLICABLE if kind is RunKind.ORIGINAL else Outcome.NOT_ASSESSED
        cells.append(cell([value for value, _ in found], spec, found[0][1] if len(found) == 1 else "", missing))
    return StateRow(label, meaning, tuple(cells))

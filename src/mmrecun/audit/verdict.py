"""What an audit says: figures of each state, checks with their evidence, and one verdict."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field

from mmrecun.settings import Settings


class State(StrEnum):
    """Outcome of a check, and of an audit as a whole."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASSESSED = "not assessed"
    NOT_APPLICABLE = "not applicable"


class About(StrEnum):
    """What a check is about; a verdict needs some of each of the first three."""

    REMOVAL = "removal"
    FORGETTING = "forgetting"
    UTILITY = "utility"
    LEVEL = "level"
    MARKS = "marks"
    BYSTANDERS = "bystanders"


class Check(Settings):
    """One question with its answer and the evidence in words.

    Attributes:
        name: short and the same in every report.
        state: the answer.
        detail: what was measured, and what it may be.
        about: what the question is about.
        against_gold: whether the answer rests on Gold.
    """

    name: str
    state: State
    detail: str
    about: About = About.REMOVAL
    against_gold: bool = False


class Recognition(Settings):
    """How well one kind of forgotten pairs is still told from held-out pairs of the same people.

    Attributes:
        pairs, held_out: how many were compared.
        place: mean rank percentile of the forgotten pairs; of removed users and items this is fold-in, from all pairs
            but the one asked about.
        auc, auc_error: matched AUC of the one against the other, 0.5 in Gold; its standard error.
        known_auc: the same of pairs that the model was taught and may keep.
        known_share, known_share_low, known_share_high: of the forgotten pairs, how many look like those; 95 % band.
        attack_auc: of a classifier with labels, on pairs it was not told; None for too few pairs.
        attack_level: the same without the model, by what the retained pairs show of users and items.
        attack_auc_error: standard error of attack_auc - attack_level.
    """

    pairs: int
    held_out: int
    place: float
    auc: float
    auc_error: float
    known_auc: float
    known_share: float
    known_share_low: float
    known_share_high: float
    attack_auc: float | None = None
    attack_auc_error: float | None = None
    attack_level: float | None = None


class Mark(Settings):
    """How well touched rows, or the items that a list shows, are told from untouched ones of the same degree.

    Attributes:
        rows, others: how many touched ones and others were compared.
        auc: of a classifier for rows, of gained places for lists.
        level: the AUC that the retained pairs alone give, without any model; 0.5 for lists.
        auc_error: standard error of auc - level.
    """

    rows: int
    others: int
    auc: float
    auc_error: float
    level: float = 0.5


class Bystanders(Settings):
    """The lists of people who have least to do with the request, before and after.

    Attributes:
        users: how many.
        overlap: of their lists of twenty.
        share_before, share_after: of the places in those lists, how many are held by touched items.
        gain, gain_error: places that went to items in proportion to what they lost, beyond chance among items of equal
            degree, as a share of all places; the spread of that chance.
        recall_before, recall_after: retained recall@20; None where none of them has a test pair.
    """

    users: int
    overlap: float
    share_before: float
    share_after: float
    gain: float
    gain_error: float
    recall_before: float | None = None
    recall_after: float | None = None


class Persons(Settings):
    """Each user's retained recall@20 against the Golds'.

    Attributes:
        users: how many have a test pair.
        below, above: shares of them outside the range of all Golds.
        gaps: histogram of recall minus the Golds' mean, 20 equal bins from -1 to 1, shares.
    """

    users: int
    below: float
    above: float
    gaps: tuple[float, ...]


class Harm(Settings):
    """Change of retained recall@20, from before to after, of the users nearest to what was forgotten.

    Attributes:
        users: how many.
        mean, p1, p5: of the change; the latter of the one and five per cent who lost most.
    """

    users: int
    mean: float
    p1: float
    p5: float


class Figures(Settings):
    """Measurements of one model state; None where a figure does not exist.

    Attributes:
        name: "original", "unlearned" or "gold".
        run: folder of the run.
        seed: of its training or unlearning.
        seconds: from request to servable model (from data to model for the original).
        retain: metrics on the retained test pairs, such as `recall@20`.
        forget: metrics with the forgotten pairs as ground truth and retained positives masked.
        affected: retain metrics of the users that a forgotten pair touched; of those alone that are still there.
        unaffected: of everybody else.
        auc: forgotten pairs against held-out positives by rank percentile; 0.5 means alike.
        auc_random: forgotten pairs against random unseen pairs of the same users.
        auc_matched, auc_matched_error: as `auc`, among pairs of equal popularity; its standard error.
        percentiles: histogram of the forgotten pairs' rank percentiles, 20 equal bins from 0 to 1, shares.
        percentiles_held_out: the same of the held-out positives.
        exposure: of removed items, as newcomers and before any filter: `top20` is the share of users with one in
            their list, `percentile` the mean place in the ranking from 0 to 1; `served` is `top20` of what is served.
        groups: retained recall@20 of active and other users, of popular and other items, and the gaps between them.
        probes: further figures by name; `fold_in` where rows were removed, the slower ones where they were asked for.
        unassessed: probe -> why it has no figure, of those that were asked for.
        valid: recall@20 on the retained validation pairs.
        recognition: kind of what was forgotten (`users`, `items`, `interactions`, `features NAME`) -> how well it is
            told from pairs that nobody trained on.
        marks: `users` and `items` -> how well touched rows are told from others.
            `lists`: how well touched items are told by the places they gained in everybody's lists.
        bands: figure, such as `retain recall@20`, -> 95 % band over users.
        bystanders: how the lists of those who have least to do with the request changed.
        harm: how the users nearest to what was forgotten fared.
    """

    name: str
    run: str
    seed: int
    seconds: float
    retain: dict[str, float]
    affected: dict[str, float] = {}
    unaffected: dict[str, float] = {}
    forget: dict[str, float] = {}
    auc: float | None = None
    auc_random: float | None = None
    auc_matched: float | None = None
    auc_matched_error: float | None = None
    percentiles: tuple[float, ...] = ()
    percentiles_held_out: tuple[float, ...] = ()
    exposure: dict[str, float] = {}
    groups: dict[str, float] = {}
    probes: dict[str, float] = {}
    unassessed: dict[str, str] = {}
    valid: float | None = None
    recognition: dict[str, Recognition] = {}
    marks: dict[str, Mark] = {}
    bands: dict[str, tuple[float, float]] = {}
    bystanders: Bystanders | None = None
    harm: Harm | None = None


class Gap(Settings):
    """One figure against Gold: positive means above Gold.

    Attributes:
        value: of the unlearned run.
        gold_mean, gold_std: over the Gold runs; the deviation is None for a single Gold.
        difference: value - gold_mean.
        z: difference / gold_std, None without a spread.
        tolerance: the difference that still counts as Gold's level.
        error: standard error of the difference over the people or pairs measured; None where it cannot be told.
    """

    value: float
    gold_mean: float
    gold_std: float | None
    difference: float
    z: float | None
    tolerance: float
    error: float | None = None


class Likeness(Settings):
    """One measure of how like Gold a model's answers are.

    Attributes:
        original, unlearned: mean over the Golds.
        gold: mean over every two Golds, the most that could be asked for; None for a single Gold.
    """

    original: float | None
    unlearned: float | None
    gold: float | None = None


class Compared(Settings):
    """What an audit looked at beside the run itself and the one it came from.

    Attributes:
        golds: digests of the Golds' weights.
        relearn: whether relearn time was measured.
        shadows: models of the likelihood-ratio attack.
    """

    golds: tuple[str, ...] = ()
    relearn: bool = False
    shadows: int = 0

    def at_least(self, other: "Compared") -> bool:
        """Whether this looked at no less than `other`."""
        return len(self.golds) >= len(other.golds) and self.relearn >= other.relearn and self.shadows >= other.shadows

    def name(self) -> str:
        """A few words for a folder.

        >>> Compared(golds=("a", "b"), shadows=4).name(), Compared().name()
        ('gold2-shadows4', 'alone')
        """
        parts = [f"gold{len(self.golds)}"] if self.golds else ["alone"]
        parts += ["relearn"] if self.relearn else []
        parts += [f"shadows{self.shadows}"] if self.shadows else []
        return "-".join(parts)


class AuditReport(Settings):
    """The whole audit of one unlearned run.

    Attributes:
        format: of this record.
        made: UTC time.
        digests: of the weights of `run` and `original`, and of the `dataset` that is retained.
        compared: what it looked at besides.
        folder: where the report was written, relative to the run; "" for the run folder itself.
        model, method, dataset: names.
        forgotten: counts of users, items, interactions and modalities.
        states: the original, the unlearned run, and each Gold.
        gap: figure name (`retain_recall@20`, `forget_recall@20`, `auc`, `auc_matched`) -> Gap; empty without Gold.
        likeness: measure -> how like Gold; empty without Gold.
        persons: each user's recall against the Golds'; None for fewer than two Golds.
        checks: in order.
        verdict: of all checks, by `conclude`; without Gold as `verdict_without_gold`.
        verdict_without_gold: of the checks that need no Gold; lost features of items that stay never pass by these.
        verdict_against_gold: of the comparisons with Gold and the scan for residue; not assessed without Gold.
        notes: how figures came about, and what was not looked at.
    """

    format: int = 2
    made: str = ""
    digests: dict[str, str] = {}
    compared: Compared = Compared()
    folder: str = ""
    model: str
    method: str
    dataset: str
    forgotten: dict[str, int]
    states: tuple[Figures, ...]
    gap: dict[str, Gap] = {}
    likeness: dict[str, Likeness] = {}
    persons: Persons | None = None
    checks: tuple[Check, ...] = ()
    verdict: State = State.NOT_ASSESSED
    verdict_without_gold: State = State.NOT_ASSESSED
    verdict_against_gold: State = State.NOT_ASSESSED
    notes: tuple[str, ...] = Field(default=())

    def state(self, name: str) -> Figures:
        """The first state called `name`."""
        return next(state for state in self.states if state.name == name)

    @property
    def headline(self) -> str:
        """The verdict in a few words; where the removal was checked and no more, it says so."""
        removed = {check.state for check in self.checks if check.about is About.REMOVAL}
        if self.verdict is State.NOT_ASSESSED and State.PASSED in removed:
            measured = any(check.state is State.PASSED for check in self.checks if check.about is About.FORGETTING)
            return "removed; not all of it measured" if measured else "removed; forgetting not measured"
        return self.verdict.value

    def contract(self) -> dict[str, Any]:
        """The keys that the command line and the service promise."""
        after = self.state("unlearned")
        whole = self.model_dump(mode="json")
        return {
            "verdict": self.verdict.value,
            "headline": self.headline,
            "verdict_without_gold": self.verdict_without_gold.value,
            "verdict_against_gold": self.verdict_against_gold.value,
            "retain": after.retain,
            "forget": after.forget,
            "membership": {name: value for name, value in after.model_dump().items() if name.startswith("auc")},
            **{name: whole[name] for name in _PUBLIC},
        }


_PUBLIC = ("forgotten", "gap", "likeness", "persons", "checks", "states", "notes", "compared", "digests", "made")


def conclude(checks: Sequence[Check]) -> State:
    """One verdict from many checks.

    Failed if any check failed. Passed only if the removal, the forgetting of every kind of thing, and utility were
    measured and hold. Otherwise not assessed: what could not be measured never counts as passed.
    """
    if any(check.state is State.FAILED for check in checks):
        return State.FAILED
    needed = (About.REMOVAL, About.FORGETTING, About.UTILITY)
    for about in needed:
        states = {check.state for check in checks if check.about is about} - {State.NOT_APPLICABLE}
        if states != {State.PASSED}:
            return State.NOT_ASSESSED
    return State.PASSED

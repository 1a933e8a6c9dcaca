"""What an audit says: figures of each state, checks with their evidence, and one verdict."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from mmrecun.settings import Settings


class State(StrEnum):
    """Outcome of a check, and of an audit as a whole."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASSESSED = "not assessed"


class Check(Settings):
    """One question with its answer and the evidence in words; `against_gold` where the answer rests on Gold."""

    name: str
    state: State
    detail: str
    against_gold: bool = False


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
        auc_newcomers, auc_newcomers_error: as `auc_matched`, where a retained user or item treated as one never seen
            gives the controls; only where a request removed users or items.
        percentiles: histogram of the forgotten pairs' rank percentiles, 20 equal bins from 0 to 1, shares.
        percentiles_held_out: the same of the held-out positives.
        exposure: of removed items, as newcomers and before any filter: `top20` is the share of users with one in
            their list, `percentile` the mean place in the ranking from 0 to 1; `served` is `top20` of what is served.
        groups: retained recall@20 of active and other users, of popular and other items, and the gaps between them.
        probes: further figures by name; `fold_in` where rows were removed, the slower ones where they were asked for.
        unassessed: probe -> why it has no figure, of those that were asked for.
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
    auc_newcomers: float | None = None
    auc_newcomers_error: float | None = None
    percentiles: tuple[float, ...] = ()
    percentiles_held_out: tuple[float, ...] = ()
    exposure: dict[str, float] = {}
    groups: dict[str, float] = {}
    probes: dict[str, float] = {}
    unassessed: dict[str, str] = {}


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


class AuditReport(Settings):
    """The whole audit of one unlearned run.

    Attributes:
        model, method, dataset: names.
        forgotten: counts of users, items, interactions and modalities.
        states: the original, the unlearned run, and each Gold.
        gap: figure name (`retain_recall@20`, `forget_recall@20`, `auc`, `auc_matched`) -> Gap; empty without Gold.
        likeness: measure -> how like Gold; empty without Gold.
        checks: in order.
        verdict: of all checks, by `conclude`; without Gold as `verdict_without_gold`.
        verdict_without_gold: of the checks that need no Gold; lost features of items that stay never pass by these.
        verdict_against_gold: of the comparisons with Gold and the scan for residue; not assessed without Gold.
        notes: how figures came about, and what was not looked at.
    """

    model: str
    method: str
    dataset: str
    forgotten: dict[str, int]
    states: tuple[Figures, ...]
    gap: dict[str, Gap] = {}
    likeness: dict[str, Likeness] = {}
    checks: tuple[Check, ...] = ()
    verdict: State = State.NOT_ASSESSED
    verdict_without_gold: State = State.NOT_ASSESSED
    verdict_against_gold: State = State.NOT_ASSESSED
    notes: tuple[str, ...] = Field(default=())

    def state(self, name: str) -> Figures:
        """The first state called `name`."""
        return next(state for state in self.states if state.name == name)

    def contract(self) -> dict[str, Any]:
        """The keys that the command line and the service promise."""
        after = self.state("unlearned")
        whole = self.model_dump(mode="json")
        return {
            "verdict": self.verdict.value,
            "verdict_without_gold": self.verdict_without_gold.value,
            "verdict_against_gold": self.verdict_against_gold.value,
            "retain": after.retain,
            "forget": after.forget,
            "membership": {name: value for name, value in after.model_dump().items() if name.startswith("auc")},
            **{name: whole[name] for name in ("forgotten", "gap", "likeness", "checks", "states", "notes")},
        }


def conclude(checks: tuple[Check, ...]) -> State:
    """One verdict from many checks: failed if any failed, not assessed if none could be made, passed otherwise."""
    states = {check.state for check in checks}
    if State.FAILED in states:
        return State.FAILED
    return State.PASSED if State.PASSED in states else State.NOT_ASSESSED

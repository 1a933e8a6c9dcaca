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
    """One question with its answer and the evidence in words."""

    name: str
    state: State
    detail: str


class Figures(Settings):
    """Measurements of one model state; None where a figure does not exist.

    Attributes:
        name: "original", "unlearned" or "gold".
        run: folder of the run.
        seed: of its training or unlearning.
        seconds: from request to servable model (from data to model for the original).
        retain: metrics on the retained test pairs, such as `recall@20`.
        forget: metrics with the forgotten pairs as ground truth and retained positives masked.
        auc: forgotten pairs against held-out positives by rank percentile; 0.5 means alike.
        auc_random: forgotten pairs against random unseen pairs of the same users.
        percentiles: histogram of the forgotten pairs' rank percentiles, 20 equal bins from 0 to 1, shares.
        percentiles_held_out: the same of the held-out positives.
    """

    name: str
    run: str
    seed: int
    seconds: float
    retain: dict[str, float]
    forget: dict[str, float] = {}
    auc: float | None = None
    auc_random: float | None = None
    percentiles: tuple[float, ...] = ()
    percentiles_held_out: tuple[float, ...] = ()


class Gap(Settings):
    """One figure against Gold: positive means above Gold.

    Attributes:
        value: of the unlearned run.
        gold_mean, gold_std: over the Gold runs; the deviation is None for a single Gold.
        difference: value - gold_mean.
        z: difference / gold_std, None without a spread.
        tolerance: the difference that still counts as Gold's level.
    """

    value: float
    gold_mean: float
    gold_std: float | None
    difference: float
    z: float | None
    tolerance: float


class AuditReport(Settings):
    """The whole audit of one unlearned run.

    Attributes:
        model, method, dataset: names.
        forgotten: counts of users, items, interactions and modalities.
        states: the original, the unlearned run, and each Gold.
        gap: figure name (`retain_recall@20`, `forget_recall@20`, `auc`) -> Gap; empty without Gold.
        checks: in order.
        verdict: failed if any check failed, not assessed if none could be made, passed otherwise.
        notes: how figures came about, and what was not looked at.
    """

    model: str
    method: str
    dataset: str
    forgotten: dict[str, int]
    states: tuple[Figures, ...]
    gap: dict[str, Gap] = {}
    checks: tuple[Check, ...] = ()
    verdict: State = State.NOT_ASSESSED
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
            "retain": after.retain,
            "forget": after.forget,
            "membership": {"auc": after.auc, "auc_random": after.auc_random},
            **{name: whole[name] for name in ("forgotten", "gap", "checks", "states", "notes")},
        }


def conclude(checks: tuple[Check, ...]) -> State:
    """One verdict from many checks."""
    states = {check.state for check in checks}
    if State.FAILED in states:
        return State.FAILED
    return State.PASSED if State.PASSED in states else State.NOT_ASSESSED

"""The report of an audit: figures of each state, checks with their evidence, and one verdict."""

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from mmrecun.auditing.figures import Gap, Likeness, Measurements, Persons, RunKind
from mmrecun.auditing.keys import CheckName, GapKey, LikenessKey
from mmrecun.auditing.outcome import Outcome
from mmrecun.settings import Settings
from mmrecun.text import facts_html, facts_text, preview, taken_out


class About(StrEnum):
    """Subject of a check; a verdict needs checks of each of the first three."""

    REMOVAL = "removal"
    FORGETTING = "forgetting"
    UTILITY = "utility"
    LEVEL = "level"
    MARKS = "marks"
    BYSTANDERS = "bystanders"


class Check(Settings):
    """One question with its outcome and the evidence in words.

    Attributes:
        name: short and the same in every report.
        state: the outcome.
        detail: what was measured, with its bound.
        about: what the question is about.
        partly: the part that was not assessed; empty if all of it was.
        against_gold: whether the outcome rests on Gold.
    """

    name: CheckName
    state: Outcome
    detail: str
    about: About = About.REMOVAL
    partly: str = ""
    against_gold: bool = False

    @classmethod
    def of_findings(cls, name: CheckName, found: Iterable[object], clean: str, dirty: str) -> Self:
        """Make a check that fails if anything was found: `dirty` and the first findings, else `clean`, in words."""
        listed = list(found)
        if not listed:
            return cls(name=name, state=Outcome.PASSED, detail=clean)
        return cls(name=name, state=Outcome.FAILED, detail=f"{dirty}: {preview(listed)}")


class AuditScope(Settings):
    """What an audit assessed, beside the run and its original.

    Attributes:
        golds: digests of the Golds' weights.
        relearn: whether relearn time was measured.
        shadows: number of models of the likelihood-ratio attack.
        sample: number of randomly drawn users in the retained figures; 0 for all.
    """

    golds: tuple[str, ...] = ()
    relearn: bool = False
    shadows: int = 0
    sample: int = 0

    def at_least(self, other: "AuditScope") -> bool:
        """Say whether this audit assessed at least as much as `other`."""
        probes = self.relearn >= other.relearn and self.shadows >= other.shadows
        users = (self.sample or math.inf) >= (other.sample or math.inf)
        return len(self.golds) >= len(other.golds) and probes and users

    def name(self) -> str:
        """Return a few words for a folder.

        >>> AuditScope(golds=("a", "b"), shadows=4).name(), AuditScope().name()
        ('gold2-shadows4', 'alone')
        """
        parts = [f"gold{len(self.golds)}"] if self.golds else ["alone"]
        parts += ["relearn"] if self.relearn else []
        parts += [f"shadows{self.shadows}"] if self.shadows else []
        parts += [f"sample{self.sample}"] if self.sample else []
        return "-".join(parts)


class AuditReport(Settings):
    """The whole audit of one unlearned run.

    Attributes:
        format: version of the layout of this record.
        made: UTC time.
        digests: digests of the weights of `run` and `original`, and of the retained `dataset`.
        compared: what else it took into account.
        folder: where the report was written, relative to the run; "" for the run folder itself.
        model, method, dataset: names.
        forgotten: counts of users, items, interactions and modalities.
        users: numbers of retained users with a training pair: `all`, `drawn` for the retained figures, and `measured`:
            the drawn ones and all that the request touched.
        states: the original, the unlearned run, and each Gold.
        gap: figure name (`retain_recall@20`, `forget_recall@20`, `auc`, `auc_matched`) -> Gap; empty without Gold.
        likeness: measure -> similarity to Gold; empty without Gold.
        persons: each user's recall against the Golds'; None without test users or two Golds.
        checks: in order.
        verdict: verdict on all checks, by `conclude`; without Gold as `verdict_without_gold`.
        verdict_without_gold: from the checks that need no Gold.
        verdict_against_gold: from the comparisons with Gold and the scan for residue; not assessed without Gold.
        notes: how the figures were obtained, and what was not looked at.
    """

    format: int = 2
    made: str = ""
    digests: dict[str, str] = {}
    compared: AuditScope = AuditScope()
    folder: str = ""
    model: str
    method: str
    dataset: str
    forgotten: dict[str, int]
    users: dict[str, int] = {}
    states: tuple[Measurements, ...]
    gap: dict[GapKey, Gap] = {}
    likeness: dict[LikenessKey, Likeness] = {}
    persons: Persons | None = None
    checks: tuple[Check, ...] = ()
    verdict: Outcome = Outcome.NOT_ASSESSED
    verdict_without_gold: Outcome = Outcome.NOT_ASSESSED
    verdict_against_gold: Outcome = Outcome.NOT_ASSESSED
    notes: tuple[str, ...] = Field(default=())

    def measurements(self, kind: RunKind) -> Measurements:
        """Return the first state of a kind."""
        return next(state for state in self.states if state.name == kind)

    @property
    def golds(self) -> list[Measurements]:
        """The states of the Golds."""
        return [state for state in self.states if state.name is RunKind.GOLD]

    @property
    def verdict_on_removal(self) -> Outcome:
        """Whether all that was requested is out of tables, graphs and files, whatever the model still knows."""
        return _settled(self.checks, About.REMOVAL)

    @property
    def headline(self) -> str:
        """The verdict in a few words, which say so where only the removal was checked."""
        if self.verdict is Outcome.NOT_ASSESSED and self.verdict_on_removal is Outcome.PASSED:
            measured = any(check.state is Outcome.PASSED for check in self.checks if check.about is About.FORGETTING)
            return "removed; not all of it measured" if measured else "removed; forgetting not measured"
        return self.verdict.value

    def __repr__(self) -> str:
        """Return the verdict and the checks behind it, a line each."""
        return facts_text(self._title(), self._overview())

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks; the whole report is report.html in the run's folder."""
        return facts_html(self._title(), self._overview())

    def _title(self) -> str:
        return f"Audit of '{self.model}' unlearned by '{self.method}': {self.headline}"

    def _overview(self) -> dict[str, str]:
        passed = [check.name for check in self.checks if check.state is Outcome.PASSED]
        reasons = {
            state: [f"{check.name} ({check.detail})" for check in self.checks if check.state is state]
            for state in (Outcome.FAILED, Outcome.NOT_ASSESSED)
        }
        return {
            "dataset": self.dataset,
            "forgotten": taken_out(self.forgotten),
            "without Gold": self.verdict_without_gold.value,
            "against Gold": self.verdict_against_gold.value,
            "failed": "; ".join(reasons[Outcome.FAILED]),
            "passed": "; ".join(passed),
            "not assessed": "; ".join(reasons[Outcome.NOT_ASSESSED]),
        }

    def contract(self) -> dict[str, Any]:
        """Return the keys that the command line and the service promise."""
        after = self.measurements(RunKind.UNLEARNED)
        whole = self.model_dump(mode="json")
        return {
            "verdict": self.verdict.value,
            "headline": self.headline,
            "verdict_without_gold": self.verdict_without_gold.value,
            "verdict_against_gold": self.verdict_against_gold.value,
            "retain": after.retain,
            "forget": after.forget,
            "membership": {
                "auc": after.auc,
                "auc_random": after.auc_random,
                "auc_matched": after.auc_matched,
                "auc_matched_error": after.auc_matched_error,
            },
            **{name: whole[name] for name in _PUBLIC},
        }


_PUBLIC = (
    "forgotten",
    "users",
    "gap",
    "likeness",
    "persons",
    "checks",
    "states",
    "notes",
    "compared",
    "digests",
    "made",
)


def conclude(checks: Sequence[Check]) -> Outcome:
    """Conclude one verdict from many checks.

    Failed if any check failed. Passed only if the removal, the forgetting of every kind of thing, and utility were
    measured and hold. Otherwise not assessed: what could not be measured never counts as passed.
    """
    if any(check.state is Outcome.FAILED for check in checks):
        return Outcome.FAILED
    needed = (About.REMOVAL, About.FORGETTING, About.UTILITY)
    held = all(_settled(checks, about) is Outcome.PASSED for about in needed)
    return Outcome.PASSED if held else Outcome.NOT_ASSESSED


def _settled(checks: Sequence[Check], about: About) -> Outcome:
    """Return the outcome of the checks about one thing: failed if one failed, passed if all that apply passed."""
    states = {check.state for check in checks if check.about is about} - {Outcome.NOT_APPLICABLE}
    if Outcome.FAILED in states:
        return Outcome.FAILED
    return Outcome.PASSED if states == {Outcome.PASSED} else Outcome.NOT_ASSESSED

"""Agreement of the verdict without Gold with the verdict against Gold, over all rows that have both."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from mmrecun.auditing.outcome import Outcome
from mmrecun.bench.results import Row
from mmrecun.bench.spec import GOLD, REFERENCES


class Agreement(NamedTuple):
    """Agreement of the two verdicts of the same rows.

    Attributes:
        rows: number of rows with both verdicts, passed or failed.
        agreeing: rows whose verdicts are the same.
        false_passes: passed without Gold, failed against it.
        false_alarms: failed without Gold, passed against it.
    """

    rows: int
    agreeing: int
    false_passes: int
    false_alarms: int

    @property
    def share(self) -> float | None:
        """Share of rows that agree; None without rows."""
        return self.agreeing / self.rows if self.rows else None


def agreement(rows: Iterable[Row]) -> Agreement:
    """Compute the agreement over the rows of unlearning methods, without Originals and Golds."""
    pairs = [_verdicts(row) for row in rows if row.method not in REFERENCES]
    decided = [pair for pair in pairs if set(pair) <= {Outcome.PASSED, Outcome.FAILED}]
    passes = decided.count((Outcome.PASSED, Outcome.FAILED))
    alarms = decided.count((Outcome.FAILED, Outcome.PASSED))
    return Agreement(len(decided), len(decided) - passes - alarms, passes, alarms)


def _verdicts(row: Row) -> tuple[Outcome | None, Outcome | None]:
    return row.verdict_without_gold, row.verdict_against_gold


def by_target(rows: Iterable[Row]) -> dict[str, Agreement]:
    """Return the agreement of each target, and of "all"."""
    listed = list(rows)
    names = dict.fromkeys(row.target for row in listed)
    return {"all": agreement(listed)} | {name: agreement(row for row in listed if row.target == name) for name in names}


def golds_passing(rows: Iterable[Row]) -> tuple[int, int]:
    """Count the Golds that pass without Gold, and all that were judged; each failure of a Gold is a false alarm."""
    verdicts = [row.verdict_without_gold for row in rows if row.method == GOLD]
    judged = [verdict for verdict in verdicts if verdict in (Outcome.PASSED, Outcome.FAILED)]
    return judged.count(Outcome.PASSED), len(judged)


def as_json(rows: Iterable[Row]) -> dict[str, Any]:
    """Return the agreement by target, with shares, and that of the Golds."""
    listed = list(rows)
    passed, judged = golds_passing(listed)
    found: dict[str, Any] = {
        name: {**entry._asdict(), "share": entry.share} for name, entry in by_target(listed).items()
    }
    return found | {"golds": {"passed": passed, "rows": judged}}

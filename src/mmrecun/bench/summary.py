"""Rows as mean and standard deviation over seeds, one summary per dataset, model, request and checkpoint."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import NamedTuple

from mmrecun.bench.results import Row, RowFigure, Status
from mmrecun.bench.spec import REFERENCES


class Stat(NamedTuple):
    """Mean over seeds, and the standard deviation where there are several."""

    mean: float
    std: float | None


@dataclass(frozen=True)
class MethodSummary:
    """All rows of one method in one group.

    Attributes:
        method: label.
        rows: rows of every seed, including failed ones.
    """

    method: str
    rows: tuple[Row, ...]

    @property
    def done(self) -> tuple[Row, ...]:
        """Rows with figures."""
        return tuple(row for row in self.rows if row.status is Status.DONE)

    @property
    def reason(self) -> str:
        """Why rows are missing; empty when none is."""
        missing = [row for row in self.rows if row.status is not Status.DONE]
        return f"{missing[0].status}: {missing[0].reason}" if missing else ""

    def values(self, figure: RowFigure) -> list[float]:
        """Return a figure of every row that has it."""
        return [value for row in self.done if (value := row.figure(figure)) is not None]

    def stat(self, figure: RowFigure) -> Stat | None:
        """Compute mean and deviation of a figure; None when no row has it."""
        values = self.values(figure)
        return Stat(mean(values), stdev(values) if len(values) > 1 else None) if values else None


@dataclass(frozen=True)
class Summary:
    """One group: what was forgotten from which model of which data.

    Attributes:
        about: a row of the group, for its labels.
        lines: rows of the Original, of Gold, and of every method in the order of the spec.
    """

    about: Row
    lines: tuple[MethodSummary, ...]

    @property
    def title(self) -> str:
        """The group in words."""
        about = self.about
        after = f", after {about.requests} requests" if about.requests > 1 or about.strategy == "sequence" else ""
        return f"{about.dataset}, {about.model}: {about.request} ({100 * about.ratio:.3g} %{after})"

    @property
    def methods(self) -> tuple[MethodSummary, ...]:
        """The lines of unlearning methods."""
        return tuple(entry for entry in self.lines if entry.method not in REFERENCES)

    def line(self, method: str) -> MethodSummary | None:
        """Return the line of one method."""
        return next((entry for entry in self.lines if entry.method == method), None)


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """Group rows, in the order they come."""
    grouped: dict[tuple[str, str, str, int], dict[str, list[Row]]] = {}
    for row in rows:
        group = grouped.setdefault((row.dataset, row.model, row.request, row.requests), {})
        group.setdefault(row.method, []).append(row)
    return [
        Summary(next(iter(lines.values()))[0], tuple(MethodSummary(name, tuple(of)) for name, of in lines.items()))
        for lines in grouped.values()
    ]

"""The report of an import: rows read, rows left out with the reason, and warnings."""

from dataclasses import dataclass, field


@dataclass
class Report:
    """Filled while an import runs. Every row of the source is an interaction in the end, or counted in `left_out`.

    Attributes:
        rows: pairs of a user and an item found in the source.
        left_out: reason -> rows that did not become an interaction for it.
        warnings: one line each, in the order of their discovery.
    """

    rows: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def leave_out(self, count: int, reason: str, warning: str) -> None:
        """Count rows that are left out, with a warning; nothing happens for a count of 0."""
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count
            self.warnings.append(warning)

    def check(self, kept: int) -> None:
        """Assert that every row is accounted for; `kept` is the number of interactions."""
        counted = kept + sum(self.left_out.values())
        assert self.rows == counted, f"{self.rows} rows were read, but {counted} are accounted for"

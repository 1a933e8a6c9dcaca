"""The outcome of a check; apart from the report, which the command line need not load for its options."""

from enum import StrEnum


class Outcome(StrEnum):
    """Outcome of a check, and of an audit as a whole."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASSESSED = "not assessed"
    NOT_APPLICABLE = "not applicable"

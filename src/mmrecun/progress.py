"""Progress of long work."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]  # how much is done, of how much, and a note


def no_progress(done: int, total: int, note: str) -> None:
    """Ignore progress."""

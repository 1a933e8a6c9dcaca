"""The executor of this process: it makes one piece after another, so that their times can be compared."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mmrecun.progress import Progress
from mmrecun.scale.executor import Made, Schedule
from mmrecun.scale.piece import Piece, perform


class LocalExecutor:
    """Makes pieces in this process, one by one, in the order given."""

    shared = False

    def make(self, pieces: Sequence[Piece], root: Path, progress: Progress) -> Iterator[Made]:
        """Make the pieces; see `Executor.make`."""
        schedule = Schedule(pieces, root)
        while piece := schedule.next_ready():
            begun = schedule.done

            def report(done: int, total: int, _: str, begun: int = begun, note: str = piece.note) -> None:
                progress(begun, schedule.total, f"{note}  {done}/{total}")

            progress(begun, schedule.total, piece.note)
            failure = schedule.lacking(piece) or perform(piece, root, report)
            yield from schedule.end(piece, failure)
        progress(schedule.done, schedule.total, "")

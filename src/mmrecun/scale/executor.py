"""The contract of executors, which make pieces of work, and the order in which pieces can be started."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from mmrecun.progress import Progress
from mmrecun.scale.piece import Failure, Piece


class Made(NamedTuple):
    """A piece that was made or has failed.

    Attributes:
        piece: the piece.
        failure: why its folder does not exist; None if it does.
    """

    piece: Piece
    failure: Failure | None


class Executor(Protocol):
    """Makes pieces.

    Attributes:
        shared: whether several pieces are made at the same time, so that their times cannot be compared.
    """

    shared: bool

    def make(self, pieces: Sequence[Piece], root: Path, progress: Progress) -> Iterator[Made]:
        """Yield each piece once, in any order, when its folder is complete below `root` or cannot be made.

        An existing folder is not made again. If a machine dies, its pieces are started again; one result is kept.
        `progress` receives the number of finished pieces, of all pieces, and what is being made.
        """


class Schedule:
    """The pieces that are still to be made; one can be started when its needs exist.

    Args:
        pieces: in the preferred order; two of the same name are one piece.
        root: folder below which their folders lie.
    """

    def __init__(self, pieces: Sequence[Piece], root: Path) -> None:
        self._waiting = {piece.name: piece for piece in pieces}
        self._open = set(self._waiting)
        self.root, self.total = root, len(self._waiting)

    @property
    def done(self) -> int:
        """Number of finished pieces."""
        return self.total - len(self._open)

    def next_ready(self) -> Piece | None:
        """Remove and return the next piece whose needs are finished; None if every other waits or there is none."""
        found = next((piece for piece in self._waiting.values() if not self._open.intersection(piece.needs)), None)
        if found is not None:
            del self._waiting[found.name]
        return found

    def end(self, piece: Piece, failure: Failure | None) -> list[Made]:
        """Mark a piece as finished; return it and, if it failed, all pieces that cannot be made without it."""
        self._open.discard(piece.name)
        ended = [Made(piece, failure)]
        if failure is not None:
            for other in [other for other in self._waiting.values() if piece.name in other.needs]:
                if self._waiting.pop(other.name, None):
                    ended += self.end(other, failure)
        return ended

    def lacking(self, piece: Piece) -> Failure | None:
        """Return the failure of a piece that needs a folder which does not exist and which no piece makes."""
        absent = [name for name in piece.needs if not (self.root / name).is_dir()]
        text = f"{self.root / absent[0]} is missing; it is needed for '{piece.note or piece.name}'" if absent else ""
        return Failure(kind="ArtifactError", text=text) if absent else None

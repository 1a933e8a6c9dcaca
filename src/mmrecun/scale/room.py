"""Where pieces are made: what a room promises, and in which order pieces can be begun."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from mmrecun.scale.piece import Failure, Piece
from mmrecun.training.loop import Progress


class Made(NamedTuple):
    """A piece that has come to its end.

    Attributes:
        piece: which.
        failure: why its folder is not there; None where it is.
    """

    piece: Piece
    failure: Failure | None


class Room(Protocol):
    """Makes pieces.

    Attributes:
        shared: whether pieces are made beside one another, so that their times are not those of a quiet machine.
    """

    shared: bool

    def make(self, pieces: Sequence[Piece], root: Path, progress: Progress) -> Iterator[Made]:
        """Yield each piece once, when its folder lies whole below `root` or cannot be made, in any order.

        A folder that is there already is not made again. A piece may be begun more than once, where a machine dies, but
        one result is kept. `progress` receives pieces done, pieces in all, and what is being made.
        """


class Schedule:
    """Which pieces can be begun: those whose needs are there.

    Args:
        pieces: in the order in which they had best be made; a name that occurs again is the same piece.
        root: folder that they lie below.
    """

    def __init__(self, pieces: Sequence[Piece], root: Path) -> None:
        self._waiting = {piece.name: piece for piece in pieces}
        self._open = set(self._waiting)
        self.root, self.total = root, len(self._waiting)

    @property
    def done(self) -> int:
        """How many pieces have come to their end."""
        return self.total - len(self._open)

    def ready(self, most: int | None = None) -> list[Piece]:
        """Remove and return the next pieces, at most `most`, whose needs are finished."""
        found: list[Piece] = []
        for piece in self._waiting.values():
            if len(found) == most:
                break
            if not self._open.intersection(piece.needs):
                found.append(piece)
        for piece in found:
            del self._waiting[piece.name]
        return found

    def end(self, piece: Piece, failure: Failure | None) -> list[Made]:
        """Mark a piece as ended; returns it, and with it those that cannot be made without it."""
        self._open.discard(piece.name)
        ended = [Made(piece, failure)]
        if failure is not None:
            for other in [other for other in self._waiting.values() if piece.name in other.needs]:
                if self._waiting.pop(other.name, None):
                    ended += self.end(other, failure)
        return ended

    def lacking(self, piece: Piece) -> Failure | None:
        """Return what to say of a piece that needs a folder which nobody makes and which is not there."""
        absent = [name for name in piece.needs if not (self.root / name).is_dir()]
        text = f"{self.root / absent[0]} is missing; it is needed for '{piece.note or piece.name}'" if absent else ""
        return Failure(kind="ArtifactError", text=text) if absent else None

"""One piece of work: a folder that a function makes out of other folders, named by all that decides it."""

import hashlib
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from mmrecun import errors
from mmrecun.errors import ArtifactError, MMRecUnError
from mmrecun.settings import Settings
from mmrecun.training.loop import Progress

SCRATCH = "mmrecun-scratch-"  # how the names of folders begin that work makes in the temporary folder of a host


class Maker(Protocol):
    """Makes the folder of a piece, whole or not at all."""

    def __call__(self, root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
        """Make the folder `place` out of the folders below `root` and of `given`."""


class Piece(Settings):
    """What is to be made, in words that another machine understands.

    Attributes:
        name: path of its folder below the root, which holds a digest of all that decides the content.
        make: the `Maker`, as "module:function".
        given: plain values for it.
        needs: names of the folders that it reads.
        note: what it is, for people.
    """

    name: str
    make: str
    given: dict[str, Any] = {}
    needs: tuple[str, ...] = ()
    note: str = ""


class Failure(Settings):
    """Why a piece could not be made.

    Attributes:
        kind: name of the class of the error.
        text: one line.
    """

    kind: str
    text: str

    @classmethod
    def from_error(cls, error: Exception) -> "Failure":
        """Return what is to be said of `error`."""
        return cls(kind=type(error).__name__, text=one_line(error))

    def error(self) -> MMRecUnError:
        """Return it as an error of this package, of its own class where it has one here."""
        found = getattr(errors, self.kind, MMRecUnError)
        return found(self.text) if issubclass(found, MMRecUnError) else MMRecUnError(self.text)


def one_line(error: Exception) -> str:
    r"""Return an error as a reason; the type says more where it is not one of ours.

    >>> one_line(ValueError("two\nlines"))
    'ValueError: two'
    """
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, MMRecUnError) else f"{type(error).__name__}: {text}"


def digest_of(facts: Mapping[str, Any]) -> str:
    """Compute SHA-256 of plain facts, whatever their order, as 16 hexadecimal digits."""
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def perform(piece: Piece, root: Path, progress: Progress) -> Failure | None:
    """Make the folder of `piece` below `root`, unless it is there; return why it cannot be made."""
    place = root / piece.name
    if place.is_dir():
        return None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _maker(piece)(root, place, piece.given, progress)
    except ArtifactError as error:  # a second maker of the same piece may have been sooner, which is as good
        return None if place.is_dir() else Failure.from_error(error)
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to this piece alone; the others go on
        return Failure.from_error(error)
    return None


def _maker(piece: Piece) -> Maker:
    module, _, name = piece.make.partition(":")
    maker: Maker = getattr(import_module(module), name)
    return maker

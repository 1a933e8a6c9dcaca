"""A piece of work: a folder that a function makes from other folders, named by a digest of all that decides it."""

import hashlib
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from mmrecun import errors
from mmrecun.errors import ArtifactError, MMRecUnError
from mmrecun.progress import Progress
from mmrecun.settings import Settings

SCRATCH = "mmrecun-scratch-"  # prefix of the folders that work makes in the temporary folder of a host


class Maker(Protocol):
    """A function that makes the folder of a piece, whole or not at all."""

    def __call__(self, root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
        """Make the folder `place` from folders below `root` and from `given`."""


class Piece(Settings):
    """A piece of work as plain values, for another process or host.

    Attributes:
        name: path of its folder below the root; it contains a digest of everything that decides the content.
        make: the `Maker`, as "module:function".
        given: plain values for the maker.
        needs: names of the folders that the maker reads.
        note: a description for progress reports.
    """

    name: str
    make: str
    given: dict[str, Any] = {}
    needs: tuple[str, ...] = ()
    note: str = ""


class Failure(Settings):
    """Why a piece could not be made.

    Attributes:
        kind: name of the error's class.
        text: the error in one line.
    """

    kind: str
    text: str

    @classmethod
    def from_error(cls, error: Exception) -> "Failure":
        """Describe `error`."""
        return cls(kind=type(error).__name__, text=one_line(error))

    def error(self) -> MMRecUnError:
        """Return the failure as an error of this package: of the class `kind`, or else `MMRecUnError`."""
        found = getattr(errors, self.kind, MMRecUnError)
        return found(self.text) if issubclass(found, MMRecUnError) else MMRecUnError(self.text)


def one_line(error: Exception) -> str:
    r"""Return an error in one line, with its type in front unless it is one of this package.

    >>> one_line(ValueError("two\nlines"))
    'ValueError: two'
    """
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, MMRecUnError) else f"{type(error).__name__}: {text}"


def digest_of(facts: Mapping[str, Any]) -> str:
    """Compute SHA-256 of plain values by name, in any order, as 16 hexadecimal digits."""
    text = json.dumps(facts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def perform(piece: Piece, root: Path, progress: Progress) -> Failure | None:
    """Make the folder of `piece` below `root`, unless it exists; return the failure if it cannot be made."""
    place = root / piece.name
    if place.is_dir():
        return None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _maker(piece)(root, place, piece.given, progress)
    except ArtifactError as error:  # another process may have made the same piece first, which is as good
        return None if place.is_dir() else Failure.from_error(error)
    except Exception as error:  # noqa: BLE001 - any error fails this piece alone; the others continue
        return Failure.from_error(error)
    return None


def _maker(piece: Piece) -> Maker:
    module, _, name = piece.make.partition(":")
    maker: Maker = getattr(import_module(module), name)
    return maker

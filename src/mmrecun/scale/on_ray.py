"""A Ray cluster: pieces are made wherever there is room, and every result comes back to the machine that asked."""

import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmrecun.device import prepare
from mmrecun.errors import MMRecUnError
from mmrecun.scale.depot import Depot, opened
from mmrecun.scale.parcel import pack, unpack
from mmrecun.scale.piece import SCRATCH, Failure, Piece, perform
from mmrecun.scale.ray_engine import Engine, Reference, Share, fetch
from mmrecun.scale.room import Made, Schedule
from mmrecun.training.loop import Progress, no_progress


class Outcome(NamedTuple):
    """What a host sends back.

    Attributes:
        failure: why there is no folder, as JSON; empty otherwise.
        content: the folder, as of `pack`; None where it lies in the store.
    """

    failure: str
    content: bytes | None


class OnRay:
    """Makes pieces on a cluster.

    Folders travel through Ray's object store, or through `store`, which is the way for large ones. The root of the
    machine that asks is the truth: a piece is begun when its needs lie there, so no dead host takes anything with it.

    Args:
        engine: a connection.
        store: URL of a `Depot`.
        share: what a piece takes of a host.
    """

    shared = True

    def __init__(self, engine: Engine, store: str | None = None, share: Share = Share()) -> None:  # noqa: B008
        self.engine, self.store, self.share = engine, store, share
        self._depot = opened(store)

    def make(self, pieces: Sequence[Piece], root: Path, progress: Progress) -> Iterator[Made]:
        """Make the pieces; see `Room.make`."""
        self.engine.refuse_unfit(self.share)
        schedule, running = Schedule(pieces, root), dict[Reference, Piece]()
        parcels = _Parcels(self.engine, self._depot, root, pieces)
        scratch = f"{SCRATCH}{secrets.token_hex(8)}"
        try:
            while True:
                if found := schedule.ready(1):
                    (piece,) = found
                    failure = schedule.lacking(piece)
                    if failure is not None or self._is_there(piece, root):
                        yield from parcels.ended(schedule.end(piece, failure))
                    else:
                        running[self._begin(piece, scratch, parcels)] = piece
                elif running:
                    progress(schedule.done, schedule.total, _note(running))
                    reference = self.engine.first(list(running))
                    piece = running.pop(reference)
                    yield from parcels.ended(schedule.end(piece, self._keep(piece, reference, root)))
                else:
                    break
            progress(schedule.done, schedule.total, "")
        finally:
            self.engine.cancel(list(running))
            self.engine.on_every_node(clear, scratch)

    def _begin(self, piece: Piece, scratch: str, parcels: "_Parcels") -> Reference:
        return self.engine.submit(
            work, self.share, piece.model_dump_json(), scratch, self.store, parcels.of(piece.needs)
        )

    def _is_there(self, piece: Piece, root: Path) -> bool:
        """Say whether nothing is left to do; what an earlier driver left in the store is fetched."""
        if (root / piece.name).is_dir():
            return True
        if self._depot is None or not self._depot.has(piece.name):
            return False
        self._depot.get(piece.name, root / piece.name)
        return True

    def _keep(self, piece: Piece, reference: Reference, root: Path) -> Failure | None:
        try:
            outcome = Outcome(*self.engine.result(reference))
            if outcome.failure:
                return Failure.model_validate_json(outcome.failure)
            if outcome.content is not None:
                unpack(outcome.content, root / piece.name, piece.name)
            elif self._depot is not None:
                self._depot.get(piece.name, root / piece.name)
        except MMRecUnError as error:
            return Failure.from_error(error)
        return None


class _Parcels:
    """Folders on their way to hosts: each is put into the object store, or the depot, once, and let go after use."""

    def __init__(self, engine: Engine, depot: Depot | None, root: Path, pieces: Sequence[Piece]) -> None:
        self._engine, self._depot, self._root = engine, depot, root
        self._sent: dict[str, Reference] = {}
        self._needed = Counter(
            name for piece in {piece.name: piece for piece in pieces}.values() for name in piece.needs
        )

    def of(self, names: Sequence[str]) -> dict[str, Reference]:
        """Return name -> where its bytes are in the object store; None where they are in the depot."""
        return {name: self._send(name) for name in names}

    def _send(self, name: str) -> Reference:
        if self._depot is not None:
            self._depot.put(self._root / name, name)
            return None
        if name not in self._sent:
            self._sent[name] = self._engine.put(pack(self._root / name))
        return self._sent[name]

    def ended(self, made: Sequence[Made]) -> Sequence[Made]:
        """Let go of what only these pieces needed; returns them."""
        for name in (name for one in made for name in one.piece.needs):
            self._needed[name] -= 1
            if not self._needed[name]:
                self._sent.pop(name, None)
        return made


def work(
    piece_json: str, scratch: str, store: str | None, parcels: Mapping[str, Reference]
) -> tuple[str, bytes | None]:
    """Make a piece on the host that this runs on; returns an `Outcome`.

    Args:
        piece_json: a `Piece`.
        scratch: name of the folder below the host's temporary one in which needs and results lie.
        store: URL of the depot.
        parcels: of the needs.
    """
    piece, root, depot = Piece.model_validate_json(piece_json), _scratch(scratch), opened(store)
    try:
        prepare()
        for name, reference in parcels.items():
            if depot is not None:
                depot.get(name, root / name)
            elif not (root / name).is_dir():
                unpack(fetch(reference), root / name, name)
        failure = perform(piece, root, no_progress)
        if failure is not None:
            return failure.model_dump_json(), None
        if depot is None:
            return "", pack(root / piece.name)
        depot.put(root / piece.name, piece.name)
    except MMRecUnError as error:
        return Failure.from_error(error).model_dump_json(), None
    return "", None


def clear(scratch: str) -> None:
    """Remove, on the host that this runs on, what pieces left there."""
    shutil.rmtree(_scratch(scratch), ignore_errors=True)


def _scratch(name: str) -> Path:
    return Path(tempfile.gettempdir()) / name


def _note(running: Mapping[Reference, Piece]) -> str:
    notes = [piece.note for piece in running.values()]
    return f"{notes[0]} and {len(notes) - 1} more" if len(notes) > 1 else "".join(notes)

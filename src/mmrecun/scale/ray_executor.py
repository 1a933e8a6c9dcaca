"""The executor of a Ray cluster: any host makes a piece, and every result returns to the machine that asked."""

import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmrecun.device import prepare
from mmrecun.errors import MMRecUnError
from mmrecun.progress import Progress, no_progress
from mmrecun.scale.archive import pack, unpack
from mmrecun.scale.executor import Made, Schedule
from mmrecun.scale.piece import SCRATCH, Failure, Piece, perform
from mmrecun.scale.ray_engine import Engine, Reference, Share, fetch
from mmrecun.scale.remote_folders import RemoteFolders, open_folders


class Reply(NamedTuple):
    """The answer of a host that was asked to make a piece.

    Attributes:
        failure: the `Failure` as JSON; empty if the folder was made.
        content: the folder as `pack` returns it; None if it is in the store.
    """

    failure: str
    content: bytes | None


class RayExecutor:
    """Makes pieces on a cluster.

    Folders travel through Ray's object store, or through `store`, which suits large ones. All results are collected
    below the root of the machine that asks, and a piece is started when its needs exist there. So nothing is lost with
    a host that dies.

    Args:
        engine: connection to the cluster.
        store: URL of the `RemoteFolders` through which folders travel; Ray's object store by default.
        share: processors and GPUs that a piece takes.
    """

    shared = True

    def __init__(self, engine: Engine, store: str | None = None, share: Share = Share()) -> None:  # noqa: B008
        self.engine, self.store, self.share = engine, store, share
        self._remote = open_folders(store)

    def make(self, pieces: Sequence[Piece], root: Path, progress: Progress) -> Iterator[Made]:
        """Make the pieces; see `Executor.make`."""
        self.engine.refuse_unfit(self.share)
        schedule, running = Schedule(pieces, root), dict[Reference, Piece]()
        sent = _SentFolders(self.engine, self._remote, root, pieces)
        scratch = f"{SCRATCH}{secrets.token_hex(8)}"
        try:
            while True:
                if piece := schedule.next_ready():
                    failure = schedule.lacking(piece)
                    if failure is not None or self._is_there(piece, root):
                        yield from sent.ended(schedule.end(piece, failure))
                    else:
                        running[self._begin(piece, scratch, sent)] = piece
                elif running:
                    progress(schedule.done, schedule.total, _note(running))
                    reference = self.engine.first(list(running))
                    piece = running.pop(reference)
                    yield from sent.ended(schedule.end(piece, self._keep(piece, reference, root)))
                else:
                    break
            progress(schedule.done, schedule.total, "")
        finally:
            self.engine.cancel(list(running))
            self.engine.on_every_node(clear, scratch)

    def _begin(self, piece: Piece, scratch: str, sent: "_SentFolders") -> Reference:
        return self.engine.submit(work, self.share, piece.model_dump_json(), scratch, self.store, sent.of(piece.needs))

    def _is_there(self, piece: Piece, root: Path) -> bool:
        """Say whether the folder of a piece exists; fetch it from the store if an earlier command left it there."""
        if (root / piece.name).is_dir():
            return True
        if self._remote is None or not self._remote.has(piece.name):
            return False
        self._remote.get(piece.name, root / piece.name)
        return True

    def _keep(self, piece: Piece, reference: Reference, root: Path) -> Failure | None:
        try:
            reply = Reply(*self.engine.result(reference))
            if reply.failure:
                return Failure.model_validate_json(reply.failure)
            if reply.content is not None:
                unpack(reply.content, root / piece.name, piece.name)
            elif self._remote is not None:
                self._remote.get(piece.name, root / piece.name)
        except MMRecUnError as error:
            return Failure.from_error(error)
        return None


class _SentFolders:
    """Folders that were sent to hosts: each is put into Ray's object store, or the remote folders, once.

    A folder in the object store is released when no waiting piece needs it.
    """

    def __init__(self, engine: Engine, remote: RemoteFolders | None, root: Path, pieces: Sequence[Piece]) -> None:
        self._engine, self._remote, self._root = engine, remote, root
        self._sent: dict[str, Reference] = {}
        self._needed = Counter(
            name for piece in {piece.name: piece for piece in pieces}.values() for name in piece.needs
        )

    def of(self, names: Sequence[str]) -> dict[str, Reference]:
        """Send folders; return name -> reference to its bytes in the object store, None if sent to `remote`."""
        return {name: self._send(name) for name in names}

    def _send(self, name: str) -> Reference:
        if self._remote is not None:
            self._remote.put(self._root / name, name)
            return None
        if name not in self._sent:
            self._sent[name] = self._engine.put(pack(self._root / name))
        return self._sent[name]

    def ended(self, made: Sequence[Made]) -> Sequence[Made]:
        """Release the folders that only these finished pieces needed; return the pieces."""
        for name in (name for one in made for name in one.piece.needs):
            self._needed[name] -= 1
            if not self._needed[name]:
                self._sent.pop(name, None)
        return made


def work(piece_json: str, scratch: str, store: str | None, sent: Mapping[str, Reference]) -> tuple[str, bytes | None]:
    """Make a piece on the host that runs this; return the fields of a `Reply`.

    Args:
        piece_json: a `Piece` as JSON.
        scratch: name of the folder for needs and results, below the host's temporary folder.
        store: URL of the remote folders, if needs and results travel through them.
        sent: name of a need -> reference to its bytes in the object store.
    """
    piece, root, remote = Piece.model_validate_json(piece_json), _scratch(scratch), open_folders(store)
    try:
        prepare()
        for name, reference in sent.items():
            if remote is not None:
                remote.get(name, root / name)
            elif not (root / name).is_dir():
                unpack(fetch(reference), root / name, name)
        failure = perform(piece, root, no_progress)
        if failure is not None:
            return failure.model_dump_json(), None
        if remote is None:
            return "", pack(root / piece.name)
        remote.put(root / piece.name, piece.name)
    except MMRecUnError as error:
        return Failure.from_error(error).model_dump_json(), None
    return "", None


def clear(scratch: str) -> None:
    """Remove the scratch folder of pieces from the host that runs this."""
    shutil.rmtree(_scratch(scratch), ignore_errors=True)


def _scratch(name: str) -> Path:
    return Path(tempfile.gettempdir()) / name


def _note(running: Mapping[Reference, Piece]) -> str:
    notes = [piece.note for piece in running.values()]
    return f"{notes[0]} and {len(notes) - 1} more" if len(notes) > 1 else "".join(notes)

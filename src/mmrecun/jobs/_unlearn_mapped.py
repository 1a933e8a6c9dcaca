"""Forget from a run in chunks, or report what would be forgotten."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrecun.atomic import refuse_existing, refuse_unwritable, refuse_within, staged_folder
from mmrecun.chunked import delta as deltas
from mmrecun.chunked import run as mapped
from mmrecun.chunked.erasure import Erasure, LostPartners, apply, erasure_of, forgotten_counts, lost_partners
from mmrecun.chunked.lineage import ReadMapped
from mmrecun.chunked.local_balance import restore
from mmrecun.chunked.run import MappedManifest, MappedRun
from mmrecun.claims import claimed
from mmrecun.errors import ArtifactError, ForgetError
from mmrecun.forget.record import ForgetRecord, hashes_lost
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import read_key
from mmrecun.forks import refuse_forked
from mmrecun.jobs._part_reader import HERE, reader
from mmrecun.manifest import reference
from mmrecun.rng import Seed
from mmrecun.text import counted

if TYPE_CHECKING:
    from mmrecun.runs import PathLike


def unlearn_mapped(
    run: "PathLike",
    request: ForgetRequest | dict[str, Any],
    out: "PathLike",
    seed: int = 0,
    delta: "PathLike | None" = None,
    key: bytes | None = None,
) -> MappedManifest:
    """Take users, items or pairs out of a run in chunks, at a cost that follows the request; return the new manifest.

    Rows that lost pairs are moved to a stationary point without them (see `chunked.local_balance`). The new run shares
    every unchanged chunk. Under a key it also keeps hashes of what was asked for, and otherwise counts alone.

    Args:
        run: a run folder, which is not changed.
        request: what to forget.
        out: folder to make.
        seed: seed of all random draws.
        delta: file to write for replicas.
        key: key of these hashes; that of MMRECUN_KEY by default.

    Raises:
        ForgetError: when the request leaves no training interaction.
        ArtifactError: when `out` or `delta` cannot be written.
    """
    refuse_forked()
    started, out = time.perf_counter(), Path(out)
    request, key = ForgetRequest.coerce(request), read_key(key)
    refuse_existing(out)
    refuse_within(Path(run), out)
    _refuse_unwritable(delta)
    parent = mapped.read(Path(run))
    with explaining(mapped.read, parent, request, key):
        erasure, lost, explained = solved(parent, request, seed)
    with claimed(out), staged_folder(out) as staging:
        made = apply(
            parent,
            erasure,
            staging,
            lost,
            seed=seed,
            parent=reference(parent.folder, parent.manifest.digest, out),
            method="local",
            stop=stop_of(erasure, explained),
            requested=record_of(parent, request, erasure, key),
            seconds=time.perf_counter() - started,
        )
        if delta is not None:  # before the run appears, so that none is without it
            deltas.write(Path(delta), erasure, parent.manifest.digest, made)
    return made


def _refuse_unwritable(file: "PathLike | None") -> None:
    if file is None:
        return
    delta = Path(file)
    if not delta.parent.is_dir():
        raise ArtifactError(f"{delta}: cannot be written: there is no folder {delta.parent}")
    if delta.is_dir():
        raise ArtifactError(f"{delta}: cannot be written: it is a folder")
    refuse_unwritable(delta.parent, delta)


@contextmanager
def explaining(read: ReadMapped, run: MappedRun, request: ForgetRequest, key: bytes | None) -> Iterator[None]:
    """Let an error about the request say what was forgotten before; `read` reads the runs that `run` descends from."""
    try:
        yield
    except ForgetError as error:
        from mmrecun.jobs._absent import explain_mapped  # loads what other runs need as well

        raise explain_mapped(read, run, request, error, key) from None


def solved(parent: MappedRun, request: ForgetRequest, seed: int) -> tuple[Erasure, LostPartners, float]:
    """Work out an unlearning: what is to be done, who loses which partners, and how well pairs explain touched rows.

    Raises:
        ForgetError: when the request leaves no training interaction.
    """
    asked, lost = _partition(parent, request)
    balance = restore(parent, lost, Seed(seed).child("local balance"))
    return Erasure(asked.gone, asked.pairs, balance.moved), lost, balance.explained


def _partition(parent: MappedRun, request: ForgetRequest) -> tuple[Erasure, LostPartners]:
    """Find what leaves, and who loses which partners, and refuse what would leave nothing to recommend."""
    asked = erasure_of(parent, request)
    lost = lost_partners(parent, asked)
    if lost.counts["train"] >= parent.manifest.pairs["train"]:
        raise ForgetError("the request leaves no training interaction; nothing could be recommended any more")
    if len(asked.gone["items"]) and len(parent.retained("items")) - len(asked.gone["items"]) == 1:
        raise ForgetError("the request leaves one item; nothing could be ranked any more")
    return asked, lost


def scope_mapped(
    run: "PathLike", request: ForgetRequest | dict[str, Any], on: str = HERE, key: bytes | None = None
) -> dict[str, Any]:
    """Report what an unlearning would remove from a run in chunks, whole or in parts, as `scope` does for any other."""
    refuse_forked()
    asked, key = ForgetRequest.coerce(request), read_key(key)
    with reader(on) as read:
        parent = read(Path(run))
        with explaining(read, parent, asked, key):
            erasure, lost = _partition(parent, asked)
        pairs, forgotten = parent.manifest.pairs, forgotten_counts(erasure, lost)
        retained = {side: len(parent.retained(side)) - forgotten[side] for side in mapped.SIDES}
        retained["interactions"] = pairs["train"] - forgotten["interactions"]
        retained["held_out"] = pairs["valid"] + pairs["test"] - forgotten["held_out"]
    return {
        "parent": str(run),
        "forgotten": forgotten,
        "share": forgotten["interactions"] / pairs["train"],
        "retained": retained,
        "references": {},
        "warnings": hashes_lost(Path(run), parent.manifest.requested, key),
    }


def warnings_mapped(run: "PathLike", on: str = HERE, key: bytes | None = None) -> list[str]:
    """Return a warning if a run in chunks keeps hashes of earlier requests that a new run under `key` cannot keep."""
    with reader(on) as read:
        return hashes_lost(Path(run), read(Path(run)).manifest.requested, read_key(key))


def record_of(parent: MappedRun, request: ForgetRequest, erasure: Erasure, key: bytes | None) -> ForgetRecord:
    """Return what a new run keeps of a request: its size and, under a key, hashes, with those of its parent."""
    counts = {side: len(erasure.gone[side]) for side in mapped.SIDES}
    counts |= {"pairs": len(erasure.pairs), "features": 0}
    return ForgetRecord.for_manifest(request, counts, parent.manifest.requested, key).with_key(None)


def stop_of(erasure: Erasure, explained: float) -> str:
    """Describe how an unlearning ended."""
    moved = sum(len(rows) for rows, _ in erasure.moved.values())
    return f"{counted(moved, 'row')} in balance with their pairs, explained with a cosine of {explained:.2f}"


def apply_delta(replica: "PathLike", delta: "PathLike", out: "PathLike") -> MappedManifest:
    """Make the erasure of a delta in a replica's copy of the run; returns the manifest of the new run at `out`."""
    refuse_existing(Path(out))
    refuse_within(Path(replica), Path(out))
    with claimed(Path(out)):
        return deltas.apply_to(mapped.read(Path(replica)), Path(delta), Path(out))

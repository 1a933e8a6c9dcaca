"""Unlearn from a run in parts on several hosts, each of which changes its own rows."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mmrecun.atomic import refuse_filled, refuse_within
from mmrecun.chunked import run as mapped
from mmrecun.chunked.erasure import forgotten_counts
from mmrecun.chunked.parts import RunInParts, split
from mmrecun.claims import claimed, refuse_run
from mmrecun.errors import ConfigError
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import read_key
from mmrecun.jobs._part_reader import HERE, owners_of
from mmrecun.jobs._unlearn_mapped import explaining, record_of, solved, stop_of
from mmrecun.manifest import now
from mmrecun.runs import PathLike


def split_mapped(run: PathLike, out: PathLike, parts: int) -> None:
    """Write a run in chunks as parts, the folders `0-of-W`, `1-of-W` and so on below `out`.

    Args:
        run: a run folder, which is not changed.
        out: folder to make; move each part to the same path on the host that is to own it.
        parts: W.

    Raises:
        ConfigError: for less than one part, or more parts than users or items.
    """
    whole, out = mapped.read(Path(run)), Path(out)
    refuse_filled(out)
    refuse_within(Path(run), out)
    most = min(whole.size(side) for side in mapped.SIDES)
    if not 1 <= parts <= most:
        raise ConfigError(f"{parts} parts: choose 1 to {most}")
    with claimed(out):
        split(whole, out, parts)


def unlearn_parts(
    run: PathLike,
    request: ForgetRequest | dict[str, Any],
    out: PathLike,
    seed: int = 0,
    on: str = HERE,
    key: bytes | None = None,
) -> dict[str, Any]:
    """Take users, items or pairs out of a run in parts; the result is that of `unlearn_mapped` on the whole run.

    Each part appears at `out` on the host that owns it. A call that was interrupted is finished by the same call.

    Args:
        run: folder of the parts, the same path on every host.
        request: what to forget.
        out: folder to make there.
        seed: seed of all random draws.
        on: "here", or "ray:HOST:PORT" for parts on the hosts of a cluster.
        key: key of the hashes of the request that the new run keeps; that of MMRECUN_KEY by default.

    Returns:
        "parts", "forgotten", "moved", "seconds", "stop", and "waiting", rows that are to be folded.

    Raises:
        ForgetError: when the request leaves no training interaction.
        ArtifactError: when a part is missing, or another command is making `out`.
    """
    started, place, out = time.perf_counter(), Path(run), Path(out)
    request, key = ForgetRequest.coerce(request), read_key(key)
    claim = claimed(out) if on == HERE else nullcontext()  # each owner claims its part as well
    with owners_of(on) as found, claim:
        owners = found(place)
        parent = RunInParts.of(place, owners)
        refuse_within(place, out)
        refuse_run(out)
        with explaining(lambda before: RunInParts.of(before, found(before)), parent, request, key):
            erasure, lost, explained = solved(parent, request, seed)
        facts = {
            "forgotten": forgotten_counts(erasure, lost),
            "moved": {side: len(rows) for side, (rows, _) in erasure.moved.items()},
            "seconds": time.perf_counter() - started,
            "stop": stop_of(erasure, explained),
        }
        more = {"seed": seed, "method": "local", "created": now()}
        more["requested"] = record_of(parent, request, erasure, key)
        waiting = parent.erase(erasure, lost, out, facts | more)
    return {"parts": len(owners), **facts, "waiting": waiting}

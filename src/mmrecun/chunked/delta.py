"""An erase delta: the small file by which a replica makes the same erasure in its copy of a run.

It is one safetensors file: the removed rows and pairs, the rows that move with their new vectors, the digests of the
run before and after, how it was unlearned, and what the run after records of its requests: counts and, under a key,
hashes. It contains no ids, but identifies the removed rows to anybody with the run before; so it is to be deleted once
every replica has applied it.
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import ValidationError

from mmrecun.atomic import replacing, staged_folder, usual_permissions
from mmrecun.chunked.erasure import Erasure, apply
from mmrecun.chunked.run import SIDES, MappedManifest, MappedRun
from mmrecun.errors import ArtifactError
from mmrecun.forget.record import ForgetRecord
from mmrecun.manifest import reference
from mmrecun.settings import first_fault

_BEFORE, _AFTER = "before", "after"
_FACTS = (_BEFORE, _AFTER, "method", "stop", "seed")
_REQUESTED = "requested"  # not in deltas of earlier versions


def write(path: Path, erasure: Erasure, before: str, after: MappedManifest) -> None:
    """Write a delta in one step.

    Args:
        path: the file.
        erasure: what was done.
        before: digest of the run that it was done to.
        after: manifest of what came out.

    Raises:
        ArtifactError: when it cannot be written.
    """
    tensors: dict[str, np.ndarray] = {"pairs": erasure.pairs}
    for side in SIDES:
        tensors[f"{side}.gone"] = erasure.gone[side]
        tensors[f"{side}.rows"], tensors[f"{side}.values"] = erasure.moved[side]
    facts = {_BEFORE: before, _AFTER: after.digest, "method": after.method, "stop": after.stop, "seed": str(after.seed)}
    if after.requested is not None:
        facts[_REQUESTED] = after.requested.model_dump_json()
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    with replacing(path) as staging:
        try:
            with usual_permissions(staging):
                safetensors.numpy.save_file(contiguous, staging, facts)
        except safetensors.SafetensorError as error:
            raise ArtifactError(f"{path}: cannot be written: {error}") from None


def read(path: Path) -> tuple[Erasure, Mapping[str, str]]:
    """Read a delta: the erasure, and the facts written with it, such as the digests `before` and `after`.

    Raises:
        ArtifactError: when it is missing or damaged.
    """
    try:
        with safetensors.safe_open(path, "np") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        gone = {side: tensors[f"{side}.gone"] for side in SIDES}
        moved = {side: (tensors[f"{side}.rows"], tensors[f"{side}.values"]) for side in SIDES}
        told = {name: facts[name] for name in _FACTS} | {_REQUESTED: facts.get(_REQUESTED, "")}
        return Erasure(gone, tensors["pairs"], moved), told
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except (safetensors.SafetensorError, KeyError) as error:
        raise ArtifactError(f"{path}: not a readable erase delta: {error}") from None


def apply_to(replica: MappedRun, path: Path, out: Path) -> MappedManifest:
    """Make the erasure of a delta in a replica's copy of the run; the new run appears at `out` whole or not at all.

    Raises:
        ArtifactError: when the delta is damaged or of another run, or what comes out is not what its maker has.
    """
    started, (erasure, facts) = time.perf_counter(), read(path)
    if replica.manifest.digest != facts[_BEFORE]:
        raise ArtifactError(
            f"{path}: made for a run of digest {facts[_BEFORE][:12]}, but {replica.folder} has "
            f"{replica.manifest.digest[:12]}; apply earlier deltas first"
        )
    with staged_folder(out) as staging:
        made = apply(
            replica,
            erasure,
            staging,
            parent=reference(replica.folder, replica.manifest.digest, out),
            method=facts["method"],
            stop=facts["stop"],
            seed=int(facts["seed"]),
            requested=_record(facts[_REQUESTED], replica.manifest.requested, path),
            seconds=time.perf_counter() - started,
        )
        if made.digest != facts[_AFTER]:
            raise ArtifactError(
                f"{path}: applied to {replica.folder}, it gives another run than its maker has; copy the run instead"
            )
    return made


def _record(text: str, before: ForgetRecord | None, path: Path) -> ForgetRecord | None:
    """Return what a delta says was requested; without it, what was requested `before`, and nothing of this request."""
    if not text:
        return before and before.model_copy(update={"counts": {}})
    try:
        return ForgetRecord.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{path}: not a readable erase delta: {first_fault(error)}") from None

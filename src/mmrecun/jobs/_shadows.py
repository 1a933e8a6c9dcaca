"""Shadow models as pieces of work: each stores its rank percentiles of the forgotten pairs, and nothing else."""

import shutil
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mmrecun import runs
from mmrecun.arrays import Bools, Floats
from mmrecun.atomic import beside, staged_folder
from mmrecun.auditing.setup import AuditSetup, audit_setup
from mmrecun.auditing.shadow_models import ShadowAttack
from mmrecun.forget.partition import Partition
from mmrecun.manifest import versions
from mmrecun.progress import Progress
from mmrecun.runs import Run
from mmrecun.scale.executor import Executor
from mmrecun.scale.piece import Piece, digest_of
from mmrecun.scale.portable import portable_copy

_SCORES, _LEARNED = "scores.npy", "learned.npy"


def attack_on(executor: Executor, original: Run, run: Run, shadows: int) -> ShadowAttack:
    """Return the attack, with its shadow models made by `executor`.

    The results are kept beside the run folder until all are finished, so that an interrupted audit can resume.
    """

    def learned(_: AuditSetup, progress: Progress) -> Iterator[tuple[Floats, Bools]]:
        root = beside(run.folder, "shadows")
        yield from _learned(executor, root, (original, run), shadows, progress)
        open_attack.cache_clear()
        shutil.rmtree(root)

    return ShadowAttack(original, run, shadows, learned)


def _learned(
    executor: Executor, root: Path, pair: tuple[Run, Run], shadows: int, progress: Progress
) -> Iterator[tuple[Floats, Bools]]:
    names = [portable_copy(run, root) for run in pair]
    device = "auto" if executor.shared else str(next(pair[0].model.parameters()).device)
    facts = {"runs": names, "shadows": shadows, "versions": dict(versions())}
    pieces = [
        Piece(
            name=f"shadows/{digest_of({**facts, 'number': number})}",
            make=f"{__name__}:make_shadow",
            given={"runs": names, "shadows": shadows, "number": number, "device": device},
            needs=tuple(names),
            note=f"shadow model {number + 1}",
        )
        for number in range(shadows)
    ]
    for made in executor.make(pieces, root, progress):
        if made.failure is not None:
            raise made.failure.error()
    for piece in pieces:
        yield tuple(np.load(root / piece.name / name, allow_pickle=False) for name in (_SCORES, _LEARNED))


def make_shadow(root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
    """Train one shadow model, unlearn it and measure it; see `Maker`."""
    attack, setup = open_attack(root, *given["runs"], given["shadows"], given["device"])
    scores, learned = attack.shadow(setup, given["number"], progress)
    with staged_folder(place) as staging:
        np.save(staging / _SCORES, scores, allow_pickle=False)
        np.save(staging / _LEARNED, learned, allow_pickle=False)


@lru_cache(maxsize=1)
def open_attack(root: Path, original: str, run: str, shadows: int, device: str) -> tuple[ShadowAttack, AuditSetup]:
    """Read the two runs and set up the attack; the last result is kept for the next shadow model."""
    before, after = (runs.load(root / name, device) for name in (original, run))
    return ShadowAttack(before, after, shadows), audit_setup(Partition.between(before.dataset, after.dataset))

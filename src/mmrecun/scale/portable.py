"""A copy of a run that can be read on another machine: its dataset is inside it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from mmrecun import runs
from mmrecun.atomic import link_or_copy, staged_folder
from mmrecun.manifest import Reference
from mmrecun.runs import Run

_BESIDE = ("audits", "audit.json", "report.html")  # audits are left out: unlearning does not read them


def portable_copy(run: Run, root: Path) -> str:
    """Write a portable copy of `run` below `root`, unless it is there, and return its name: the path from `root`.

    Files are linked where that is possible. The reference to the parent run is left out, since the parent does not
    exist on another machine.
    """
    name = f"runs/{run.weights[:16]}-{run.manifest.dataset.digest[:16]}"
    place = root / name
    if place.is_dir():
        return name
    place.parent.mkdir(parents=True, exist_ok=True)
    dataset = (run.folder / run.manifest.dataset.path).resolve()
    with staged_folder(place) as staging:
        _copy(run.folder, staging, shutil.ignore_patterns(*_BESIDE, runs.MANIFEST, runs.DATASET))
        _copy(dataset, staging / runs.DATASET)
        inside = Reference(path=runs.DATASET, digest=run.manifest.dataset.digest)
        manifest = run.manifest.model_copy(update={"dataset": inside, "parent": None})
        runs.write_manifest(staging, manifest)
    return name


def _copy(source: Path, target: Path, ignore: Callable[[str, list[str]], set[str]] | None = None) -> None:
    shutil.copytree(source, target, ignore=ignore, copy_function=link_or_copy, dirs_exist_ok=True)

"""Unlearn one request with several seeds, such as for the Golds of an audit."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrecun import runs
from mmrecun.atomic import beside, refuse_within
from mmrecun.claims import claimed, refuse_run
from mmrecun.device import prepared
from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import read_key
from mmrecun.jobs._foreign import ForeignRun, opened
from mmrecun.jobs._unlearn import Request, facts_of_request, partition_of, unlearn
from mmrecun.manifest import Manifest, reference, versions
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike, Run
from mmrecun.scale.executor import Executor
from mmrecun.scale.local_executor import LocalExecutor
from mmrecun.scale.piece import Piece, digest_of
from mmrecun.scale.portable import portable_copy
from mmrecun.unlearning.registry import method_class


@prepared()
def unlearn_seeds(
    run: Run | PathLike,
    request: Request,
    out: PathLike,
    seeds: Sequence[int],
    method: str = "mmrecun",
    settings: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    key: bytes | None = None,
    executor: Executor | None = None,
) -> dict[Path, Manifest]:
    """Take what `request` names out of a run once for each seed; the runs are `out/seed-N`.

    Existing runs are kept, so that an interrupted call resumes when it is repeated.

    Args:
        run: a run or its folder.
        request: what to forget.
        out: folder of the runs.
        seeds: one a run.
        method, settings: registered method and its settings.
        progress: receives runs made, runs in all, and what is being made.
        key: see `unlearn`.
        executor: where to make them; this process by default.

    Returns:
        Folder -> manifest, in the order of the seeds.

    Raises:
        ArtifactError: when another run stands where one is to be made.
        ConfigError: for a model of another library.
    """
    parent, request, key = opened(run), ForgetRequest.coerce(request), read_key(key)
    if isinstance(parent, ForeignRun):
        raise ConfigError(
            f"{parent.folder}: models of other libraries are unlearned with one seed at a time, with --seed"
        )
    refuse_within(parent.folder, Path(out))
    refuse_run(Path(out))
    config = method_class(method).Config.of(settings or {}, f"method '{method}'").model_dump(mode="json")
    facts = facts_of_request(parent, request, partition_of(parent, request, key), key)
    expected = {"method": method, "method_settings": config, "dataset": facts["dataset"]}
    places, root = {Path(out) / f"seed-{seed}": seed for seed in seeds}, beside(Path(out), "pieces")
    with claimed(Path(out)):
        missing = {at: seed for at, seed in places.items() if not _is_made(at, parent, {**expected, "seed": seed})}
        if missing:
            given = {"request": request.model_dump(mode="json"), "method": method, "settings": config}
            _make(parent, given, missing, root, executor or LocalExecutor(), facts, progress)
        shutil.rmtree(root, ignore_errors=True)
    return {place: runs.read_manifest(place) for place in places}


def _make(
    parent: Run,
    given: Mapping[str, Any],
    missing: Mapping[Path, int],
    root: Path,
    executor: Executor,
    facts: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Make the missing runs as pieces in the folder `root`, and put each in its place when it is there."""
    pieces = _pieces(parent, given, missing, root, executor)
    places = {piece.name: place for place, piece in pieces.items()}
    for made in executor.make(list(pieces.values()), root, progress):
        if made.failure is not None:
            raise made.failure.error()
        _file(root / made.piece.name, places[made.piece.name], parent, facts)


def _is_made(place: Path, parent: Run, expected: Mapping[str, Any]) -> bool:
    if not place.exists():
        return False
    manifest = runs.read_manifest(place)
    same = manifest.parent is not None and manifest.parent.digest == parent.weights
    if not same or any(getattr(manifest, name) != value for name, value in expected.items()):
        raise ArtifactError(f"{place} is the run of another request, method or model; choose another --out")
    return True


def _pieces(
    parent: Run, given: Mapping[str, Any], missing: Mapping[Path, int], root: Path, executor: Executor
) -> dict[Path, Piece]:
    """Return place -> the piece that makes its run; the parent is laid below `root`."""
    name = portable_copy(parent, root)
    facts = {**given, "run": name, "versions": dict(versions())}
    device = "auto" if executor.shared else str(next(parent.model.parameters()).device)
    return {
        place: Piece(
            name=f"unlearned/{digest_of({**facts, 'seed': seed})}",
            make=f"{__name__}:make_unlearned",
            given={**given, "run": name, "seed": seed, "device": device},
            needs=(name,),
            note=f"{given['method']}, seed {seed}",
        )
        for place, seed in missing.items()
    }


def make_unlearned(root: Path, place: Path, given: Mapping[str, Any], progress: Progress) -> None:
    """Unlearn once; see `Maker`. What a key would say is added by whoever holds it."""
    run = runs.load(root / given["run"], given["device"])
    request = ForgetRequest.model_validate(given["request"])
    unlearn(run, request, place, given["method"], given["settings"], given["seed"], progress)


def _file(source: Path, place: Path, parent: Run, facts: Mapping[str, Any]) -> None:
    """Move a run to its place, with what is known here of the request, and its parent as seen from there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    known = {**facts, "parent": reference(parent.folder, parent.weights, place)}
    manifest = runs.read_manifest(source).model_copy(update=known)
    runs.write_manifest(source, manifest)
    shutil.move(source, place)

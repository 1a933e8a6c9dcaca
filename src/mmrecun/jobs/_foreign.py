"""Models of other libraries as runs: read from a file or from the folder of an earlier unlearning, and written to one.

A run folder of such a model has the file in its own format in `model`, the retained data in `dataset`, and the owners
of the rows of its tables in `rows.npz`, so that it can be read again without naming forgotten ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from mmrecun import runs
from mmrecun.adapters.adapter import Adapter
from mmrecun.adapters.foreign import ForeignModel
from mmrecun.adapters.interactions import opened_data
from mmrecun.adapters.registry import adapter_class
from mmrecun.adapters.row_map import Ids, RowMap, row_ids
from mmrecun.atomic import as_path, with_own_name
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.device import prepared
from mmrecun.errors import ArtifactError, ConfigError, DataError
from mmrecun.jobs._file_digest import file_digest, refuse_changed
from mmrecun.manifest import Foreign, Manifest, Reference, now, reference, versions
from mmrecun.runs import PathLike, Run
from mmrecun.training.fit import TrainConfig

MODEL, ROWS = "model", "rows.npz"
_IDS = {"users", "items"}


@dataclass(frozen=True, eq=False)
class ForeignRun(Run):
    """A run whose model is another library's.

    Attributes:
        foreign: the model with its adapter and data; `model` is the same as a recommender of ours.
        data: path of the data, for a model that was given as a file.
    """

    foreign: ForeignModel
    data: Path | None = None


@prepared()
def open_run(
    run: Run | PathLike,
    device: str = "auto",
    like: str | None = None,
    data: PathLike | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Run:
    """Read a run folder, or with `like` a model file of another library; a run that was read is given back.

    Args:
        run: a run folder, or a model file.
        device: device of our own models.
        like: name of the file's format.
        data: what the model in the file was trained on: a dataset folder, or a table with `user` and `item`.
        reading: settings by which the file is read.

    Raises:
        ArtifactError: when this is neither.
        ConfigError: for an unknown format or setting, or a file without its data.
    """
    if isinstance(run, Run):
        return run
    path = as_path(run, "run")
    if like is not None:
        if data is None:
            raise ConfigError(f"{path}: say with --data what this model was trained on")
        return _of_file(path, like, Path(data), reading or {})
    if data is not None or reading:
        raise ConfigError("--data and --reading are for models of other libraries; say with --like of which")
    if path.is_file():
        raise ConfigError(f"{path} is a file and no run folder; for a model of another library say --like and --data")
    return _of_folder(path) if _is_foreign(path) else runs.load(path, device)


def opened(run: Run | PathLike) -> Run:
    """Return a run, read from its folder if a path is given; the model may be ours or another library's."""
    return open_run(run)


def _is_foreign(folder: Path) -> bool:
    return (folder / runs.MANIFEST).is_file() and runs.read_manifest(folder).foreign is not None


def _of_file(path: Path, like: str, data: Path, reading: Mapping[str, Any]) -> ForeignRun:
    adapter, dataset = _adapter(like, reading), opened_data(data)
    foreign = adapter.read(path, dataset, *_given_ids(adapter))
    manifest = Manifest(
        model=like,
        settings=foreign.model.config.model_dump(mode="json"),
        training=TrainConfig().model_dump(mode="json"),
        seed=0,
        dataset=Reference(path=str(data), digest=foreign.dataset.digest),
        dataset_name=dataset.name,
        weights=file_digest(path),
        seconds=0.0,
        versions=dict(versions()),
        created=now(),
        foreign=Foreign(like=like, reading=dict(reading), file=with_own_name(path).name),
    )
    return ForeignRun(path, manifest, foreign.dataset, foreign.model, foreign, data)


def _adapter(like: str, reading: Mapping[str, Any]) -> Adapter:
    cls = adapter_class(like)
    return cls(cls.Config.of(reading, f"--reading of '{like}'"))


def _given_ids(adapter: Adapter) -> tuple[Ids | None, Ids | None]:
    users, items = adapter.config.users, adapter.config.items
    return None if users is None else row_ids(users), None if items is None else row_ids(items)


def _of_folder(folder: Path) -> ForeignRun:
    manifest = runs.read_manifest(folder)
    assert manifest.foreign is not None
    path, dataset = folder / MODEL / manifest.foreign.file, runs.read_dataset(folder, manifest)
    refuse_changed(path, manifest.weights, "changed since this run was made; restore the file or make the run again")
    ids = rows_read(folder, dataset)
    foreign = _adapter(manifest.foreign.like, manifest.foreign.reading).read(path, dataset, *ids)
    foreign = replace(foreign, method=manifest.method, carried=manifest.carried)
    return ForeignRun(folder, manifest, foreign.dataset, foreign.model, foreign)


def parent_of(run: ForeignRun) -> ForeignRun:
    """Read what a run was unlearned from: a model file with its data, or a run.

    Raises:
        ArtifactError: when it was not unlearned, or its parent or the parent's data are gone or changed.
    """
    if run.manifest.parent is None or run.manifest.foreign is None:
        raise ArtifactError(f"{run.folder} was not unlearned here; there is nothing to audit")
    return _parent(run.folder, run.manifest, run.manifest.parent, run.manifest.foreign)


def _parent(folder: Path, manifest: Manifest, parent: Reference, foreign: Foreign) -> ForeignRun:
    place = (folder / parent.path).resolve()
    if not place.exists():
        raise ArtifactError(f"{folder}: the model it was unlearned from is not at {place}; put it back there")
    if (first := files_before(folder, manifest)) is None:
        before = _of_folder(place)
        if before.manifest.weights != parent.digest:
            raise ArtifactError(f"{folder}: the run at {place} is no longer the one it was unlearned from")
        return before
    refuse_changed(place, parent.digest, f"no longer the model that {folder} was unlearned from")
    before = _of_file(place, foreign.like, first.data, foreign.reading)
    if before.dataset.digest != first.digest:
        raise ArtifactError(f"{first.data}: changed since {folder} was made; restore it")
    return before


class FilesBefore(NamedTuple):
    """The files of a model of another library from before its first request.

    Attributes:
        model: the model.
        data: the data that it was trained on.
        digest: that of the data, as far as the model reads them.
    """

    model: Path
    data: Path
    digest: str


def files_before(folder: Path, manifest: Manifest) -> FilesBefore | None:
    """Return the files that the run in `folder` was unlearned from; None where its parent is a run, or it has none."""
    parent, foreign = manifest.parent, manifest.foreign
    if parent is None or foreign is None or foreign.data is None:
        return None
    return FilesBefore((folder / parent.path).resolve(), (folder / foreign.data.path).resolve(), foreign.data.digest)


def data_before(folder: Path, manifest: Manifest) -> Dataset | None:
    """Read the data of the files that the run in `folder` was unlearned from; None where its parent is a run.

    Raises:
        ArtifactError: when they have changed.
        DataError: when they are gone.
    """
    found = files_before(folder, manifest)
    if found is None or manifest.parent is None or manifest.foreign is None:
        return None
    data = opened_data(found.data)
    if data.digest == found.digest:
        return data
    # perhaps the model reads a part of them, which it alone tells
    return _parent(folder, manifest, manifest.parent, manifest.foreign).dataset


def gold_of(path: Path, run: ForeignRun, reading: Mapping[str, Any]) -> ForeignRun:
    """Read a model that its own library retrained on the retained data.

    Args:
        path: file of the model.
        run: the unlearned run.
        reading: settings by which the file is read where they differ from the run's. Without ids of its rows, they are
            those of the run's file if that has as many rows, or else in the order of the retained data.

    Raises:
        ArtifactError: when there is no such file.
        ConfigError: when the run's model was read with ids of its rows and this one is not.
    """
    if not path.exists():
        raise ArtifactError(f"{path}: no such file")
    described = run.manifest.foreign
    assert described is not None
    adapter = _adapter(described.like, {**described.reading, **reading})
    ids = _IDS & set(reading)
    if _IDS & set(described.reading) and not ids:
        raise ConfigError(f"{path}: say with --reading users=F and --reading items=F whose row is whose in this model")
    foreign = adapter.read(path, run.dataset, *_given_ids(adapter)) if ids else _in_either_order(adapter, path, run)
    manifest = run.manifest.model_copy(update={"weights": file_digest(path), "seconds": 0.0, "method": "retrain"})
    return ForeignRun(path, manifest, foreign.dataset, foreign.model, foreign)


def _in_either_order(adapter: Adapter, path: Path, run: ForeignRun) -> ForeignModel:
    try:
        return adapter.read(path, run.dataset, *run.foreign.row_map.order(run.dataset))
    except DataError:  # another number of rows
        return adapter.read(path, run.dataset, None, None)


def write(folder: Path, run: ForeignRun, less: ForeignModel, manifest: Manifest) -> Manifest:
    """Fill an empty (staged) run folder; the manifest on disk also has the digest of the model's file."""
    assert run.manifest.foreign is not None
    path = folder / MODEL / run.manifest.foreign.file
    path.parent.mkdir()
    less.save(path)
    row_map = less.row_map
    with (folder / ROWS).open("wb") as file:
        np.savez(file, users=row_map.users, items=row_map.items, sizes=np.array(row_map.sizes))
    (folder / runs.DATASET).mkdir()
    files.write_into(less.dataset, folder / runs.DATASET)
    manifest = manifest.model_copy(update={"weights": file_digest(path)})
    runs.write_manifest(folder, manifest)
    return manifest


def rows_read(folder: Path, dataset: Dataset) -> tuple[list[str], list[str]]:
    """Read the owners of the rows in the model of a run folder: ids of users and of items in the order of their rows.

    Raises:
        ArtifactError: when the file is missing, damaged or does not fit the data.
    """
    path = folder / ROWS
    try:
        with np.load(path, allow_pickle=False) as file:
            users, items, sizes = (file[name] for name in ("users", "items", "sizes"))
        none = np.empty(0, dtype=np.int64)
        return RowMap(users, items, none, none, (int(sizes[0]), int(sizes[1]))).order(dataset)
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile):
        raise ArtifactError(f"{path}: missing or damaged; make the run again") from None


def described(run: ForeignRun, out: Path) -> dict[str, Any]:
    """Return the manifest's description of the model of an unlearning in `out`: its parent, its format and settings."""
    foreign = run.manifest.foreign
    assert foreign is not None
    data = run.data and reference(run.data, run.dataset.digest, out)
    reading = {name: str(Path(value).resolve()) if name in _IDS else value for name, value in foreign.reading.items()}
    return {
        "model": foreign.like,
        "settings": run.manifest.settings,
        "parent": reference(run.folder, run.manifest.weights, out),
        "versions": dict(versions()),
        "created": now(),
        "foreign": foreign.model_copy(update={"data": data, "reading": reading}),
    }


def not_reached(run: Run, out: Path) -> dict[str, Any]:
    """Return the file that an unlearning wrote and the parts of it that it could not change; {} for our own models."""
    if not isinstance(run, ForeignRun) or run.manifest.foreign is None:
        return {}
    return {"model": str(out / MODEL / run.manifest.foreign.file), "limits": list(run.foreign.limits)}

"""The run folder: one trained or unlearned model, and a manifest of what it was made from."""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pydantic import ValidationError

from mmrecun.atomic import replace_file
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.device import prepare, resolve
from mmrecun.errors import ArtifactError
from mmrecun.forget.record import ForgetRecord
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class, model_name
from mmrecun.settings import Settings
from mmrecun.text import duration, facts_html, facts_text
from mmrecun.training.checkpoint import load_weights, save_weights
from mmrecun.training.fit import TrainConfig

FORMAT = 1
PathLike = str | Path
DATASET, WEIGHTS, MANIFEST, HISTORY = "dataset", "weights.safetensors", "manifest.json", "history.parquet"


class Reference(Settings):
    """Something elsewhere on disk: a path relative to the run folder, and the digest it must have."""

    path: str
    digest: str


class Foreign(Settings):
    """What a manifest says of a model of another library.

    Attributes:
        like: name of its format.
        reading: settings by which its file is read.
        file: its name in the folder `model` of the run.
        data: what its parent was trained on, where the parent is a file and no run.
    """

    like: str
    reading: dict[str, Any] = {}
    file: str
    data: Reference | None = None


class Manifest(Settings):
    """Everything that identifies a run and is needed to repeat it.

    Attributes:
        model, settings: the recommender's registered name and its settings.
        training: settings with which the model, or the first run it descends from, was trained.
        seed: of this run.
        dataset: what the model knows; inside the run folder for unlearned runs.
        parent: the run that was unlearned, by its weights' digest; None for a trained run.
        method, method_settings, forgotten, stop: how the run was unlearned; empty for a trained run.
        request_digest: keyed digest of the request; empty without a key.
        record: how much was requested and, with a key, hashes of what; None for a trained run.
        references: attribute column -> number of retained rows from which a forgotten id was removed.
        weights: SHA-256 of the weights file; empty only before the run is written.
        best_epoch, epochs, valid: the epoch that validated best, how many there were, and Recall@20 on the validation
            pairs there; 0 and None where a method chose nothing by validation.
        carried: what the method needs to know when it is asked again (see `UnlearnResult`).
        seconds: from request (or start) to a model that can be served.
        setup_seconds: time of an unlearning spent on what would exist before any request, such as the models of shards
            that the request does not affect; not part of `seconds`.
        versions: versions of the packages that affect the result.
        foreign: of a model of another library, which stands in its own format in the folder `model`; None for ours.
    """

    format: int = FORMAT
    model: str
    settings: dict[str, Any]
    training: dict[str, Any]
    seed: int
    dataset: Reference
    dataset_name: str
    parent: Reference | None = None
    method: str = ""
    method_settings: dict[str, Any] = {}
    request_digest: str = ""
    forgotten: dict[str, int] = {}
    stop: str = ""
    references: dict[str, int] = {}
    requested: ForgetRecord | None = None
    weights: str = ""
    best_epoch: int = 0
    epochs: int = 0
    valid: float | None = None
    carried: dict[str, Any] = {}
    seconds: float
    setup_seconds: float = 0.0
    versions: dict[str, str]
    created: str
    foreign: Foreign | None = None

    def __repr__(self) -> str:
        """Return the most important facts in a few lines; `model_dump()` returns all."""
        return facts_text(self.title, self.overview)

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        return facts_html(self.title, self.overview)

    @property
    def title(self) -> str:
        """The model and how it was made."""
        return f"{self.model}, {f'unlearned by {self.method!r}' if self.method else 'trained'}"

    @property
    def overview(self) -> dict[str, str]:
        """The most important facts, name -> text; empty text where one does not apply."""
        counts = (f"{count:,} {name.replace('_', '-')}" for name, count in self.forgotten.items() if count)
        best = f"{self.best_epoch} of {self.epochs}" + ("" if self.valid is None else f", recall@20 {self.valid:.4f}")
        return {
            "dataset": self.dataset_name,
            "forgotten": ", ".join(counts),
            "from": self.parent.path if self.parent else "",
            "best epoch": best if self.best_epoch else "",
            "stopped": self.stop,
            "time": f"{duration(self.seconds)}, seed {self.seed}",
        }


@dataclass(frozen=True)
class Run:
    """A run folder, read and checked.

    Attributes:
        folder: where it is.
        manifest: what it says.
        dataset: what the model knows.
        model: ready to use, on its device.
    """

    folder: Path
    manifest: Manifest
    dataset: Dataset
    model: Recommender

    def __repr__(self) -> str:
        """Return the most important facts in a few lines."""
        return f"Run {str(self.folder)!r}: {self.manifest!r}"

    def _repr_html_(self) -> str:
        """Return the same as a small table, for notebooks."""
        return facts_html(f"Run {str(self.folder)!r}: {self.manifest.title}", self.manifest.overview)

    @property
    def weights(self) -> str:
        """Digest of the weights file that the model was read from."""
        return self.manifest.weights or weights_digest(self.folder)

    @property
    def training(self) -> TrainConfig:
        """Settings with which the model, or the first run it descends from, was trained."""
        return TrainConfig.of(self.manifest.training, str(self.folder))


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of the packages that affect a run."""
    packages = ("mmrecun", "torch", "numpy", "scipy", "polars")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def reference(to: Path, digest: str, seen_from: Path) -> Reference:
    """Return a reference to `to`, relative to the folder `seen_from`."""
    return Reference(path=os.path.relpath(to.resolve(), seen_from.resolve()), digest=digest)


def stamped(model: Recommender, **facts: Any) -> Manifest:
    """Return a manifest of `model` with the current versions and time; `facts` are its other fields."""
    return Manifest(
        model=model_name(model),
        settings=model.config.model_dump(mode="json"),
        versions=dict(versions()),
        created=now(),
        **facts,
    )


def weights_digest(folder: Path) -> str:
    """SHA-256 of the weights file, as hexadecimal text."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, manifest: Manifest, model: Recommender, history: list[dict[str, float]]) -> None:
    """Write a run into an empty (staged) folder; the manifest on disk also gets the digest of the weights."""
    save_weights(model, folder / WEIGHTS)
    manifest = manifest.model_copy(update={"weights": weights_digest(folder)})
    files.write_parquet(pl.DataFrame(history, infer_schema_length=None), folder / HISTORY)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest.

    Raises:
        ArtifactError: when there is none, or it is damaged or of an unknown format.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest.model_validate(values)
    except (FileNotFoundError, NotADirectoryError):
        hint = "it has no manifest.json" if folder.is_dir() else "no such folder"
        raise ArtifactError(f"{folder} is not a run folder: {hint}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ArtifactError(f"{path}: damaged or from another version: {str(error).splitlines()[0]}") from None
    if manifest.format != FORMAT:
        raise ArtifactError(f"{path}: format {manifest.format}; this version reads format {FORMAT}")
    return manifest


def read_dataset(folder: Path, manifest: Manifest) -> Dataset:
    """Read what the run in `folder` knows.

    Raises:
        ArtifactError: when it is missing, or no longer that of the run.
    """
    place = (folder / manifest.dataset.path).resolve()
    if not place.is_dir():
        raise ArtifactError(f"{folder}: its dataset '{manifest.dataset_name}' is not at {place}; put it back there")
    dataset = files.load(place)
    if dataset.digest != manifest.dataset.digest:
        raise ArtifactError(
            f"{folder}: the dataset at {place} has changed since this run was made; restore it or train again"
        )
    return dataset


def read(folder: Path, device: torch.device) -> Run:
    """Read a run with its dataset.

    Raises:
        ArtifactError: when a part is missing or damaged, or the weights or the dataset are no longer those of the run.
    """
    manifest = read_manifest(folder)
    if manifest.foreign is not None:
        raise ArtifactError(
            f"{folder} holds a model of {manifest.foreign.like}: unlearn, audit, evaluate and recommend take it; "
            "for anything else use its own library"
        )
    dataset = read_dataset(folder, manifest)
    cls = model_class(manifest.model)
    config = cls.Config.of(manifest.settings, str(folder / MANIFEST))
    model = cls(config, Sizes.of_dataset(dataset), None)
    load_weights(model, folder / WEIGHTS)
    if manifest.weights and manifest.weights != weights_digest(folder):
        raise ArtifactError(
            f"{folder / WEIGHTS}: changed since this run was made; restore the file or make the run again"
        )
    # passes over everything, made now so that no request has to
    _ = dataset.degrees, dataset.references, dataset.users.folded, dataset.items.folded
    return Run(folder, manifest, dataset, model.to(device))


def history(folder: Path) -> list[dict[str, float]]:
    """Return the rows of `history.parquet`."""
    return files.read_parquet(folder / HISTORY).to_dicts()


def parent_folder(folder: Path, manifest: Manifest) -> Path:
    """Return the folder of the run that the run in `folder` was unlearned from.

    Raises:
        ArtifactError: when the run was trained, or its parent is gone or has changed.
    """
    if manifest.parent is None:
        raise ArtifactError(f"{folder} was trained, not unlearned; there is nothing to audit")
    place = (folder / manifest.parent.path).resolve()
    if not (place / WEIGHTS).is_file():
        raise ArtifactError(f"{folder}: the run it was unlearned from is not at {place}; put it back there")
    if weights_digest(place) != manifest.parent.digest:
        raise ArtifactError(f"{folder}: the run at {place} is no longer the one it was unlearned from")
    return place


def rehome(folder: Path, parents: Iterable[Path]) -> None:
    """Let a run that was moved name its parent from where it is now; the one of `parents` with the right digest.

    Raises:
        ArtifactError: when none of them is the run that it was unlearned from.
    """
    manifest = read_manifest(folder)
    assert manifest.parent is not None
    for parent in parents:
        if weights_digest(parent) == manifest.parent.digest:
            moved = manifest.model_copy(update={"parent": reference(parent, manifest.parent.digest, folder)})
            replace_file(folder / MANIFEST, (moved.model_dump_json(indent=2) + "\n").encode())
            return
    raise ArtifactError(f"{folder}: none of the given runs is the one it was unlearned from")


def load(run: Run | PathLike, device: str = "auto") -> Run:
    """Read a run folder with its model and dataset; a `Run` is returned unchanged."""
    if isinstance(run, Run):
        return run
    prepare()
    return read(Path(run), resolve(device))


def opened(run: Run | PathLike) -> Run:
    """Return a run unchanged, or read it from its folder."""
    return load(run)

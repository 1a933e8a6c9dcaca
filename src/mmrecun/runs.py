"""The run folder: one trained or unlearned model, and a manifest of what it was made from."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from pydantic import ValidationError

from mmrecun.atomic import as_path, followed, replace_file
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.parquet import read_parquet, write_parquet
from mmrecun.device import prepared, resolve
from mmrecun.errors import ArtifactError
from mmrecun.manifest import FORMAT, Manifest, reference
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.settings import first_fault
from mmrecun.text import facts_html, reason_of
from mmrecun.training.checkpoint import load_weights, save_weights
from mmrecun.training.fit import TrainConfig

PathLike = str | Path
DATASET, WEIGHTS, MANIFEST, HISTORY = "dataset", "weights.safetensors", "manifest.json", "history.parquet"


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder, read and checked.

    Attributes:
        folder: the run folder.
        manifest: its manifest.
        dataset: the data of the model.
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


def weights_digest(folder: Path) -> str:
    """Compute SHA-256 of the weights file, as hexadecimal text.

    Raises:
        ArtifactError: when there is none.
    """
    try:
        with (folder / WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ArtifactError(f"{folder / WEIGHTS}: no such file") from None


def write(folder: Path, manifest: Manifest, model: Recommender, history: list[dict[str, float]]) -> None:
    """Write a run into an empty (staged) folder; the manifest on disk also gets the digest of the weights."""
    save_weights(model, folder / WEIGHTS)
    manifest = manifest.model_copy(update={"weights": weights_digest(folder)})
    write_parquet(pl.DataFrame(history, infer_schema_length=None), folder / HISTORY)
    write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of the run in `folder` in one step, over an earlier one."""
    replace_file(folder / MANIFEST, manifest.json_text().encode())


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
        hint = "it has no manifest.json" if folder.is_dir() else "it is a file" if folder.exists() else "no such folder"
        if (folder / "mapped.json").is_file():
            hint = "it is a run in chunks, which jobs.evaluate_mapped, audit_mapped and so on take"
        raise ArtifactError(f"{folder} is not a run folder: {hint}") from None
    except ValidationError as error:
        raise ArtifactError(f"{path}: damaged or from another version: {first_fault(error)}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: damaged or from another version: {reason_of(error)}") from None
    if manifest.format != FORMAT:
        raise ArtifactError(f"{path}: format {manifest.format}; this version reads format {FORMAT}")
    return manifest


def read_dataset(folder: Path, manifest: Manifest) -> Dataset:
    """Read the dataset of the run in `folder`.

    Raises:
        ArtifactError: when it is missing, or has changed since the run was made.
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
    return read_parquet(folder / HISTORY).to_dicts()


def parent_folder(folder: Path, manifest: Manifest, moved: Path | None = None) -> Path:
    """Return the folder of the run that the run in `folder` was unlearned from: `moved`, if it was moved there.

    Raises:
        ArtifactError: when the run was trained, or its parent is gone or has changed.
    """
    if manifest.parent is None:
        raise ArtifactError(f"{folder} was trained, not unlearned; there is nothing to audit")
    place = (moved or folder / manifest.parent.path).resolve()
    if not (place / WEIGHTS).is_file():
        raise ArtifactError(
            f"{folder}: the run it was unlearned from is not at {place}; put it back there, or say where it is with "
            "--original"
        )
    if weights_digest(place) != manifest.parent.digest:
        raise ArtifactError(f"{folder}: the run at {place} is no longer the one it was unlearned from")
    return place


def ancestors(folder: Path, manifest: Manifest) -> Iterator[tuple[Path, Manifest]]:
    """Yield the run that the run in `folder` was unlearned from, and so on, as far as they are still there."""
    while manifest.parent is not None:
        folder, digest = (folder / manifest.parent.path).resolve(), manifest.parent.digest
        try:
            manifest = read_manifest(folder)
            if (manifest.weights or weights_digest(folder)) != digest:  # another run took its place
                return
        except ArtifactError:  # it may have been removed
            return
        yield folder, manifest


def rehome(folder: Path, parents: Iterable[Path]) -> None:
    """Update the parent in the manifest of a run that was moved: to the one of `parents` with the right digest.

    Raises:
        ArtifactError: when none of them is the run that it was unlearned from.
    """
    manifest = read_manifest(folder)
    assert manifest.parent is not None
    for parent in parents:
        if weights_digest(parent) == manifest.parent.digest:
            moved = manifest.model_copy(update={"parent": reference(parent, manifest.parent.digest, folder)})
            write_manifest(folder, moved)
            return
    raise ArtifactError(f"{folder}: none of the given runs is the one it was unlearned from")


@prepared()
def load(run: Run | PathLike, device: str = "auto") -> Run:
    """Read a run folder with its model and dataset; a `Run` is returned unchanged.

    A symbolic link is followed once, so that one that is turned to another run meanwhile gives the earlier run whole.
    """
    if isinstance(run, Run):
        return run
    return read(followed(as_path(run, "run")), resolve(device))

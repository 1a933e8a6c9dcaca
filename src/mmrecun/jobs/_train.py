"""Train a recommender on a dataset."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmrecun import runs
from mmrecun.atomic import as_path, beside, refuse_existing, staged_folder
from mmrecun.claims import claimed
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.graph import build_inputs
from mmrecun.device import prepared, resolve
from mmrecun.errors import DataError
from mmrecun.manifest import Manifest, Reference, reference, stamped
from mmrecun.models.base import ModelConfig, Recommender, Sizes
from mmrecun.models.registry import model_class
from mmrecun.progress import Progress, no_progress
from mmrecun.rng import Seed
from mmrecun.runs import PathLike
from mmrecun.settings import split_settings
from mmrecun.training.fit import FitResult, ResumePoint, TrainConfig, fit
from mmrecun.training.validation import CANNOT_VALIDATE, can_validate, validation_score


@prepared()
def train(
    data: Dataset | PathLike,
    model: str,
    out: PathLike,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Manifest:
    """Train `model`, write the run to `out`, and return its manifest.

    A run trained on a dataset folder refers to that folder; one trained on a dataset in memory holds a copy of it.
    An interrupted training leaves a file beside `out`, from which the same call resumes.

    Args:
        data: a dataset, or its folder.
        model: registered name of a recommender.
        out: folder to make.
        settings: those of the model and of `TrainConfig` together.
        seed: random seed.
        device: "auto", "cpu", "cuda" or "cuda:N".
        progress: called after every epoch.
    """
    out = as_path(out, "out")
    refuse_existing(out)
    config, training = split_settings(model_class(model).Config, TrainConfig, settings or {})
    dataset, inside = (data, True) if isinstance(data, Dataset) else (files.load(as_path(data, "data")), False)
    _refuse_untrainable(dataset, config, f"dataset '{dataset.name}'" if inside else str(data))
    started = time.perf_counter()
    recommender = model_class(model)(config, Sizes.of_dataset(dataset), Seed(seed).child("model").torch())
    recommender.to(resolve(device))
    key = f"{dataset.digest} {model} {config.model_dump_json()} {training.model_dump_json()} {seed}"
    resume = ResumePoint(resume_file(out), hashlib.sha256(key.encode()).hexdigest())
    with claimed(out):
        result = _fitted(recommender, dataset, training, Seed(seed), progress, resume)
        manifest = stamped(
            recommender,
            training=training.model_dump(mode="json"),
            seed=seed,
            dataset=_reference(data, dataset.digest, out),
            dataset_name=dataset.name,
            best_epoch=result.best_epoch,
            epochs=result.epochs,
            valid=result.valid,
            seconds=max(result.seconds, time.perf_counter() - started),
        )
        _write(out, manifest, recommender, result, dataset if inside else None)
        resume.path.unlink(missing_ok=True)
    return manifest


def _write(out: Path, manifest: Manifest, model: Recommender, result: FitResult, dataset: Dataset | None) -> None:
    with staged_folder(out) as staging:
        if dataset is not None:
            (staging / runs.DATASET).mkdir()
            files.write_into(dataset, staging / runs.DATASET)
        runs.write(staging, manifest, model, result.history)


def _reference(data: Dataset | PathLike, digest: str, out: Path) -> Reference:
    if isinstance(data, Dataset):
        return Reference(path=runs.DATASET, digest=digest)
    return reference(Path(data), digest, out)


def _refuse_untrainable(dataset: Dataset, config: ModelConfig, named: str) -> None:
    config.check_modalities(list(dataset.modalities))
    if (dataset.degrees[0] == len(dataset.items)).sum() == len(np.unique(dataset.train.users)):
        raise DataError(f"{named}: every user with a training pair has every item there; nothing is left to rank")
    if not can_validate(dataset):
        raise no_validation(named)


def no_validation(named: str) -> DataError:
    """Return the error for data without a usable validation pair; `named` says which data, for the message."""
    return DataError(f"{named}: {CANNOT_VALIDATE}; import it again with a split that has some, such as --split random")


def _fitted(
    model: Recommender, dataset: Dataset, training: TrainConfig, seed: Seed, progress: Progress, resume: ResumePoint
) -> FitResult:
    inputs = build_inputs(dataset, model.required_inputs(), next(model.parameters()).device)

    def validate(current: Recommender) -> float:
        return validation_score(current, inputs, dataset)

    return fit(model, dataset, inputs, training, seed, validate, progress, resume)


def resume_file(out: Path) -> Path:
    """Return the file, beside the run folder, where an interrupted training keeps its state."""
    return beside(out, "resume.safetensors")

"""Train a graph model in several processes, each with a part of the users, and write an ordinary run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mmrecun import runs
from mmrecun.atomic import staged_folder
from mmrecun.errors import ConfigError
from mmrecun.jobs._shared_training import Trained, Workers, shared_training
from mmrecun.manifest import Manifest, reference, stamped
from mmrecun.models.base import Recommender, Sizes
from mmrecun.models.registry import MODELS, model_class
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike
from mmrecun.text import listing


def train_parts(
    data: PathLike,
    model: str,
    out: PathLike,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    workers: Workers = Workers(),  # noqa: B008
) -> Manifest:
    """Train on a dataset folder with the users divided among processes; write a run, return its manifest.

    An interrupted training resumes from its newest checkpoint when the call is repeated.

    Args:
        data: dataset folder.
        model: registered name of a recommender that has `user_parts`.
        out: run folder to make.
        settings: settings of the model and of `TrainConfig`.
        seed: seed of all random draws.
        progress: called after every checkpoint.
        workers: the processes that train.

    Raises:
        ConfigError: for another model, or workers that contradict each other or the data.
    """
    cls = model_class(model)
    if cls.row_wise:
        raise ConfigError(f"--workers: processes that train {model} share rows on disk; add --on-disk")
    if not cls.user_parts:
        able = [name for name in MODELS if model_class(name).user_parts or model_class(name).row_wise]
        raise ConfigError(f"--workers: {model} is trained by one process; several can train {listing(able)}")
    data, out = Path(data), Path(out)
    with shared_training(data, model, out, settings, seed, progress, workers) as done:
        trained = _model(model, done)
        manifest = stamped(
            trained,
            dataset=reference(data, done.dataset.digest, out),
            dataset_name=done.dataset.name,
            **done.facts,
        )
        with staged_folder(out) as staging:
            runs.write(staging, manifest, trained, done.result.history)
    return manifest


def _model(name: str, done: Trained) -> Recommender:
    dataset = done.dataset
    widths = {each: modality.width for each, modality in dataset.features.items()}
    sizes = Sizes(users=len(dataset.users), items=len(dataset.items), widths=widths)
    model = model_class(name)(done.config, sizes, None)
    with torch.no_grad():
        for each, value in model.state_dict().items():
            value.copy_(torch.tensor(done.best[each]).reshape(value.shape))
    return model

"""Train a model that reads graphs in several processes, each with a part of the users, into an ordinary run."""

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
from mmrecun.runs import PathLike
from mmrecun.text import listing
from mmrecun.training.loop import Progress, no_progress


def train_parts(
    data: PathLike,
    model: str,
    out: PathLike,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    workers: Workers = Workers(),  # noqa: B008
    every_seconds: float = 60.0,
) -> Manifest:
    """Train on a dataset folder with the users spread over processes, and write a run to `out`; returns its manifest.

    Args:
        data, settings, seed, progress, workers, every_seconds: see `shared_training`.
        model: registered name of a recommender that has `user_parts`.
        out: folder to make.

    Raises:
        ConfigError: for another model, or workers that fit nothing.
    """
    cls = model_class(model)
    if cls.row_wise:
        raise ConfigError(f"--workers: processes that train {model} share rows on disk; add --on-disk")
    if not cls.user_parts:
        able = [name for name in MODELS if model_class(name).user_parts or model_class(name).row_wise]
        raise ConfigError(f"--workers: {model} is trained by one process; several can train {listing(able)}")
    data, out = Path(data), Path(out)
    with shared_training(data, model, out, settings, seed, progress, workers, every_seconds) as done:
        trained = _model(model, done)
        manifest = stamped(
            trained,
            dataset=reference(data, done.columns.digest, out),
            dataset_name=done.columns.name,
            **done.facts,
        )
        with staged_folder(out) as staging:
            runs.write(staging, manifest, trained, done.result.history)
    return manifest


def _model(name: str, done: Trained) -> Recommender:
    columns = done.columns
    widths = {each: modality.width for each, modality in columns.features.items()}
    sizes = Sizes(users=len(columns.users), items=len(columns.items), widths=widths)
    model = model_class(name)(done.config, sizes, None)
    with torch.no_grad():
        for each, value in model.state_dict().items():
            value.copy_(torch.tensor(done.best[each]).reshape(value.shape))
    return model

"""Train a row-wise model on disk, in one process or several, and write a run in chunks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrecun.atomic import staged_folder
from mmrecun.chunked import run as mapped
from mmrecun.chunked.run import MappedManifest
from mmrecun.data.npy import new_mapped_npy
from mmrecun.device import prepared
from mmrecun.jobs._shared_training import Trained, Workers, shared_training
from mmrecun.models.registry import model_class
from mmrecun.progress import Progress, no_progress
from mmrecun.runs import PathLike
from mmrecun.training.distributed.fit import blocks
from mmrecun.training.distributed.row_tables import RowModel, refuse_whole_tables

_BLOCK = 1 << 14


@prepared()
def train_mapped(
    data: PathLike,
    model: str,
    out: PathLike,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    workers: Workers = Workers(),  # noqa: B008
) -> MappedManifest:
    """Train on a dataset folder with pairs, tables and moments on disk; write a run in chunks, return its manifest.

    An interrupted training resumes from its newest checkpoint when the call is repeated.

    Args:
        data: dataset folder.
        model: registered name of a recommender that is `row_wise`.
        out: run folder to make.
        settings: settings of the model and of `TrainConfig`.
        seed: seed of all random draws.
        progress: called after every epoch; with several processes, after every checkpoint.
        workers: the processes that train.

    Raises:
        ConfigError: for a model whose batches read whole tables, or workers that contradict each other or the data.
    """
    refuse_whole_tables(model_class(model), model)
    out = Path(out)
    with shared_training(Path(data), model, out, settings, seed, progress, workers) as done:
        rows = RowModel(
            model_class(model), done.config, {name: each.width for name, each in done.dataset.features.items()}
        )
        vectors = {side: _vectors(side, rows, done) for side in mapped.SIDES}
        fixed = {side: rows.fixed_columns(side) for side in mapped.SIDES}
        with staged_folder(out) as staging:
            mapped.write(
                staging, done.dataset, vectors, model=model, settings=done.task.settings, fixed=fixed, **done.facts
            )
    return mapped.read(out).manifest


def _vectors(side: str, model: RowModel, done: Trained) -> np.ndarray:
    """Write the vectors of all users or items to a file, and return it: float32 [R, D'], mapped."""
    names = model.tables_of(side)
    count = len(done.best[names[0]])
    read = done.dataset.features if model.model.required_inputs().features else {}
    whole: np.ndarray | None = None
    for at in blocks(count, _BLOCK):
        rows = {
            name: torch.tensor(values if name in model.whole else values[at if name in names else at[:0]])
            for name, values in done.best.items()
        }
        features = {name: torch.from_numpy(each.rows(at if side == "items" else at[:0])) for name, each in read.items()}
        block = model.vectors_of(side, rows, features).numpy()
        if whole is None:
            path = done.files / f"vectors.{side}.npy"
            whole = new_mapped_npy(path, np.float32, (count, block.shape[1]))
        whole[at] = block
    assert whole is not None
    return whole

"""MMRec's MGCN, run from a clone of its own beside ours; nothing of it is kept here.

It is started as it stands (commit e775373). What it imports without need for this (lmdb, torchvision, torch_scatter's
one function) is replaced where it is missing. `python -m benchmarks.mmrec CLONE DATA EPOCHS SEED FILE` trains for so
many epochs, writes the state dict, and prints the seconds.
"""

import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


def measured(clone: Path, data: Path, most_seconds: float, say: Callable[..., None], batch: int = 2048) -> None:
    """Train its MGCN with two hops for so many seconds at most, saying how long epochs and validations take.

    Args:
        clone: of MMRec.
        data: folder with `tiktok/tiktok.inter`, `image_feat.npy` and `audio_feat.npy`.
        most_seconds: after which no epoch is begun.
        say: takes the figures.
        batch: triples a step.
    """
    data = data.resolve()
    os.chdir(clone / "src")
    sys.path.insert(0, str(Path.cwd()))
    _stand_ins()
    trainer, train, valid = _opened(data, batch)
    epochs, validations, scores = [], [], []
    begun = time.perf_counter()
    while (
        time.perf_counter() - begun < most_seconds and len(scores) - (scores.index(max(scores)) if scores else 0) < 21
    ):
        started = time.perf_counter()
        trainer.model.pre_epoch_processing()
        trainer._train_epoch(train, len(epochs))
        trainer.lr_scheduler.step()
        between = time.perf_counter()
        score, _ = trainer._valid_epoch(valid)
        epochs.append(between - started)
        validations.append(time.perf_counter() - between)
        scores.append(float(score))
    best = scores.index(max(scores))
    say(
        "mmrec",
        batch=batch,
        epoch=sorted(epochs)[len(epochs) // 2],
        validation=sorted(validations)[len(validations) // 2],
        best_epoch=best + 1,
        best_valid=scores[best],
        to_best=sum(epochs[: best + 1]) + sum(validations[: best + 1]),
        epochs=len(epochs),
        scores=scores,
    )


def trained(clone: Path, data: Path, epochs: int, seed: int, file: Path) -> float:
    """Train its MGCN for so many epochs and save its state dict as the pages say; the time it took."""
    data, file = data.resolve(), file.resolve()
    os.chdir(clone / "src")
    sys.path.insert(0, str(Path.cwd()))
    _stand_ins()
    trainer, train, _ = _opened(data, 2048, seed)
    started = time.perf_counter()
    for epoch in range(epochs):
        trainer.model.pre_epoch_processing()
        trainer._train_epoch(train, epoch)
        trainer.lr_scheduler.step()
    seconds = time.perf_counter() - started
    torch.save(trainer.model.state_dict(), file)
    return seconds


def _opened(data: Path, batch: int, seed: int = 999) -> tuple[Any, Any, Any]:
    from utils.configurator import Config  # type: ignore[import-not-found]
    from utils.dataloader import EvalDataLoader, TrainDataLoader  # type: ignore[import-not-found]
    from utils.dataset import RecDataset  # type: ignore[import-not-found]
    from utils.utils import get_model, get_trainer, init_seed  # type: ignore[import-not-found]

    settings = {
        "gpu_id": 0,
        "use_gpu": torch.cuda.is_available(),
        "data_path": f"{data}/",
        "inter_file_name": "tiktok.inter",
        "vision_feature_file": "image_feat.npy",
        "text_feature_file": "audio_feat.npy",
        "USER_ID_FIELD": "userID",
        "ITEM_ID_FIELD": "itemID",
        "TIME_FIELD": "timestamp",
        "train_batch_size": batch,
        "save_recommended_topk": False,
    }
    config = Config("MGCN", "tiktok", settings)
    config["cl_loss"], config["seed"] = 0.01, seed
    train, valid, _ = RecDataset(config).split()
    str(train), str(valid)  # which counts their pairs
    init_seed(seed)
    loader = TrainDataLoader(config, train, batch_size=batch, shuffle=True)
    held = EvalDataLoader(config, valid, additional_dataset=train, batch_size=config["eval_batch_size"])
    loader.pretrain_setup()
    model = get_model("MGCN")(config, loader).to(config["device"])
    return get_trainer()(config, model), loader, held


def _stand_ins() -> None:
    np.float = float  # type: ignore[attr-defined]  # a name that NumPy dropped
    sys.modules.setdefault("lmdb", types.ModuleType("lmdb"))
    images: Any = types.ModuleType("utils.data_utils")
    images.ImageResize = images.ImagePad = images.image_to_tensor = images.load_decompress_img_from_lmdb_value = None
    sys.modules["utils.data_utils"] = images
    scatter: Any = types.ModuleType("torch_scatter")
    scatter.scatter_add = lambda values, rows, dim=0, dim_size=None: values.new_zeros(dim_size).index_add_(
        dim, rows, values
    )
    sys.modules.setdefault("torch_scatter", scatter)
    if not torch.cuda.is_available():
        torch.Tensor.cuda = lambda tensor: tensor  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    clone, data, epochs, seed, file = sys.argv[1:]
    print(trained(Path(clone), Path(data), int(epochs), int(seed), Path(file)))

"""One of the processes of a training, begun as a module with the words MODEL FOLDER OUT STOP_AFTER.

After STOP_AFTER epochs (0: never) the last process says so and waits to be killed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch.distributed as dist

from mmrecun.data.mapped_import import open_mapped
from mmrecun.models.registry import model_class
from mmrecun.training.distributed.checkpoint import Checkpoints, LocalFolders
from mmrecun.training.distributed.fit import ShardTask, fit_shard
from mmrecun.training.distributed.graph_trainer import GraphTrainer
from mmrecun.training.distributed.row_exchange import Shard
from mmrecun.training.distributed.row_trainer import RowTrainer
from tests.training.distributed.pair import SEED, SETTINGS, TRAINING


def main(model: str, folder: str, out: str, stop_after: str) -> None:
    dist.init_process_group("gloo")
    shard, place = Shard.joined(), Path(out)

    def progress(done: int, total: int, note: str) -> None:
        if done == int(stop_after) and shard.rank == shard.size - 1:
            print("stopped", flush=True)
            sys.stdin.read()

    work = place / f"work-{shard.rank}"
    work.mkdir(exist_ok=True)
    keep = Checkpoints(LocalFolders(place / "store"), "key", shard, work, 0.0)
    cls = model_class(model)
    config, columns = cls.Config.model_validate(SETTINGS[model]), open_mapped(Path(folder))
    task = ShardTask(cls, config, columns, TRAINING, SEED, work, shard)
    made = (GraphTrainer if cls.user_parts else RowTrainer)(task)
    began, epoch = [], made.epoch
    made.epoch = lambda seed: began.append(seed) or epoch(seed)
    found = fit_shard(made, task, progress, keep)
    best = place / f"best-{shard.rank}"
    best.mkdir(exist_ok=True)
    for name, rows in found.best.items():
        np.save(best / f"{name}.npy", rows)
    done = found.result
    facts = {"history": done.history, "best_epoch": done.best_epoch, "began_at": done.epochs - len(began)}
    (place / f"{shard.rank}.json").write_text(json.dumps(facts | {"sent": made.exchange.sent}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One of the processes of a training: `python -m tests.training.process_of_pair FOLDER OUT STOP_AFTER`.

After STOP_AFTER epochs (0: never) the last process says so and waits to be killed.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist

from mmrecun.data.columns_import import columns_of
from mmrecun.models.bprmf import BPRMF
from mmrecun.training import mapped_fit
from mmrecun.training.mapped_checkpoint import Checkpoints, FolderShelf
from mmrecun.training.row_exchange import Shard
from tests.training.test_row_exchange import CONFIG, SEED, TRAINING


def main(folder: str, out: str, stop_after: str) -> None:
    dist.init_process_group("gloo")
    shard, place = Shard.joined(), Path(out)
    trainers, began = [], []

    class Kept(mapped_fit.MappedTrainer):
        """Tells how much it sent, and where it began."""

        def __init__(self, *given) -> None:
            super().__init__(*given)
            trainers.append(self)

        def epoch(self, seed) -> float:
            began.append(seed)
            return super().epoch(seed)

    def progress(done: int, total: int, note: str) -> None:
        if done == int(stop_after) and shard.rank == shard.size - 1:
            print("stopped", flush=True)
            sys.stdin.read()

    mapped_fit.MappedTrainer = Kept
    work = place / f"work-{shard.rank}"
    work.mkdir(exist_ok=True)
    keep = Checkpoints(FolderShelf(place / "shelf"), "key", shard, work, 0.0)
    found = mapped_fit.fit_mapped(
        BPRMF, CONFIG, columns_of(Path(folder)), TRAINING, SEED, work, progress, keep, shard
    ).result
    facts = {"history": found.history, "best_epoch": found.best_epoch, "began_at": found.epochs - len(began)}
    (trainer,) = trainers
    (place / f"{shard.rank}.json").write_text(json.dumps(facts | {"sent": trainer.rows.exchange.sent}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])

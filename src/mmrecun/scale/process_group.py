"""Processes that train together, on this machine or on a cluster; all are restarted when one dies.

They resume from their newest checkpoint, so the loss of a process costs at most the work since then.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mmrecun.errors import MMRecUnError
from mmrecun.progress import Progress
from mmrecun.scale import sharded_training
from mmrecun.scale.ray_engine import RETRIES, Engine, Share
from mmrecun.scale.sharded_training import ShardedTraining

_LOOK_SECONDS = 2.0


def train_here(task: ShardedTraining, workers: int) -> None:
    """Train with several processes of this machine, as torchrun does.

    Raises:
        MMRecUnError: when processes died more than `RETRIES` times.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the error below says it in one line
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=workers,
        run_id=task.key,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=RETRIES,
        monitor_interval=0.1,
    )
    try:
        elastic_launch(config, sys.executable)("-m", sharded_training.__name__, task.model_dump_json())
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        raise MMRecUnError(
            f"process {first.local_rank} of the training ended with {first.exitcode}, {RETRIES + 1} times; its "
            "output is above. The same command resumes from the newest checkpoint"
        ) from None


def train_on_cluster(engine: Engine, task: ShardedTraining, workers: int, share: Share) -> None:
    """Train with processes on the hosts of a Ray cluster; see `Engine.run_group` for the errors."""
    engine.run_group(sharded_training.work, task.model_dump_json(), workers, share, task.store, task.key)


@contextmanager
def watched(task: ShardedTraining, epochs: int, progress: Progress) -> Iterator[None]:
    """Report every checkpoint that appears during the block to `progress`."""
    ended, store = threading.Event(), task.open_store()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            try:
                found = [name for name in store.names() if name.startswith(f"{task.key}/epoch-")]
            except (OSError, MMRecUnError):  # an old checkpoint is just being removed, or the store is away for a while
                continue
            if found:
                epoch = int(found[-1].split("/")[1].removeprefix("epoch-"))
                progress(epoch, epochs, f"checkpoint of epoch {epoch}")

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()

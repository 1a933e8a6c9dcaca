"""Training on disk within less memory than its tables would take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CHILD = """
import itertools, resource, sys
from pathlib import Path
import numpy as np
from mmrecun.data.mapped_dataset import MappedDataset, MappedPairs
from mmrecun.data.interactions import Split
from mmrecun.models.bprmf import BPRMF, BPRMFConfig
from mmrecun.rng import Seed
from mmrecun.training.fit import TrainConfig
from mmrecun.training.distributed.fit import ShardTask
from mmrecun.training.distributed.row_trainer import RowTrainer

def trainer(users, folder):
    pairs = MappedPairs(np.arange(users, dtype=np.int32), np.arange(users, dtype=np.int32) % 50, np.arange(users + 1))
    splits = {split: pairs for split in Split}
    columns = MappedDataset("made", "0", np.zeros((users, 1), np.uint8), np.zeros((100, 1), np.uint8), splits)
    folder.mkdir()
    return RowTrainer(ShardTask(BPRMF, BPRMFConfig(dim=64), columns, TrainConfig(batch_size=512), Seed(0), folder))

place, users, room = Path(sys.argv[1]), 400_000, 112 << 20
warm = trainer(1000, place / "warm")
warm.epoch(Seed(1))
used = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
limit = (int(used.split()[1]) << 10) + room
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # of private memory; pages of shared files do not count
try:
    np.zeros((users, 3, 64), np.float32)
except MemoryError:
    print("no room for the tables")
large = trainer(users, place / "large")
before = {name: table.records[:, 0].copy() for name, table in large.rows.adam.tables.items() if name == "items.weight"}
for loss in itertools.islice(large.steps(Seed(1)), 20):
    assert np.isfinite(loss.item())
assert not np.array_equal(before["items.weight"], large.rows.adam.tables["items.weight"].records[:, 0])
large.keep_best()
print("trained")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of private memory are those of Linux")
def test_tables_larger_than_the_allowed_memory_are_trained(tmp_path: Path):
    """Rows with moments take 293 MiB, and the process may take 112 MiB more than it has."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    child = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["no room for the tables", "trained"]

"""Columns are made of a dataset folder within less memory than its pairs take as text."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun.data.mapped_dataset import MappedDataset

ROOT = Path(__file__).parents[2]
PAIRS, ITEMS = 600_000, 3_000
SIZES = {"user": PAIRS // 30, "item": ITEMS}
CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from mmrecun.data import mapped_import

mapped_import._BLOCK = mapped_import._PAIRS = 1 << 14
mapped_import.open_mapped(Path(sys.argv[1]))
room, text = int(sys.argv[3]), int(sys.argv[4])
used = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
limit = (int(used.split()[1]) << 10) + room
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # of private memory; pages of shared files do not count
try:
    np.zeros(text, np.uint8)
except MemoryError:
    print("no room for the pairs as text")
mapped_import.open_mapped(Path(sys.argv[2]))
print("made")
"""


def dataset_folder(folder: Path, pairs: int) -> pl.DataFrame:
    """Write a dataset folder in small row groups; user n // 30 has pair n."""
    numbers = np.arange(pairs)
    names = {kind: [f"{kind} {n:08d} ".ljust(70, "-") for n in range(size)] for kind, size in SIZES.items()}
    table = pl.DataFrame(
        {
            "user": np.array(names["user"])[numbers // 30],
            "item": np.array(names["item"])[numbers * 7 % ITEMS],
            "split": np.array(["train", "valid", "test"])[numbers % 3],
        }
    )
    folder.mkdir()
    table.write_parquet(folder / "interactions.parquet", row_group_size=1 << 14)
    for kind in SIZES:
        pl.DataFrame({"id": names[kind]}).write_parquet(folder / f"{kind}s.parquet")
    (folder / "dataset.toml").write_text('format = 1\nname = "made"\n', encoding="utf-8")
    return table


@pytest.mark.skipif(sys.platform != "linux", reason="limits of private memory are those of Linux")
def test_pairs_larger_than_the_allowed_memory_are_imported(tmp_path: Path):
    """As text they take 140 bytes each; the import may take 56, of which 8 are for its keys."""
    dataset_folder(tmp_path / "warm", 3000)
    table = dataset_folder(tmp_path / "large", PAIRS)
    text, room = int(table.select("user", "item").estimated_size()), 56 * PAIRS
    assert text > 2 * room
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    words = [tmp_path / "warm", tmp_path / "large", str(room), str(text)]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["no room for the pairs as text", "made"]
    made = MappedDataset.read(tmp_path / "large" / "columns", "made", "")
    assert sum(map(len, made.splits.values())) == PAIRS

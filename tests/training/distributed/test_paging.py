"""How mapped files are read is what the kernel says of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mmrecun.training.distributed.paging import read_at_random


def flags(path: Path) -> list[str]:
    """What the kernel says of the mapping of a file."""
    text = Path("/proc/self/smaps").read_text(encoding="utf-8")
    return text.partition(str(path))[2].partition("VmFlags:")[2].splitlines()[0].split()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/smaps is Linux's")
def test_pages_are_read_one_by_one_in_the_block_alone(tmp_path: Path):
    path = tmp_path / "rows.npy"
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (5000, 3)).view(np.ndarray)
    assert "rr" not in flags(path)
    with read_at_random([mapped[:, 1:], np.zeros(3)]):
        assert "rr" in flags(path)
    assert "rr" not in flags(path)

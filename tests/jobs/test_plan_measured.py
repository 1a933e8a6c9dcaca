"""What `plan` says against the peak of a real training, which leaves a checkpoint."""

from pathlib import Path

from benchmarks.timing import in_child

from mmrecun import Dataset, jobs
from mmrecun.data import files

SETTINGS = {"epochs": 1, "batch_size": 2048, "dim": 512}


def trained(data: Path, out: Path) -> bool:
    """Train for an epoch; its checkpoint is written at its end."""
    jobs.train(data, "bprmf", out, SETTINGS, device="cpu")
    return out.is_dir()


def test_a_training_that_saves_peaks_where_it_was_foretold(tmp_path: Path):
    files.save(Dataset.synthetic(users=10_000, items=4_000, interactions=50_000, width=1), tmp_path / "data")
    planned = jobs.plan(tmp_path / "data", "bprmf", SETTINGS, "cpu").memory_bytes
    done, peak = in_child(trained, tmp_path / "data", tmp_path / "run")
    assert done
    assert 0.6 < peak / planned < 1.15, (peak / 2**20, planned / 2**20)

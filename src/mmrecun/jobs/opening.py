"""Read a run folder."""

from pathlib import Path

from mmrecun import lineage
from mmrecun.device import prepare, resolve
from mmrecun.lineage import Run

PathLike = str | Path


def load(run: Run | PathLike, device: str = "auto") -> Run:
    """Read a run folder with its model and dataset; a run that was read already is given back."""
    if isinstance(run, Run):
        return run
    prepare()
    return lineage.load(Path(run), resolve(device))


def opened(run: Run | PathLike) -> Run:
    """A run as it is, or read from its folder."""
    return load(run)

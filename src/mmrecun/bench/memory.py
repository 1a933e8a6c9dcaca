"""The most memory that was resident during a stretch of work."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@contextmanager
def peak_memory() -> Iterator[Callable[[], int | None]]:
    """Yield a function that gives the bytes resident at most since the block began.

    Everything the process holds counts, not only what the block allocates. The high-water mark is Linux's; where it
    cannot be set back (other systems, some sandboxes) the answer is None rather than that of the whole process.
    """
    gc.collect()
    try:
        _RESET.write_text("5")
    except OSError:
        yield lambda: None
    else:
        yield _high_water


def _high_water() -> int | None:
    lines = _STATUS.read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)

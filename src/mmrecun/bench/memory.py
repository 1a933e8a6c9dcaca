"""Peak memory of a block of work."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@contextmanager
def peak_memory() -> Iterator[Callable[[], int | None]]:
    """Yield a function that returns the peak of resident bytes since the block began.

    All memory of the process counts, not only what the block allocates. The peak counter is Linux's. If it cannot be
    reset (other systems, some sandboxes), the function returns None rather than the peak of the whole process.
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

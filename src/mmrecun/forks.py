"""Forked processes: a fork does not copy the threads of libraries, and what waits for them never ends."""

import os
from functools import cache

from mmrecun.errors import ConfigError


def refuse_forked() -> None:
    """Note the process that works first, and refuse to work in one that was forked from it later.

    Polars and OpenMP would wait there for threads of the other process.

    Raises:
        ConfigError: in such a process.
    """
    if _first_to_work() != os.getpid():
        raise ConfigError(
            "this process was forked from one that has used mmrecun, without its threads, and would wait for them for "
            "ever; start processes with multiprocessing.get_context('spawn')"
        )


@cache
def _first_to_work() -> int:
    return os.getpid()

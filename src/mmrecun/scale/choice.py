"""The executor that `--on` names: this process, a Ray cluster started on this machine, or a running one."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmrecun.errors import ConfigError
from mmrecun.scale.executor import Executor
from mmrecun.scale.local_executor import LocalExecutor
from mmrecun.scale.ray_engine import Share, connected

HERE, RAY = "here", "ray"


@contextmanager
def chosen_executor(
    on: str = HERE, store: str | None = None, cpus: float | None = None, gpus: float | None = None
) -> Iterator[Executor]:
    """Yield the executor that `on` names.

    Args:
        on: "here"; "ray", a cluster of this machine or the one in RAY_ADDRESS; "ray:HOST:PORT", the one with that head.
        store: URL of a store that all hosts reach, if folders are to travel through it.
        cpus, gpus: processors and GPUs of a host that a piece takes; one processor and no GPU by default.

    Raises:
        ConfigError: for any other `on`, or an option of clusters without a cluster.
    """
    address = head_of(on)
    if on == HERE:
        for name, value in (("--store", store), ("--cpus", cpus), ("--gpus", gpus)):
            if value is not None:
                raise ConfigError(f"{name} is for a cluster; add --on ray or --on ray:HOST:PORT")
        yield LocalExecutor()
        return
    from mmrecun.scale.ray_executor import RayExecutor  # loads torch

    with connected(address) as engine:
        yield RayExecutor(engine, store, Share(1.0 if cpus is None else cpus, gpus or 0.0))


def head_of(on: str) -> str | None:
    """Return "HOST:PORT" of "ray:HOST:PORT"; None for "here" and "ray".

    Raises:
        ConfigError: for anything else.
    """
    if on in (HERE, RAY):
        return None
    word, _, address = on.partition(":")
    host, _, port = address.rpartition(":")
    if word != RAY or not host or not port.isdigit():
        raise ConfigError(f"--on {on}: write here, ray or ray:HOST:PORT, such as ray:10.0.0.1:6379")
    return address

"""What `--on` says: this process, a cluster started on this machine, or one that is there already."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmrecun.errors import ConfigError
from mmrecun.scale.here import Here
from mmrecun.scale.on_ray import OnRay
from mmrecun.scale.ray_engine import Share, connected
from mmrecun.scale.room import Room

HERE, RAY = "here", "ray"


@contextmanager
def chosen_room(
    on: str = HERE, store: str | None = None, cpus: float | None = None, gpus: float | None = None
) -> Iterator[Room]:
    """Yield the room that `on` names.

    Args:
        on: "here"; "ray", a cluster of this machine or that in RAY_ADDRESS; "ray:HOST:PORT", the one with that head.
        store: URL of a store that all hosts reach, through which folders then travel.
        cpus, gpus: what a piece takes of a host of a cluster; one processor and no GPU by default.

    Raises:
        ConfigError: for another word, or for an option of clusters without one.
    """
    address = head_of(on)
    if on == HERE:
        for name, value in (("--store", store), ("--cpus", cpus), ("--gpus", gpus)):
            if value is not None:
                raise ConfigError(f"{name} is about a cluster; add --on ray or --on ray:HOST:PORT")
        yield Here()
        return
    with connected(address) as engine:
        yield OnRay(engine, store, Share(1.0 if cpus is None else cpus, gpus or 0.0))


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

"""Check an installation: versions, device, threads, memory, and a self-test with a known answer.

Nothing is imported before its check, since a failing import is itself a finding.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path


def checks() -> list[dict[str, str]]:
    """Run all checks; each has `name`, `state` (ok or failed) and `detail`."""
    probes: dict[str, Callable[[], str]] = {
        "versions": _versions,
        "device": _device,
        "threads": _threads,
        "memory": _memory,
        "self-test": _self_test,
    }
    return [_run(name, probe) for name, probe in probes.items()]


def _run(name: str, probe: Callable[[], str]) -> dict[str, str]:
    try:
        return {"name": name, "state": "ok", "detail": probe()}
    except Exception as error:  # noqa: BLE001 - a broken installation may fail in any way; the doctor reports it
        return {"name": name, "state": "failed", "detail": f"{type(error).__name__}: {error}"}


def _versions() -> str:
    from mmrecun.manifest import versions

    return ", ".join(f"{name} {number}" for name, number in versions().items())


def _device() -> str:
    from mmrecun.device import resolve

    return str(resolve("auto"))


def _threads() -> str:
    from mmrecun.device import thread_facts

    facts = thread_facts()
    return f"torch works with {facts['torch_threads']}, this process may use {facts['processors']} processors"


def _memory() -> str:
    from mmrecun.jobs._plan import available_bytes

    return f"{available_bytes() / (1 << 30):.1f} GiB free"


def _self_test() -> str:
    """Train, forget a user, and check that the user is gone."""
    from mmrecun import jobs, runs
    from mmrecun.data import files
    from mmrecun.data.synthetic import SyntheticConfig, make
    from mmrecun.forget.request import ForgetRequest
    from mmrecun.rng import Seed

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        dataset, _ = make(SyntheticConfig(users=60, items=40, interactions=600, groups=3, width=4), Seed(0))
        files.save(dataset, place / "data")
        jobs.train(place / "data", "mgcn", place / "run", {"epochs": 2, "dim": 8})
        user = str(dataset.users.names[0])
        jobs.unlearn(place / "run", ForgetRequest(users=(user,)), place / "after")
        after = runs.load(place / "after")
        if user in after.dataset.users.names:
            raise RuntimeError("the forgotten user is still there")
    return "trained a small MGCN and forgot a user"

"""Checks of a cluster: equal versions, quick notice of a lost host, a token, a store that every host reaches."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmrecun.errors import MMRecUnError
from mmrecun.manifest import versions
from mmrecun.scale.ray_engine import KEEPALIVE, connected, ray_version
from mmrecun.scale.remote_folders import RemoteFolders, check
from mmrecun.text import listing

Answers = Mapping[str, Any]


def cluster_checks(address: str | None, store: str | None = None) -> list[dict[str, str]]:
    """Check every host of a cluster.

    Args:
        address: "host:port" of its head; None for a cluster of this machine.
        store: URL of the store that the hosts are to use, if any.

    Returns:
        Each check with `name`, `state` (ok or failed) and `detail`.

    Raises:
        ConfigError: when no cluster answers.
    """
    with connected(address) as engine:
        nodes, answers = engine.nodes(), engine.on_every_node(facts_of_host, store)
    silent = [host for host, answer in answers.items() if isinstance(answer, Exception)]
    size = ", ".join(f"{sum(node.resources.get(kind, 0) for node in nodes):g} {kind}" for kind in ("CPU", "GPU"))
    found = [_stated("hosts", f"{len(nodes)} with {size}", [f"{host} does not answer" for host in silent])]
    heard = {host: answer for host, answer in answers.items() if host not in silent}
    probes: dict[str, Callable[[Answers], tuple[str, list[str]]]] = {
        "versions on hosts": _versions,
        "keepalive": _keepalive,
        "token": _token,
        **({"store": _store} if store else {}),
    }
    return found + [_stated(name, *probe(heard)) for name, probe in probes.items()]


def facts_of_host(store: str | None) -> dict[str, Any]:
    """Return versions, environment and access to the store of the host that runs this."""
    return {
        "versions": {**versions(), "ray": ray_version()},
        "environment": {name: os.environ.get(name, "") for name in (*KEEPALIVE, "RAY_AUTH_MODE")},
        "store": _store_problem(store) if store else "",
    }


def _store_problem(store: str) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            check(RemoteFolders(store), Path(scratch) / "check")
        except MMRecUnError as error:
            return str(error)
    return ""


def _stated(name: str, detail: str, problems: list[str]) -> dict[str, str]:
    return {"name": name, "state": "failed" if problems else "ok", "detail": "; ".join(problems) or detail}


def _versions(answers: Answers) -> tuple[str, list[str]]:
    mine = facts_of_host(None)["versions"]
    problems = [
        f"{host} has {name} {other}, this process {mine[name]}"
        for host, answer in answers.items()
        for name, other in answer["versions"].items()
        if other != mine[name]
    ]
    return f"the same on all, such as mmrecun {mine['mmrecun']} and ray {mine['ray']}", problems


def _keepalive(answers: Answers) -> tuple[str, list[str]]:
    problems = []
    for host, answer in answers.items():
        unset = [name for name in KEEPALIVE if not answer["environment"][name].isdigit()]
        if unset:
            problems.append(f"{host}: 'ray start' had no {listing(unset)}, so a pulled cable is noticed after minutes")
    return "the loss of a host is noticed within about 20 s", problems


def _token(answers: Answers) -> tuple[str, list[str]]:
    problems = [
        f"{host} lets anybody in who reaches it, and runs what it is sent; set RAY_AUTH_MODE=token and a token"
        for host, answer in answers.items()
        if answer["environment"]["RAY_AUTH_MODE"] != "token"
    ]
    return "every host demands it", problems


def _store(answers: Answers) -> tuple[str, list[str]]:
    problems = [f"{host}: {answer['store']}" for host, answer in answers.items() if answer["store"]]
    return "every host can write and read there", problems

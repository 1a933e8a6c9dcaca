"""Ray, as far as it is used here. No other file imports it, and this one does so when a cluster is asked for."""

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from mmrecun.errors import ArtifactError, ConfigError, MMRecUnError
from mmrecun.extras import library

# A host whose cable is pulled sends no reset. Without these the driver waits for it for minutes; with them the loss is
# noticed within about twenty seconds. They must hold for the head, the workers and the driver alike.
KEEPALIVE: Mapping[str, str] = {
    "RAY_grpc_client_keepalive_time_ms": "10000",
    "RAY_grpc_client_keepalive_timeout_ms": "5000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "4000",
    "RAY_health_check_failure_threshold": "3",
}
_QUIET: Mapping[str, str] = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
RETRIES = 3  # of a task whose worker or host died; an error of the task itself is not tried again
ANSWER_SECONDS = 60.0  # within which a small question to a host must be answered

Reference = Any  # a ray.ObjectRef; Ray is not there when types are checked


class Node(NamedTuple):
    """A host of the cluster.

    Attributes:
        id: of Ray.
        address: of its network card.
        resources: what it offers, such as CPU and GPU.
    """

    id: str
    address: str
    resources: dict[str, float]


class Share(NamedTuple):
    """What a task takes of its host.

    Attributes:
        cpus, gpus: how many; a fraction of a GPU is a place among several on one card.
    """

    cpus: float = 1.0
    gpus: float = 0.0


class Engine:
    """A connection to a cluster.

    Args:
        ray: the package, connected.
    """

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self._tasks: dict[tuple[Callable[..., Any], Share], Any] = {}

    def nodes(self) -> list[Node]:
        """Return the hosts that are alive."""
        return [
            Node(node["NodeID"], node["NodeManagerAddress"], dict(node["Resources"]))
            for node in self._ray.nodes()
            if node["Alive"]
        ]

    def refuse_unfit(self, share: Share) -> None:
        """Raise ConfigError when no host has so much of what a task takes; it would wait for ever."""
        for name, wanted in (("CPU", share.cpus), ("GPU", share.gpus)):
            most = max((node.resources.get(name, 0.0) for node in self.nodes()), default=0.0)
            if wanted > most:
                raise ConfigError(f"a piece takes {wanted:g} {name}, but no host of the cluster has more than {most:g}")

    def put(self, content: bytes) -> Reference:
        """Put bytes into the object store, from which tasks fetch them with `fetch`."""
        return self._ray.put(content)

    def submit(self, function: Callable[..., Any], share: Share, *arguments: Any) -> Reference:
        """Begin `function` on some host; it is begun again where its worker or host dies."""
        if (function, share) not in self._tasks:
            options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": RETRIES}
            self._tasks[function, share] = self._ray.remote(**options)(function)
        return self._tasks[function, share].remote(*arguments)

    def first(self, references: Sequence[Reference]) -> Reference:
        """Wait until one of the tasks has ended; return it."""
        return self._ray.wait(list(references), num_returns=1)[0][0]

    def result(self, reference: Reference) -> Any:
        """Return what a task gave.

        Raises:
            MMRecUnError: when its workers died `RETRIES` times, or were killed for want of memory.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise MMRecUnError(f"the cluster could not make it: {_in_one_line(error)}") from None

    def cancel(self, references: Sequence[Reference]) -> None:
        """Stop tasks, by force."""
        for reference in references:
            self._ray.cancel(reference, force=True)

    def gang(
        self, function: Callable[[str], None], argument: str, workers: int, share: Share, store: str, name: str
    ) -> None:
        """Run `function` in several processes at once that are joined by gloo, with Ray Train.

        When one dies, all are begun again, up to `RETRIES` times.

        Args:
            function: called with `argument`.
            argument: for it.
            workers: how many processes.
            share: what each takes of its host.
            store: URL that all hosts reach, where Train keeps its own notes.
            name: of the run there.

        Raises:
            ConfigError: when the cluster is too small.
            MMRecUnError: when processes died too often.
        """
        self.refuse_unfit(share)
        places = sum(int(node.resources.get("CPU", 0.0) // share.cpus) for node in self.nodes())
        if workers > places:
            raise ConfigError(
                f"--workers {workers}: the cluster has room for {places}; a process takes {share.cpus:g} CPU"
            )
        train, torch = (library(module, "ray", "--workers") for module in ("ray.train", "ray.train.torch"))
        resources = {"CPU": share.cpus, **({"GPU": share.gpus} if share.gpus else {})}
        trainer = torch.TorchTrainer(
            lambda config: function(config["argument"]),
            train_loop_config={"argument": argument},
            scaling_config=train.ScalingConfig(num_workers=workers, resources_per_worker=resources),
            run_config=train.RunConfig(
                name=name, storage_path=store, failure_config=train.FailureConfig(max_failures=RETRIES)
            ),
            torch_config=torch.TorchConfig(backend="gloo"),
        )
        try:
            trainer.fit()
        except (self._ray.exceptions.RayError, train.TrainingFailedError) as error:
            raise MMRecUnError(f"the cluster could not train: {_in_one_line(error)}") from None

    def on_every_node(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Return address -> what `function` gives there; an exception where it fails or does not answer in time."""
        asked = {node.address: self._begin_on(node, function, arguments) for node in self.nodes()}
        return {address: self._answer(reference) for address, reference in asked.items()}

    def on_node(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `function` gives on the host at `address`.

        Raises:
            ArtifactError: when the host is not there or does not answer in time; errors of `function` as they are.
        """
        node = next((node for node in self.nodes() if node.address == address), None)
        answer = self._answer(self._begin_on(node, function, arguments)) if node else None
        if isinstance(answer, self._ray.exceptions.RayTaskError) and isinstance(answer.cause, MMRecUnError):
            raise answer.cause
        if node is None or isinstance(answer, Exception):
            raise ArtifactError(f"{address} does not answer; repeat the command when the host is back")
        return answer

    def _begin_on(self, node: Node, function: Callable[..., Any], arguments: Sequence[Any]) -> Reference:
        strategy = library("ray.util.scheduling_strategies", "ray", "--on ray").NodeAffinitySchedulingStrategy
        task = self._ray.remote(num_cpus=0, max_retries=0)(function)
        return task.options(scheduling_strategy=strategy(node.id, soft=False)).remote(*arguments)

    def _answer(self, reference: Reference) -> Any:
        try:
            return self._ray.get(reference, timeout=ANSWER_SECONDS)
        except self._ray.exceptions.RayError as error:
            return error


def _in_one_line(error: Exception) -> str:
    """Return the kind of an error of Ray and its first words; its text may begin with empty lines."""
    kind = type(error).__name__
    return f"{kind}: {next((line.strip() for line in str(error).splitlines() if line.strip()), 'no reason is given')}"


def fetch(reference: Reference) -> bytes:
    """Return, inside a task, the bytes that `Engine.put` stored."""
    content: bytes = library("ray", "ray", "--on ray").get(reference)
    return content


def ray_version() -> str:
    """Return the version of Ray."""
    version: str = library("ray", "ray", "--on ray").__version__
    return version


@contextmanager
def connected(address: str | None = None) -> Iterator[Engine]:
    """Yield a connection to the cluster at `address`, or to one on this machine that lives as long as the block.

    Args:
        address: "host:port" of the head; without one, that in RAY_ADDRESS, such as inside a submitted job.

    Raises:
        ConfigError: when Ray is not installed, or no cluster answers there.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    _prepare_environment(local=not address)
    ray = library("ray", "ray", "--on ray")
    with _joined(ray, address) if address else _started(ray):
        yield Engine(ray)


def _prepare_environment(local: bool) -> None:
    """Set what Ray reads when it is loaded, and what the processes that it starts inherit; what is set stays.

    A cluster of this process alone gets a token that nobody else knows, since Ray runs whatever it is sent. Without
    one, Ray would write a token into the home folder, which all clusters of that home would then demand.
    """
    for name, value in {**KEEPALIVE, **_QUIET}.items():
        os.environ.setdefault(name, value)
    if local and not any(name in os.environ for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


@contextmanager
def _joined(ray: ModuleType, address: str) -> Iterator[None]:
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit():  # Ray itself would ask a port where nobody listens for minutes
            socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS / 4).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"--on ray:{address}: {line}; start the command on a host of the cluster, where 'ray start' has been run, "
            "with the token of the cluster"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _started(ray: ModuleType) -> Iterator[None]:
    """Start a cluster of this machine alone, in a folder of its own that is removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="mmrecun-"))  # short: the paths of Ray's sockets begin with it
    try:
        ray.init(
            address="local",
            _temp_dir=str(folder),
            _node_ip_address="127.0.0.1",
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)

"""The part of Ray that is used here. No other file imports Ray, and this one only when a cluster is requested."""

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

# A host that loses its network connection does not say so. Without these settings the driver waits for it for minutes;
# with them the loss is noticed within about twenty seconds. The head, the workers and the driver all need them.
KEEPALIVE: Mapping[str, str] = {
    "RAY_grpc_client_keepalive_time_ms": "10000",
    "RAY_grpc_client_keepalive_timeout_ms": "5000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "4000",
    "RAY_health_check_failure_threshold": "3",
}
_QUIET: Mapping[str, str] = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
CLUSTER = "mmrecun-ray-"  # prefix of the temporary folder of a cluster of this machine
RETRIES = 3  # of a task whose worker or host died; a task that raises an error is not repeated
ANSWER_SECONDS = 60.0  # time limit for the answer of a host to a small task

Reference = Any  # a ray.ObjectRef; Ray is not installed where types are checked


class Node(NamedTuple):
    """A host of the cluster.

    Attributes:
        id: id of the node in Ray.
        address: network address.
        resources: name, such as "CPU" or "GPU", -> amount.
    """

    id: str
    address: str
    resources: dict[str, float]


class Share(NamedTuple):
    """The resources of a host that a task takes.

    Attributes:
        cpus, gpus: number of processors and GPUs; tasks with a fraction of a GPU share a card.
    """

    cpus: float = 1.0
    gpus: float = 0.0


class Engine:
    """A connection to a cluster.

    Args:
        ray: the package `ray`, connected.
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
        """Raise ConfigError if no host has the resources of `share`; the task would wait for ever."""
        for name, wanted in (("CPU", share.cpus), ("GPU", share.gpus)):
            most = max((node.resources.get(name, 0.0) for node in self.nodes()), default=0.0)
            if wanted > most:
                raise ConfigError(f"a piece takes {wanted:g} {name}, but no host of the cluster has more than {most:g}")

    def put(self, content: bytes) -> Reference:
        """Put bytes into the object store, from which a task gets them with `fetch`."""
        return self._ray.put(content)

    def submit(self, function: Callable[..., Any], share: Share, *arguments: Any) -> Reference:
        """Start `function` on some host; it is restarted if its worker or host dies."""
        if (function, share) not in self._tasks:
            options = {"num_cpus": share.cpus, "num_gpus": share.gpus, "max_retries": RETRIES}
            self._tasks[function, share] = self._ray.remote(**options)(function)
        return self._tasks[function, share].remote(*arguments)

    def first(self, references: Sequence[Reference]) -> Reference:
        """Wait until one of the tasks has ended, and return its reference."""
        return self._ray.wait(list(references), num_returns=1)[0][0]

    def result(self, reference: Reference) -> Any:
        """Return the result of a task.

        Raises:
            MMRecUnError: when its workers died `RETRIES` times, or were killed for want of memory.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise MMRecUnError(f"the cluster could not make it: {_in_one_line(error)}") from None

    def cancel(self, references: Sequence[Reference]) -> None:
        """Kill tasks."""
        for reference in references:
            self._ray.cancel(reference, force=True)

    def run_group(
        self, function: Callable[[str], None], argument: str, workers: int, share: Share, store: str, name: str
    ) -> None:
        """Run `function` with Ray Train in several processes at once, which form a gloo process group.

        When one dies, all are restarted, up to `RETRIES` times.

        Args:
            function: called in each process with `argument`.
            argument: the argument.
            workers: number of processes.
            share: resources that each process takes.
            store: URL that all hosts reach, where Ray Train keeps its own files.
            name: name of the run in there.

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
        """Call `function` on every host; return address -> result, or the exception if it fails or times out."""
        asked = {node.address: self._begin_on(node, function, arguments) for node in self.nodes()}
        return {address: self._answer(reference) for address, reference in asked.items()}

    def on_node(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` on the host at `address`, and return its result.

        Raises:
            ArtifactError: when the host is absent or does not answer in time. Errors of `function` are raised
                unchanged.
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
    """Return the class of an error of Ray and the first line of its text that is not empty."""
    kind = type(error).__name__
    return f"{kind}: {next((line.strip() for line in str(error).splitlines() if line.strip()), 'no reason is given')}"


def fetch(reference: Reference) -> bytes:
    """Return the bytes that `Engine.put` stored; for use inside a task."""
    content: bytes = library("ray", "ray", "--on ray").get(reference)
    return content


def ray_version() -> str:
    """Return the version of Ray."""
    version: str = library("ray", "ray", "--on ray").__version__
    return version


@contextmanager
def connected(address: str | None = None) -> Iterator[Engine]:
    """Yield a connection to the cluster at `address`, or to one that is started on this machine for the block.

    Args:
        address: "host:port" of the head; by default that in RAY_ADDRESS, which Ray sets inside a submitted job.

    Raises:
        ConfigError: when Ray is not installed, or no cluster answers there.
    """
    address = address or os.environ.get("RAY_ADDRESS")
    _prepare_environment(local=not address)
    ray = library("ray", "ray", "--on ray")
    with _joined(ray, address) if address else _started(ray):
        yield Engine(ray)


def _prepare_environment(local: bool) -> None:
    """Set the environment variables that Ray reads when it is loaded; its processes inherit them.

    A variable that is set already stays. A cluster of this machine gets a secret token, since Ray runs whatever code it
    is sent. Without one, Ray would write a token into the home folder, which all clusters of that user would then
    demand.
    """
    for name, value in {**KEEPALIVE, **_QUIET}.items():
        os.environ.setdefault(name, value)
    if local and not any(name in os.environ for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")):
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))


@contextmanager
def _joined(ray: ModuleType, address: str) -> Iterator[None]:
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit():  # Ray itself would try a port on which nothing listens for minutes
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
    """Start a cluster of this machine alone, in a temporary folder that is removed with it."""
    folder = Path(tempfile.mkdtemp(prefix=CLUSTER))  # short: the paths of Ray's sockets begin with it
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

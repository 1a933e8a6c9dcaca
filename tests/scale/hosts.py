"""Two hosts on one machine: each with its own network, processes, name, shared memory and scratch folder.

A host is a set of namespaces; a pair of virtual network cards joins the two. Nothing is left when its first process
ends. Ray runs in both, and commands run on the first.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mmrecun.scale.ray_engine import KEEPALIVE

ROOT = Path(__file__).parents[2]
PORT = 6379
PATIENCE = 900.0  # seconds, after which a wait fails; two processors with ten times as much to do have needed 350
COMMAND = [sys.executable, "-c", "from mmrecun.cli import main; main()"]
_BEGIN = """
mount -t tmpfs -o size=2g tmpfs {scratch} && mount -t tmpfs -o size=1g tmpfs /dev/shm && hostname {name} || exit 1
# The address stands on lo as well: a virtual card vanishes with the host at its other end, a real one would not.
until ip link show {card} >/dev/null 2>&1; do sleep 0.05; done
ip link set lo up && ip addr add {address}/32 dev lo || exit 1
ip link set {card} name eth0 && ip addr add {address}/24 dev eth0 && ip link set eth0 up || exit 1
# Ray gives up when it is not up within 30 s, which a busy machine exceeds; what it leaves is ended before the next try.
# On two processors with fifteen times as much to do, five tries have not been enough.
for again in {{1..20}}; do
    {head_first}
    {ray}
    kill -9 -1
done
"""
_HEAD_FIRST = "until (exec 3<>/dev/tcp/{address}/{port}) 2>/dev/null; do sleep 0.2; done"


def why_not() -> str:
    """Why hosts cannot be made here; empty when they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts in network namespaces need Linux and root"
    lacking = [tool for tool in ("ip", "unshare", "nsenter", "mount") if shutil.which(tool) is None]
    if lacking:
        return f"hosts in network namespaces need '{lacking[0]}' (iproute2 and util-linux)"
    made = subprocess.run(["unshare", "-n", "-m", "-u", "-p", "-f", "true"], capture_output=True, check=False)
    return "" if made.returncode == 0 else f"namespaces are not allowed here: {made.stderr.decode().strip()}"


def until(found: Callable[[], object], what: str | Callable[[], str]):
    """Ask again and again until there is an answer; fail after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE:g} s: {what() if callable(what) else what}")


class Hosts:
    """Host A, which is the head, and host B, with one processor each."""

    def __init__(self, keepalive: Mapping[str, str] = KEEPALIVE) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="mmr-"))  # short: the paths of Ray's sockets begin with it
        net = f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(250)}"
        self.addresses = {"A": f"{net}.1", "B": f"{net}.2"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            **keepalive,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_memory_monitor_refresh_ms": "0",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "GLOO_SOCKET_IFNAME": "eth0",
            "TMPDIR": str(self.scratch),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        }
        self._started: dict[str, subprocess.Popen] = {}
        self._commands: list[subprocess.Popen] = []
        self._first: dict[str, int] = {}

    @property
    def address(self) -> str:
        return f"{self.addresses['A']}:{PORT}"

    def up(self) -> None:
        """Begin what is not there, join the hosts, and wait until both belong to the cluster."""
        cards = {name: f"mm{secrets.token_hex(3)}{name.lower()}" for name in "AB"}
        missing = [name for name in "AB" if name not in self._started]
        for name in missing:
            self._begin(name, cards[name])
        if missing == ["B"]:  # the card of A went with B
            cards["A"] = cards["A"][:-1] + "n"
        names = list(cards.values())
        subprocess.run(["ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]], check=True)
        for name in "AB":
            subprocess.run(["ip", "link", "set", cards[name], "netns", str(self._first[name])], check=True)
        if "A" not in missing:
            self._rejoin(cards["A"])
        until(lambda: self.size() == 2, lambda: f"two hosts in the cluster; {self._logs()}")

    def _begin(self, name: str, card: str) -> None:
        place = ["--head", f"--port={PORT}", f"--temp-dir={self.scratch}", "--include-dashboard=false"]
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
        ray += place if name == "A" else [f"--address={self.address}"]
        ray += [f"--node-ip-address={self.addresses[name]}", "--object-store-memory=150000000", "--disable-usage-stats"]
        waits = "" if name == "A" else _HEAD_FIRST.format(address=self.addresses["A"], port=PORT)
        facts = {"scratch": self.scratch, "name": f"host-{name.lower()}", "card": card, "head_first": waits}
        script = _BEGIN.format(**facts, address=self.addresses[name], ray=" ".join(ray))
        alone = ["unshare", "-n", "-m", "-u", "-p", "-f", "--mount-proc", "--kill-child"]
        with Path(f"{self.scratch}-{name}.log").open("ab") as log:
            begun = subprocess.Popen(
                [*alone, "bash", "-c", script], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children")
        self._first[name] = int(until(lambda: children.read_text().split()[:1], f"host {name}")[0])
        self._started[name] = begun

    def _rejoin(self, card: str) -> None:
        gone = ["ip", "link", "show", "eth0"]  # the system takes the old card away some time after host B
        until(lambda: self.run("A", gone, check=False).returncode, "the end of the old card")
        address = f"{self.addresses['A']}/24"
        for words in (f"link set {card} name eth0", f"addr add {address} dev eth0", "link set eth0 up"):
            self.run("A", ["ip", *words.split()])

    def _logs(self) -> str:
        texts = {name: Path(f"{self.scratch}-{name}.log").read_text(errors="replace")[-1500:] for name in "AB"}
        ended = [name for name, begun in self._started.items() if begun.poll() is not None]
        return f"ended: {ended or 'none'}\n" + "\n".join(f"{name}: {text}" for name, text in texts.items())

    def size(self) -> int:
        """How many hosts the cluster has that answer."""
        code = (
            "from mmrecun.scale.ray_engine import connected\n"
            f"with connected('{self.address}') as engine: print(len(engine.nodes()))"
        )
        asked = self.run("A", [sys.executable, "-c", code], check=False)
        return int(asked.stdout) if asked.returncode == 0 else 0

    def _inside(self, name: str, command: Sequence[object]) -> list[str]:
        return ["nsenter", "-t", str(self._first[name]), "-n", "-m", "-u", "-p", *map(str, command)]

    def run(self, name: str, command: Sequence[object], check: bool = True) -> subprocess.CompletedProcess:
        """Run a command on a host to its end."""
        found = subprocess.run(
            self._inside(name, command),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=PATIENCE,
        )
        assert not check or found.returncode == 0, found.stderr
        return found

    def begin(self, name: str, command: Sequence[object]) -> subprocess.Popen:
        """Begin a command on a host; `end_commands` ends it, if nothing else has."""
        begun = subprocess.Popen(
            self._inside(name, command),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        self._commands.append(begun)
        return begun

    def end_commands(self) -> None:
        """End what was begun and still runs, so that a test that fails takes no processors from the next."""
        for begun in self._commands:
            if begun.poll() is None:
                os.killpg(begun.pid, signal.SIGKILL)
                begun.communicate()
        self._commands.clear()

    def pull_cable(self) -> None:
        """Take host B off the network; no connection is told."""
        self.run("B", ["ip", "link", "set", "eth0", "down"])

    def kill(self, name: str) -> None:
        """End a host with everything in it at once."""
        begun = self._started.pop(name)
        begun.kill()
        begun.wait()
        until(lambda: not Path(f"/proc/{self._first[name]}").exists(), f"the end of host {name}")

    def down(self) -> None:
        """End both hosts."""
        self.end_commands()
        for name in list(self._started):
            self.kill(name)
        shutil.rmtree(self.scratch, ignore_errors=True)
        for log in self.scratch.parent.glob(f"{self.scratch.name}-*.log"):
            log.unlink()

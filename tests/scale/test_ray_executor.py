"""A bench on two hosts that share nothing, and what becomes of it when a part of the cluster dies.

Every row is held against that of the same bench in this process: equal bit for bit, but for times, memory and host.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed; pip install 'mmrecun[ray]', or make test-ray")

from mmrecun import jobs, runs
from mmrecun.bench.cache import Cache, original_name
from mmrecun.bench.groups import groups
from mmrecun.bench.run import BenchPaths, run
from mmrecun.bench.spec import load
from mmrecun.scale.ray_engine import KEEPALIVE
from tests.scale.hosts import COMMAND, PATIENCE, Hosts, until, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "hosts can be made")

SPEC = """
name = "small"
seeds = [0, 1]
golds = 2
backbones = [{ model = "lightgcn", settings = { epochs = 4, batch_size = 128, learning_rate = 0.02, dim = 8 } }]
methods = ["mmrecun", "unlink"]
[[datasets]]
name = "made"
synthetic = { users = 60, items = 40, interactions = 800, groups = 4, width = 4 }
[[requests]]
target = "users"
ratio = 0.1
"""
PIECES = 2 + 2 + 1 + 4  # Originals, Golds, their rows, and each method with each seed
FREE = {"seconds", "gold_seconds", "speedup_over_gold", "peak_memory", "host", "shared"}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "small.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def here(spec: Path) -> Path:
    """The same bench in this process."""
    parsed, base = load(str(spec))
    out = spec.parent / "here"
    run(groups(parsed, base), BenchPaths(out, Cache(out / "cache", "cpu")))
    return out


@pytest.fixture
def originals(spec: Path) -> list[str]:
    """Names of the two pieces that can be begun at once."""
    parsed, base = load(str(spec))
    (group,) = groups(parsed, base)
    return [original_name(group.backbone, group.scenario.dataset.digest, seed).split("/")[1] for seed in (0, 1)]


def rows(out: Path) -> dict[str, dict]:
    return {path.name: json.loads(path.read_text()) for path in (out / "rows").iterdir()}


def figures(out: Path) -> dict[str, dict]:
    return {name: {key: value for key, value in row.items() if key not in FREE} for name, row in rows(out).items()}


class Traced:
    """A bench begun on host A, whose two Originals are held in the middle, one on each host."""

    def __init__(self, hosts: Hosts, spec: Path, folder: Path, held: list[str]) -> None:
        self.hosts, self.trace, self.out = hosts, folder / "trace", folder / "out"
        self.trace.mkdir(exist_ok=True)
        words = (spec, self.out, hosts.address, self.trace, *held)
        self.process = hosts.begin("A", [sys.executable, "-m", "tests.scale.driver", *words])
        self.count = len(held)

    def held(self) -> dict[str, Path]:
        """Wait until all are held; returns host -> the file that holds its piece."""
        found = until(lambda: self._ended_early() or self._held(), "pieces that are held")
        return {path.name.split()[2]: path for path in found}

    def _held(self) -> list[Path]:
        found = list(self.trace.glob("held *"))
        return found if len(found) == self.count else []

    def _ended_early(self) -> None:
        assert self.process.poll() is None, self.process.communicate()[1]

    def end(self) -> None:
        _, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, err

    def counts(self) -> tuple[int, int]:
        """How many pieces were begun, and ended."""
        return len(list(self.trace.glob("begin *"))), len(list(self.trace.glob("end *")))

    def again(self) -> set[str]:
        """Pieces that were begun more than once."""
        begun = Counter(path.name.split()[1] for path in self.trace.glob("begin *"))
        return {name for name, count in begun.items() if count > 1}


def nothing_left(out: Path) -> bool:
    return not list(out.rglob("*.partial")) and not list((out / "cache" / "rows").iterdir())


def test_a_cluster_that_is_well_passes_the_doctor(hosts: Hosts, tmp_path: Path):
    store = (tmp_path / "depot").as_uri()
    asked = [*COMMAND, "doctor", "--on", f"ray:{hosts.address}", "--store", store, "--json"]
    found = json.loads(hosts.run("A", asked).stdout)["checks"]
    by = {check["name"]: check for check in found}
    assert {check["state"] for check in found} == {"ok"}, found
    assert by["hosts"]["detail"] == "2 with 2 CPU, 0 GPU"
    assert {"versions on hosts", "keepalive", "token", "store"} <= set(by)


def test_rows_on_two_hosts_that_share_nothing_are_those_made_here(hosts: Hosts, here: Path, spec: Path, tmp_path: Path):
    words = [spec, "--out", tmp_path / "out", "--on", f"ray:{hosts.address}", "--device", "cpu", "--json"]
    found = json.loads(hosts.run("A", [*COMMAND, "bench", *words]).stdout)
    assert len(found["rows"]) == 8
    assert figures(tmp_path / "out") == figures(here)
    made = rows(tmp_path / "out").values()
    assert {row["host"] for row in made} == {"host-a", "host-b"}
    assert all(row["shared"] and row["speedup_over_gold"] is None for row in made)
    assert any(row["speedup_over_gold"] for row in rows(here).values())
    assert nothing_left(tmp_path / "out")
    for name in "AB":
        assert not hosts.run(name, ["find", hosts.scratch, "-name", "mmrecun-scratch-*"]).stdout


def test_a_killed_worker_is_replaced(hosts: Hosts, here: Path, spec: Path, tmp_path: Path, originals: list[str]):
    bench = Traced(hosts, spec, tmp_path, originals)
    held = bench.held()
    worker = held["host-b"].name.split()[3]
    hosts.run("B", ["kill", "-9", worker])
    for path in held.values():
        path.unlink()
    bench.end()
    assert bench.counts() == (PIECES + 1, PIECES)
    assert bench.again() == {held["host-b"].name.split()[1]}
    assert figures(bench.out) == figures(here)
    assert nothing_left(bench.out)


def test_a_driver_that_is_killed_goes_on_with_what_is_there(
    hosts: Hosts, here: Path, spec: Path, tmp_path: Path, originals: list[str]
):
    bench = Traced(hosts, spec, tmp_path, originals[1:])
    first = tmp_path / "out" / "cache" / "originals" / originals[0]
    bench.held()
    until(first.is_dir, "the Original that is not held")
    os.killpg(bench.process.pid, signal.SIGKILL)
    bench.process.communicate()
    for path in bench.trace.glob("held *"):
        path.unlink()
    before = runs.weights_digest(first), (first / "manifest.json").stat().st_mtime_ns
    for path in bench.trace.iterdir():
        path.unlink()
    again = Traced(hosts, spec, tmp_path, [])
    again.end()
    assert not list(again.trace.glob(f"begin {originals[0]} *"))
    assert again.counts()[1] < PIECES
    assert (runs.weights_digest(first), (first / "manifest.json").stat().st_mtime_ns) == before
    assert figures(again.out) == figures(here)


def test_folders_that_travel_through_a_store_give_the_same_rows(hosts: Hosts, here: Path, spec: Path, tmp_path: Path):
    """With the store filled, a bench elsewhere makes nothing anew: its times are those of the first."""
    store = (tmp_path / "depot").as_uri()
    for out in ("one", "two"):
        words = [spec, "--out", tmp_path / out, "--on", f"ray:{hosts.address}", "--device", "cpu", "--store", store]
        hosts.run("A", [*COMMAND, "bench", *words])
        assert figures(tmp_path / out) == figures(here)
    assert rows(tmp_path / "one") == rows(tmp_path / "two")


def test_golds_and_shadow_models_are_those_made_here(hosts: Hosts, run_folder: Path, tmp_path: Path):
    request = {"users": ["u00003", "u00007", "u00011"]}
    jobs.unlearn(run_folder, request, tmp_path / "after", "unlink")
    shutil.copytree(tmp_path / "after", tmp_path / "again")
    on = ("--on", f"ray:{hosts.address}")
    people = [word for user in request["users"] for word in ("--user", user)]
    words = ["unlearn", run_folder, *people, "--method", "retrain", "--seeds", "7,8", "--out", tmp_path / "golds", *on]
    hosts.run("A", [*COMMAND, *words])
    made = jobs.unlearn_seeds(run_folder, request, tmp_path / "here", (7, 8), "retrain")
    assert [runs.weights_digest(tmp_path / "golds" / place.name) for place in made] == [
        runs.weights_digest(place) for place in made
    ]
    hosts.run("A", [*COMMAND, "audit", tmp_path / "again", "--shadows", "4", *on])
    attacked = json.loads((tmp_path / "again" / "audit.json").read_text())
    alone = jobs.audit(tmp_path / "after", shadows=4).measurements("unlearned")
    (after,) = [state for state in attacked["states"] if state["name"] == "unlearned"]
    for name, value in alone.probes.items():
        assert after["probes"][name] == value


def test_what_no_host_has_is_refused_at_once(hosts: Hosts, spec: Path, tmp_path: Path):
    words = [spec, "--out", tmp_path / "out", "--on", f"ray:{hosts.address}", "--gpus", "0.25"]
    found = hosts.run("A", [*COMMAND, "bench", *words], check=False)
    assert found.returncode == 2
    assert "a piece takes 0.25 GPU, but no host of the cluster has more than 0" in found.stderr


def test_what_was_left_on_any_host_is_found_and_removed(hosts: Hosts, tmp_path: Path):
    """What tests before this one killed may have left more, on either host."""
    left, other = hosts.scratch / "mmrecun-scratch-0f", hosts.scratch / "another"
    hosts.run("B", ["sh", "-c", f"mkdir {left} {other} && printf u1,i1 > {left}/pairs"])
    asked = [*COMMAND, "leftovers", tmp_path, "--on", f"ray:{hosts.address}", "--json"]
    found = json.loads(hosts.run("A", asked).stdout)["leftovers"]
    assert (hosts.addresses["B"], str(left), 5) in [(one["host"], one["place"], one["size"]) for one in found]
    assert json.loads(hosts.run("A", [*asked, "--remove"]).stdout)["removed"] is True
    assert json.loads(hosts.run("A", asked).stdout)["leftovers"] == []
    hosts.run("B", ["rmdir", other])  # which is still there
    assert left.name not in hosts.run("B", ["ls", hosts.scratch]).stdout.split()


@pytest.mark.parametrize("loss", ["killed", "cable"])
def test_a_host_that_is_lost_takes_nothing_with_it(
    hosts: Hosts, here: Path, spec: Path, tmp_path: Path, originals: list[str], loss: str
):
    """Host B dies, or its cable is pulled, while it makes a piece: the piece is made on A, and the bench ends."""
    bench = Traced(hosts, spec, tmp_path, originals)
    held = bench.held()
    if loss == "killed":
        hosts.kill("B")
    else:
        hosts.pull_cable()
    held["host-a"].unlink()
    bench.end()
    begun, ended = bench.counts()
    assert (begun, ended) == (PIECES + 1, PIECES)
    assert bench.again() == {held["host-b"].name.split()[1]}
    assert figures(bench.out) == figures(here)
    assert nothing_left(bench.out)
    if loss == "cable":
        hosts.kill("B")
    hosts.up()


def test_a_cluster_without_keepalive_fails_the_doctor():
    careless = Hosts(keepalive={})
    careless.environment["RAY_AUTH_MODE"] = "disabled"
    try:
        careless.up()
        asked = [*COMMAND, "doctor", "--on", f"ray:{careless.address}", "--json"]
        found = careless.run("A", asked, check=False)
        assert found.returncode == 1
        by = {check["name"]: check for check in json.loads(found.stdout)["checks"]}
        assert by["keepalive"]["state"] == by["token"]["state"] == "failed"
        assert all(name in by["keepalive"]["detail"] for name in KEEPALIVE)
        assert by["versions on hosts"]["state"] == "ok"
    finally:
        careless.down()


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, spec: Path):
    words = ["bench", spec, "--out", tmp_path / "out", "--on", "ray:127.0.0.1:1"]
    found = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.strip().splitlines()[-1].startswith("error: --on ray:127.0.0.1:1:")

"""A run in two parts on two hosts, neither of which has the other's, is unlearned as on one machine."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray is not installed; pip install 'mmrecun[ray]', or make test-ray")

from mmrecun import Dataset, jobs
from mmrecun.chunked import run as mapped
from mmrecun.data import files
from tests.jobs.test_parts import assert_same, in_parts, one_pair
from tests.scale.hosts import COMMAND, Hosts

REQUESTS = {"user": {"users": ["u00003"]}, "item": {"items": ["i00005"]}}


@pytest.fixture(scope="module")
def run(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole run; its parts lie in the scratch folders of the hosts, which are not the same file system."""
    place = tmp_path_factory.mktemp("run")
    files.save(Dataset.synthetic(users=151, items=70, interactions=2000), place / "data")
    jobs.train_mapped(place / "data", "bprmf", place / "run", {"dim": 8, "epochs": 4, "batch_size": 400})
    jobs.split_mapped(place / "run", place / "parts", 2)
    for number, name in enumerate("AB"):
        own = place / "parts" / f"{number}-of-2"
        hosts.run(name, ["sh", "-c", f"mkdir {hosts.scratch}/parts && cp -r {own} {hosts.scratch}/parts"])
    return place / "run"


@pytest.mark.parametrize("kind", ["user", "item", "pair"])
def test_hosts_forget_what_they_own(hosts: Hosts, run: Path, tmp_path: Path, kind: str):
    request, out = REQUESTS.get(kind) or one_pair(run), hosts.scratch / f"after-{kind}"
    call = f"{str(hosts.scratch / 'parts')!r}, {request!r}, {str(out)!r}, on='ray:{hosts.address}'"
    code = f"import json; from mmrecun import jobs; print(json.dumps(jobs.unlearn_parts({call})))"
    told = json.loads(hosts.run("A", [sys.executable, "-c", code]).stdout.splitlines()[-1])
    (tmp_path / "parts").mkdir()
    for number, name in enumerate("AB"):
        assert hosts.run(name, ["ls", out]).stdout.split() == [f"{number}-of-2"]
        hosts.run(name, ["cp", "-r", out / f"{number}-of-2", tmp_path / "parts"])
    made = jobs.unlearn_mapped(run, request, tmp_path / "run")
    assert_same(in_parts(tmp_path / "parts"), mapped.read(tmp_path / "run"))
    assert (told["parts"], told["forgotten"], told["moved"]) == (2, made.forgotten, made.moved)
    assert np.array(list(told["moved"].values())).sum() > 0


PUT_BACK = """
import sys
from pathlib import Path
import numpy as np
from mmrecun.chunked import run as mapped
part = mapped.read(Path(sys.argv[1]), part=True)
table = part.table("users.vectors")
ones = np.ones((1, table.spec.shape[1]), dtype=np.float32)
rows = {**part.manifest.rows, "users.vectors": table.edited(np.array([int(sys.argv[2])]), ones, part.chunks).spec}
mapped.write_manifest(part.folder, part.manifest.model_copy(update={"rows": rows}))
"""


def test_commands_measure_and_audit_what_lies_on_hosts(hosts: Hosts, run: Path, tmp_path: Path):
    """As of the whole run on one machine. A vector that is put back on host B is found from host A."""
    parts, after, on = hosts.scratch / "parts", hosts.scratch / "by-command", ["--on", f"ray:{hosts.address}", "--json"]

    def told(*words: object) -> dict:
        return json.loads(hosts.run("A", [*COMMAND, *words, *on]).stdout)

    made = jobs.unlearn_mapped(run, REQUESTS["user"], tmp_path / "run")
    assert told("unlearn", parts, "--user", *REQUESTS["user"]["users"], "--out", after)["forgotten"] == made.forgotten
    ranked, here = told("evaluate", after, "--sample", 60), jobs.evaluate_mapped(tmp_path / "run", "test", 60)
    assert (ranked["metrics"], ranked["users"]) == (here.metrics, here.users)
    audited, (report, checked) = told("audit", after), jobs.audit_mapped(tmp_path / "run")
    assert (audited["residue"], audited["recall@20"]) == (checked["residue"], checked["recall@20"])
    assert set(audited["residue"].values()) == {True}
    assert (audited["verdict"], audited["retain"]) == (report.verdict, report.contract()["retain"])
    (row,) = mapped.read(run).find("users", tuple(REQUESTS["user"]["users"])).tolist()
    assert row % 2 == 1  # so that it lies on host B
    hosts.run("B", [sys.executable, "-c", PUT_BACK, after / "1-of-2", row // 2])
    assert [name for name, passed in told("audit", after)["residue"].items() if passed is False] == ["vectors"]


def test_an_error_of_a_request_is_one_line(hosts: Hosts, run: Path):
    call = f"{str(hosts.scratch / 'parts')!r}, {{'users': ['nobody']}}, '/none', on='ray:{hosts.address}'"
    found = hosts.run("A", [sys.executable, "-c", f"from mmrecun import jobs; jobs.unlearn_parts({call})"], check=False)
    assert "ForgetError: unknown user id: nobody" in found.stderr
    assert run.is_dir()

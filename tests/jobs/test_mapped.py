import re
import shutil
from pathlib import Path

import pytest
import safetensors
import safetensors.numpy

from mmrecun import Dataset, jobs
from mmrecun.auditing.result import Check
from mmrecun.chunked import chunks, lists, patches
from mmrecun.chunked import run as mapped
from mmrecun.data import files

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Train, evaluate, forget, check, and bring a replica to the same state."""
    monkeypatch.chdir(tmp_path)
    dataset = Dataset.synthetic(users=80, items=50, interactions=1200)
    files.save(dataset, tmp_path / "data")
    lines = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[1]
    lines = lines.replace('"u1"', repr(dataset.users.names[0])).replace('"dim": 64', '"dim": 8, "epochs": 2')
    head, tail = lines.split("jobs.apply_delta")
    exec(head, {})
    shutil.copytree("run", "replica")
    exec("from mmrecun import jobs\njobs.apply_delta" + tail, {})
    names = [sorted(path.name for path in Path(run).rglob("*")) for run in ("run2", "replica2")]
    assert set(names[1]) <= set(names[0])
    figures = [jobs.evaluate_mapped(run, "test", users=50).metrics for run in ("run2", "replica2")]
    assert figures[0] == figures[1]
    facts = [
        mapped.read(Path(run)).manifest.model_dump(include={"method", "stop", "seed"}) for run in ("run2", "replica2")
    ]
    assert facts[0] == facts[1]
    audited = jobs.audit_mapped("replica2")
    assert (audited.report.method, audited.found["parent"]) == ("local", str(tmp_path / "replica"))


def check_of_request(run: Path, key: bytes) -> Check:
    (found,) = (each for each in jobs.audit_mapped(run, key=key).report.checks if "asked for" in str(each.name))
    return found


def test_a_replica_keeps_the_hashes_of_all_requests(data: Path, tmp_path: Path):
    """The delta of each request has them; with one of an earlier version those of the requests before it stay."""
    key, made, replica = b"k" * 32, tmp_path / "run", tmp_path / "replica"
    jobs.train_mapped(data, "bprmf", made, {"dim": 8, "epochs": 1, "batch_size": 128})
    shutil.copytree(made, replica)
    for number, user in enumerate(("u00003", "u00004")):
        jobs.unlearn_mapped(made, {"users": [user]}, tmp_path / f"run{number}", delta=tmp_path / f"{number}", key=key)
        jobs.apply_delta(replica, tmp_path / f"{number}", tmp_path / f"replica{number}")
        made, replica = tmp_path / f"run{number}", tmp_path / f"replica{number}"
        wanted = mapped.read(made).manifest.requested
        assert mapped.read(replica).manifest.requested == wanted
        assert len(wanted.users) == number + 1
        check = check_of_request(replica, key)
        assert (check.state, check.detail) == ("passed", "all that was asked for is out: 1 user")
    with safetensors.safe_open(tmp_path / "1", "np") as file:
        facts = {name: value for name, value in file.metadata().items() if name != "requested"}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    safetensors.numpy.save_file(tensors, tmp_path / "old", facts)
    jobs.apply_delta(tmp_path / "replica0", tmp_path / "old", tmp_path / "replica2")
    kept = mapped.read(tmp_path / "replica2").manifest.requested
    assert (kept.users, kept.counts) == (mapped.read(tmp_path / "replica0").manifest.requested.users, {})
    check = check_of_request(tmp_path / "replica2", key)
    assert check.state == "not assessed"


@pytest.fixture
def waiting(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a trained run, exported, and of a second one whose rows wait in patches."""
    for module in (chunks, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 256)
    monkeypatch.setattr(patches, "DIRECT", 3)
    jobs.train_mapped(data, "bprmf", tmp_path / "s0", {"dim": 8, "epochs": 1, "batch_size": 128})
    jobs.unlearn_mapped(tmp_path / "s0", {"items": ["i00004"]}, tmp_path / "s1")
    for name in ("s0", "s1"):
        jobs.export_mapped(tmp_path / name, "vectors", tmp_path / "out" / f"of {name}")
    return tmp_path


def states(run: Path) -> dict[str, tuple[str, set[str]]]:
    """Name of the export -> its state, and the names of the runs that have forgotten more."""
    found = jobs.exports_mapped(run)
    told = {Path(each["path"]).name: (each["state"], {Path(one).name for one in each["because"]}) for each in found}
    assert len(told) == len(found)
    return told


def test_a_fold_keeps_the_line_of_exports(waiting: Path):
    place = waiting
    s1, s2, s3 = (place / f"s{number}" for number in (1, 2, 3))
    assert jobs.fold_mapped(s1, s2) > 0
    old, new = {"of s0": ("stale", {"s1", "s2"})}, {"of s1": ("current", set())}
    assert states(s1) == states(s2) == old | new
    jobs.export_mapped(s1, "lists", place / "out" / "afterwards", 3)
    assert states(s2) == old | new | {"afterwards": ("current", set())}
    jobs.unlearn_mapped(s2, {"users": ["u00003"]}, s3)
    late = {"of s1": ("stale", {"s3"}), "afterwards": ("stale", {"s3"})}
    assert states(s1) == states(s2) == states(s3) == old | late


def test_exports_are_known_when_the_runs_before_a_fold_are_removed(waiting: Path):
    place = waiting
    for name in ("s0", "s1"):  # one export after the other to one place
        shutil.rmtree(place / "out" / "both", ignore_errors=True)
        jobs.export_mapped(place / name, "vectors", place / "out" / "both")
    jobs.fold_mapped(place / "s1", place / "deeper" / "s2")
    for name in ("s0", "s1"):
        shutil.rmtree(place / name)
    s2, s3 = place / "deeper" / "s2", place / "deeper" / "s3"
    new = ("current", set())
    assert states(s2) == {"of s0": ("stale", {"s2"}), "of s1": new, "both": new}
    jobs.unlearn_mapped(s2, {"users": ["u00003"]}, s3)
    assert states(s3) == {"of s0": ("stale", {"s2"}), "of s1": ("stale", {"s3"}), "both": ("stale", {"s3"})}
    jobs.fold_mapped(s3, place / "s4")
    shutil.rmtree(place / "deeper")
    assert states(place / "s4") == dict.fromkeys(("of s0", "of s1", "both"), ("stale", {"s4"}))


def test_an_audit_names_what_still_holds_the_forgotten(waiting: Path):
    jobs.fold_mapped(waiting / "s1", waiting / "s2")
    jobs.unlearn_mapped(waiting / "s2", {"users": ["u00003"]}, waiting / "s3")
    for run, places in (("s1", ["s0"]), ("s2", ["s1", "s0"]), ("s3", ["s2", "s1", "s0"])):
        held = ", ".join(str(waiting / place) for place in places)
        data = "the dataset 'synthetic' that was trained on"
        wanted = f"What was forgotten is still in {held}, from before the request, and in {data}."
        assert wanted in jobs.audit_mapped(waiting / run, users=20).report.notes

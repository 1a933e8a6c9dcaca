"""Unlearning on the parts that own the touched rows, against the same on the whole run."""

from pathlib import Path

import numpy as np
import pytest

from mmrecun import Dataset, jobs
from mmrecun.chunked import chunks, lists, patches
from mmrecun.chunked import run as mapped
from mmrecun.chunked.parts import OwnerHere, RunInParts, part_folders
from mmrecun.claims import claimed
from mmrecun.data import files
from mmrecun.errors import ArtifactError, ConfigError, ForgetError

REQUESTS = {
    "user": {"users": ["u00003"]},
    "item": {"items": ["i00005"]},
    "all": {"users": ["u00010", "u00011"], "items": ["i00020"]},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("parts")
    files.save(Dataset.synthetic(users=151, items=70, interactions=2000), place / "data")
    jobs.train_mapped(place / "data", "vbpr", place / "run", {"dim": 8, "epochs": 4, "batch_size": 400})
    jobs.split_mapped(place / "run", place / "parts", 3)
    return place / "run"


def in_parts(place: Path) -> RunInParts:
    return RunInParts.of(place, [OwnerHere(folder) for _, folder in sorted(part_folders(place).items())])


def assert_same(parts: RunInParts, whole: mapped.MappedRun) -> None:
    assert parts.manifest.pairs == whole.manifest.pairs
    for side in mapped.SIDES:
        everybody = np.arange(whole.size(side))
        assert parts.size(side) == whole.size(side)
        assert parts.names(side, everybody) == whole.names(side, everybody)
        np.testing.assert_array_equal(parts.vectors(side, everybody), whole.vectors(side, everybody))
        for mine, theirs in zip(
            parts.pairs_of(side).lists(everybody), whole.pairs_of(side).lists(everybody), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)
        names = tuple(name for name in whole.names(side, everybody) if name)
        np.testing.assert_array_equal(parts.find(side, names), whole.find(side, names))


def one_pair(run: Path) -> dict:
    """A training pair."""
    whole = mapped.read(run)
    (values,) = whole.pairs_of("users").lists(np.array([7]))
    item = int(values[(values & 3) == 0][0] >> 2)
    return {"pairs": [(whole.names("users", np.array([7]))[0], whole.names("items", np.array([item]))[0])]}


def test_parts_hold_what_the_whole_holds(run: Path):
    assert_same(in_parts(run.with_name("parts")), mapped.read(run))


@pytest.mark.parametrize("kind", ["user", "item", "pair", "all"])
def test_parts_forget_as_the_whole_does(run: Path, tmp_path: Path, kind: str):
    request = one_pair(run) if kind == "pair" else REQUESTS[kind]
    told = jobs.unlearn_parts(run.with_name("parts"), request, tmp_path / "parts")
    made = jobs.unlearn_mapped(run, request, tmp_path / "run")
    parts, whole = in_parts(tmp_path / "parts"), mapped.read(tmp_path / "run")
    assert_same(parts, whole)
    assert (told["parts"], told["forgotten"], told["moved"], told["stop"]) == (3, made.forgotten, made.moved, made.stop)
    assert sum(made.moved.values()) > 0
    for folder in part_folders(tmp_path / "parts").values():
        part = mapped.read(folder, part=True)
        part.chunks.refuse_changed(part.manifest.chunks())
        assert {path.name for path in (folder / mapped.CHUNKS).iterdir()} == part.manifest.chunks()


def test_what_a_part_still_holds_fails_its_audit(run: Path, tmp_path: Path):
    """A vector is put back, and the row of the forgotten user into the list of an item that another part owns."""
    jobs.unlearn_parts(run.with_name("parts"), REQUESTS["user"], tmp_path / "out")
    whole, request = mapped.read(run), REQUESTS["user"]
    found = jobs.check_mapped(tmp_path / "out", request)
    assert set(found["residue"].values()) == {True}
    (row,) = whole.find("users", tuple(request["users"]))
    (values,) = whole.pairs_of("users").lists(np.array([row]))
    item = int(values[0] >> 2)
    for side, number, check in (("users", int(row), "vectors"), ("items", item, "lists")):
        folder = part_folders(tmp_path / "out")[number % 3]
        part, before = mapped.read(folder, part=True), (folder / mapped.MANIFEST).read_bytes()
        at = np.array([number // 3])
        if side == "users":
            table = part.table("users.vectors").edited(
                at, np.ones((1, whole.table("users.vectors").spec.shape[1])), part.chunks
            )
            rows, lists = {**part.manifest.rows, "users.vectors": table.spec}, part.manifest.lists
        else:
            (known,) = part.pairs_of("items").lists(at)
            back = np.append(known, np.uint32(row << 2))
            rows = part.manifest.rows
            lists = {
                **part.manifest.lists,
                "items": part.pairs_of("items").edited({int(at[0]): back}, part.chunks).spec,
            }
        mapped.write_manifest(folder, part.manifest.model_copy(update={"rows": rows, "lists": lists}))
        found = jobs.check_mapped(tmp_path / "out", request)["residue"]
        assert [name for name, passed in found.items() if not passed] == [check]
        (folder / mapped.MANIFEST).write_bytes(before)


def test_parts_are_folded_each_by_itself(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in (chunks, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 256)
    monkeypatch.setattr(patches, "DIRECT", 2)
    jobs.split_mapped(run, tmp_path / "parts", 2)
    told = jobs.unlearn_parts(tmp_path / "parts", REQUESTS["item"], tmp_path / "after")
    assert told["waiting"] == sum(
        mapped.read(folder, part=True).manifest.waiting() for folder in part_folders(tmp_path / "after").values()
    )
    assert told["waiting"] > 0
    whole = jobs.unlearn_mapped(run, REQUESTS["item"], tmp_path / "whole")
    assert whole.moved == told["moved"]
    assert_same(in_parts(tmp_path / "after"), mapped.read(tmp_path / "whole"))
    assert jobs.check_mapped(tmp_path / "after")["residue"]["chunks shared with the run before"] is False
    assert jobs.fold_mapped(tmp_path / "after", tmp_path / "folded") == told["waiting"]
    assert_same(in_parts(tmp_path / "folded"), mapped.read(tmp_path / "whole"))
    assert set(jobs.check_mapped(tmp_path / "folded", REQUESTS["item"])["residue"].values()) == {True}
    again = jobs.unlearn_parts(tmp_path / "folded", REQUESTS["user"], tmp_path / "again")
    assert again["forgotten"]["users"] == 1


def test_one_command_at_a_time_unlearns_into_a_place(run: Path, tmp_path: Path):
    """Of the whole, and of a part, which is what owners on other hosts claim; a killed one leaves nothing half."""
    out = tmp_path / "out"
    (out / f".1-of-3.{'0f' * 8}.partial").mkdir(parents=True)
    for place in (out, out / "1-of-3"):
        with claimed(place), pytest.raises(ArtifactError, match=f"another command is making {place} now"):
            jobs.unlearn_parts(run.with_name("parts"), REQUESTS["user"], out)
    jobs.unlearn_parts(run.with_name("parts"), REQUESTS["user"], out)
    assert {path.name for path in out.iterdir()} == {"0-of-3", "1-of-3", "2-of-3"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupted_unlearning_is_finished_by_the_same_call(run: Path, tmp_path: Path, monkeypatch):
    """The second owner fails; the first has written its part, which is left, and no other request takes it."""
    ask, asked = OwnerHere.ask, []

    def failing(self: OwnerHere, what: str, *arguments):
        if what == "erase":
            asked.append(self.folder)
            if len(asked) == 2:
                raise OSError("the host is gone")
        return ask(self, what, *arguments)

    monkeypatch.setattr(OwnerHere, "ask", failing)
    with pytest.raises(OSError, match="gone"):
        jobs.unlearn_parts(run.with_name("parts"), REQUESTS["user"], tmp_path / "out")
    with pytest.raises(ArtifactError, match="not all of one run"):
        in_parts(tmp_path / "out").size("users")
    first = (tmp_path / "out" / "0-of-3" / "mapped.json").stat().st_mtime_ns
    with pytest.raises(ArtifactError, match="exists"):
        jobs.unlearn_parts(run.with_name("parts"), REQUESTS["item"], tmp_path / "out")
    jobs.unlearn_parts(run.with_name("parts"), REQUESTS["user"], tmp_path / "out")
    assert (tmp_path / "out" / "0-of-3" / "mapped.json").stat().st_mtime_ns == first
    jobs.unlearn_mapped(run, REQUESTS["user"], tmp_path / "run")
    assert_same(in_parts(tmp_path / "out"), mapped.read(tmp_path / "run"))


def test_what_cannot_be_is_refused(run: Path, tmp_path: Path):
    with pytest.raises(ArtifactError, match="one part of a run, not the whole"):
        jobs.evaluate_mapped(run.with_name("parts") / "0-of-3")
    with pytest.raises(ConfigError, match="choose 1 to 70"):
        jobs.split_mapped(run, tmp_path / "many", 71)
    with pytest.raises(ForgetError, match="unknown user id"):
        jobs.unlearn_parts(run.with_name("parts"), {"users": ["nobody"]}, tmp_path / "out")
    with pytest.raises(ArtifactError, match="not all of one run"):
        jobs.unlearn_parts(tmp_path, {"users": ["u00003"]}, tmp_path / "out")

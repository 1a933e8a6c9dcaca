"""Erasures against sets of pairs in memory, deltas against their maker, and balances against loops in float64."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.one_machine import make, requests_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmrecun import jobs
from mmrecun.atomic import staged_folder
from mmrecun.chunked import chunks, delta, lists, patches, run
from mmrecun.chunked.erasure import Erasure, apply, erasure_of, lost_partners
from mmrecun.chunked.folding import fold
from mmrecun.chunked.local_balance import restore
from mmrecun.data.interactions import Split
from mmrecun.data.mapped_import import open_mapped
from mmrecun.errors import ArtifactError, ForgetError
from mmrecun.forget.request import ForgetRequest
from mmrecun.rng import Seed


def pairs_of(made: run.MappedRun) -> set[tuple[int, int, int]]:
    found = made.interactions(np.arange(made.size("users")), *Split)
    return set(zip(found.users.tolist(), found.items.tolist(), found.splits.tolist(), strict=True))


def swapped_pairs_of(made: run.MappedRun) -> set[tuple[int, int, int]]:
    lists = made.pairs_of("items").lists(np.arange(made.size("items")))
    return {(int(value) >> 2, item, int(value) & 3) for item, values in enumerate(lists) for value in values}


def some_request(made: run.MappedRun, rng: np.random.Generator, counts: tuple[int, int, int]) -> ForgetRequest:
    users = tuple(made.names("users", np.sort(rng.choice(200, counts[0], replace=False))))
    items = tuple(made.names("items", np.sort(rng.choice(90, counts[1], replace=False))))
    known = sorted(pairs_of(made))
    chosen = [known[at] for at in rng.choice(len(known), counts[2], replace=False)]
    pairs = tuple(
        (made.names("users", np.array([user]))[0], made.names("items", np.array([item]))[0]) for user, item, _ in chosen
    )
    return ForgetRequest(users=users, items=items, pairs=pairs)


@given(seed=st.integers(0, 2**32 - 1), counts=st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 5)))
@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_what_is_left_is_what_a_set_would_hold(parent: run.MappedRun, tmp_path_factory, seed, counts):
    if not any(counts):
        return
    place, rng = tmp_path_factory.mktemp("erased"), np.random.default_rng(seed)
    request = some_request(parent, rng, counts)
    rows = {side: set(parent.require(side, getattr(request, side)).tolist()) for side in run.SIDES}
    single = {tuple(parent.require(s, (n,))[0] for s, n in zip(run.SIDES, pair, strict=True)) for pair in request.pairs}
    wanted = {
        (user, item, split)
        for user, item, split in pairs_of(parent)
        if user not in rows["users"] and item not in rows["items"] and (user, item) not in single
    }
    erasure = erasure_of(parent, request)
    balance = restore(parent, lost_partners(parent, erasure), Seed(0))
    erasure = Erasure(erasure.gone, erasure.pairs, balance.moved)
    with staged_folder(place / "child") as staging:
        told = apply(parent, erasure, staging)
    child = run.read(place / "child")
    child.chunks.refuse_changed(child.manifest.chunks())
    assert pairs_of(child) == swapped_pairs_of(child) == wanted
    assert child.manifest.pairs == {
        split.name.lower(): sum(label == split for _, _, label in wanted) for split in Split
    }
    assert told.forgotten["interactions"] == parent.manifest.pairs["train"] - child.manifest.pairs["train"]
    for side, names in (("users", request.users), ("items", request.items)):
        assert (child.find(side, names) == -1).all()
        everybody = np.arange(parent.size(side))
        before, after = parent.vectors(side, everybody), child.vectors(side, everybody)
        gone, moved = erasure.gone[side], erasure.moved[side][0]
        assert not after[gone].any()
        same = np.setdiff1d(everybody, np.concatenate([gone, moved]))
        assert torch.equal(before[same], after[same])
        assert child.names(side, gone) == [""] * len(gone)
    delta.write(place / "delta", erasure, parent.manifest.digest, child.manifest)
    shutil.copytree(parent.folder, place / "replica")
    made = delta.apply_to(run.read(place / "replica"), place / "delta", place / "replica2")
    assert made.digest == child.manifest.digest
    assert {path.name for path in (place / "replica2" / run.CHUNKS).iterdir()} == child.manifest.chunks()


def test_a_parent_is_as_before_and_its_own_chunks_go_with_it(parent: run.MappedRun, tmp_path: Path):
    before = {path.name: path.read_bytes() for path in (parent.folder / run.CHUNKS).iterdir()}
    name = parent.names("users", np.array([17]))[0]
    erasure = erasure_of(parent, ForgetRequest(users=(name,)))
    balance = restore(parent, lost_partners(parent, erasure), Seed(0))
    with staged_folder(tmp_path / "child") as staging:
        apply(parent, Erasure(erasure.gone, erasure.pairs, balance.moved), staging)
    assert {path.name: path.read_bytes() for path in (parent.folder / run.CHUNKS).iterdir()} == before
    assert 0 < balance.explained <= 1
    held = [digest for digest, content in before.items() if name.encode() in content]
    assert held
    shutil.rmtree(parent.folder)
    child = run.read(tmp_path / "child")
    child.chunks.refuse_changed(child.manifest.chunks())
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(name.encode() in path.read_bytes() for path in left)
    assert not any(path.name in held for path in left)


def test_what_waits_is_gone_when_it_is_folded_and_the_runs_before_are_removed(
    parent: run.MappedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An item is forgotten, then a user; no file on the disk holds an old vector of a moved row any more."""
    monkeypatch.setattr(patches, "DIRECT", 2)
    before, made, old = parent, [parent.folder], []
    for number, request in enumerate(
        (ForgetRequest(items=tuple(parent.names("items", np.array([5])))), ForgetRequest(users=("u00040",)))
    ):
        erasure = erasure_of(before, request)
        moved = restore(before, lost_partners(before, erasure), Seed(0)).moved
        old += [bytes(row.numpy()) for side in run.SIDES for row in before.vectors(side, moved[side][0])]
        old += [bytes(row.numpy()) for side in run.SIDES for row in before.vectors(side, erasure.gone[side])]
        place = tmp_path / f"child{number}"
        with staged_folder(place) as staging:
            apply(before, Erasure(erasure.gone, erasure.pairs, moved), staging)
        made.append(place)
        before = run.read(place)
        assert before.manifest.waiting() > 0
    with staged_folder(tmp_path / "folded") as staging:
        fold(before, staging, tmp_path / "folded")
    folded = run.read(tmp_path / "folded")
    assert folded.manifest.waiting() == 0
    folded.chunks.refuse_changed(folded.manifest.chunks())
    assert pairs_of(folded) == swapped_pairs_of(folded) == pairs_of(before)
    for side in run.SIDES:
        everybody = np.arange(parent.size(side))
        assert torch.equal(folded.vectors(side, everybody), before.vectors(side, everybody))

    def found() -> int:
        content = b"|".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        return sum(vector in content for vector in old)

    assert found() == len(old) > 60
    for place in made[:-1]:
        shutil.rmtree(place)
    assert found() > 0
    shutil.rmtree(made[-1])
    assert found() == 0
    assert {path.name for path in (tmp_path / "folded" / run.CHUNKS).iterdir()} == folded.manifest.chunks()


def test_an_erasure_writes_no_more_where_there_is_ten_times_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A user with eight pairs, an item with 400 and a pair: the chunks that are written, in bytes."""
    for module in (chunks, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 4096)
    written: dict[str, list[int]] = {}
    for users, items, pairs in ((3000, 400, 30_000), (30_000, 1200, 300_000)):
        place, rng = tmp_path / str(users), np.random.default_rng(0)
        make(place / "data", users, items, pairs)
        vectors = {side: rng.normal(0, 0.3, (n, 16)).astype("f4") for side, n in (("users", users), ("items", items))}
        with staged_folder(place / "run") as staging:
            run.write(staging, open_mapped(place / "data"), vectors, model="bprmf", settings={}, training={}, seed=0)
        before = {path.name for path in (place / "run" / run.CHUNKS).iterdir()}
        for kind, request in requests_of(place / "data").items():
            jobs.unlearn_mapped(place / "run", request, place / kind)
            new = [path.stat().st_size for path in (place / kind / run.CHUNKS).iterdir() if path.name not in before]
            written.setdefault(kind, []).append(sum(new))
    for kind, (small_one, large_one) in written.items():
        assert large_one < 2 * small_one, (kind, written)


def test_a_run_without_patches_is_written_as_it_always_was(parent: run.MappedRun):
    """So earlier versions read it, and its digest is the one that they gave it."""
    text = (parent.folder / run.MANIFEST).read_text(encoding="utf-8")
    assert '"patch"' not in text
    parts = {
        name: {key: json.loads(text)[kind][name][key] for key in keys}
        for kind, keys in (("rows", ("dtype", "shape", "per_chunk", "chunks")), ("lists", ("starts", "chunks")))
        for name in json.loads(text)[kind]
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    assert parent.manifest.digest == digest


def test_a_process_that_is_killed_while_it_publishes_loses_nothing(parent: run.MappedRun, tmp_path: Path):
    """It is killed after its first and third chunk; the parent stays whole, and the same call works afterwards."""
    code = f"""
import os, signal, sys
from pathlib import Path
import numpy as np
from mmrecun.atomic import staged_folder
from mmrecun.chunked import chunks, run
from mmrecun.chunked.erasure import apply, erasure_of
from mmrecun.forget.request import ForgetRequest
put = chunks.ChunkFolder.put
def dying(self, content):
    global left
    done = put(self, content)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
chunks.ChunkFolder.put = dying
for left in map(int, sys.stdin):
    child = os.fork()  # so that modules are loaded once
    if not child:
        parent = run.read(Path({str(parent.folder)!r}))
        erasure = erasure_of(parent, ForgetRequest(users=tuple(parent.names('users', np.array([3])))))
        with staged_folder(Path({str(tmp_path / "child")!r})) as staging:
            apply(parent, erasure, staging)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as forking:
        for number, status in ((1, -signal.SIGKILL), (3, -signal.SIGKILL), (1000, 0)):
            forking.stdin.write(f"{number}\n")
            assert int(forking.stdout.readline()) == status
            assert (tmp_path / "child").exists() == (number == 1000)
            whole = run.read(parent.folder)
            whole.chunks.refuse_changed(whole.manifest.chunks())
    child = run.read(tmp_path / "child")
    child.chunks.refuse_changed(child.manifest.chunks())


def test_requests_that_cannot_be_met_are_one_clear_line(parent: run.MappedRun):
    user, item = parent.names("users", np.array([0]))[0], parent.names("items", np.array([0]))[0]
    known = {item for who, item, _ in pairs_of(parent) if who == 0}
    other = parent.names("items", np.array([next(row for row in range(90) if row not in known)]))[0]
    for request, message in (
        (ForgetRequest(), "the request is empty"),
        (ForgetRequest(users=("nobody",)), "unknown user id: nobody"),
        (ForgetRequest(pairs=((user, "nothing"),)), "unknown item id: nothing"),
        (ForgetRequest(pairs=((user, other),)), "no such interaction"),
        (ForgetRequest(items=(item,), modalities={"image": None}), "no modalities"),
    ):
        with pytest.raises(ForgetError, match=message):
            erasure_of(parent, request)


def test_a_delta_of_another_run_or_a_damaged_one_is_refused(parent: run.MappedRun, tmp_path: Path):
    erasure = erasure_of(parent, ForgetRequest(users=tuple(parent.names("users", np.array([1])))))
    nothing = np.zeros(0, dtype=np.int64), np.zeros((0, 16), dtype=np.float32)
    erasure = Erasure(erasure.gone, erasure.pairs, dict.fromkeys(run.SIDES, nothing))
    other = parent.manifest.model_copy(update={"digest": "1" * 64})
    delta.write(tmp_path / "delta", erasure, "0" * 64, other)
    with pytest.raises(ArtifactError, match="apply earlier deltas first"):
        delta.apply_to(parent, tmp_path / "delta", tmp_path / "out")
    delta.write(tmp_path / "delta", erasure, parent.manifest.digest, other)
    with pytest.raises(ArtifactError, match="another run than its maker has"):
        delta.apply_to(parent, tmp_path / "delta", tmp_path / "out")
    (tmp_path / "delta").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match="not a readable erase delta"):
        delta.read(tmp_path / "delta")
    assert not (tmp_path / "out").exists()

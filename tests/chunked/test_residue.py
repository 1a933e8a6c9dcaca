"""What the check of a run in chunks finds of removed ids, and what only looks like them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrecun import jobs
from mmrecun.atomic import staged_folder
from mmrecun.chunked import run
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.mapped_import import open_mapped

CLEAN = {"bytes of ids in new chunks": True, "hashes of ids": True}


def ids_of(found: dict) -> dict[str, bool]:
    return {name: found["residue"][name] for name in CLEAN}


@pytest.fixture
def numbered(tmp_path: Path, small) -> Path:
    """A run of the users 1 to 300."""
    rng = np.random.default_rng(1)
    pairs = [(str(user), f"i{item}") for user in range(1, 301) for item in rng.choice(40, 4, replace=False)]
    files.save(Dataset.from_frames(pl.DataFrame(pairs, ["user", "item"], orient="row")), tmp_path / "data")
    data = open_mapped(tmp_path / "data")
    vectors = {
        side: rng.normal(size=(len(names), 4)).astype("f4")
        for side, names in (("users", data.users), ("items", data.items))
    }
    with staged_folder(tmp_path / "run") as staging:
        run.write(staging, data, vectors, model="bprmf", settings={}, training={}, seed=0)
    return tmp_path / "run"


def test_an_id_across_the_rows_of_two_others_is_none(numbered: Path, tmp_path: Path):
    """In the table of ids "102" also stands across "210" and "211"."""
    content = run.read(numbered).table("users.ids").whole().tobytes()
    assert content.count(b"102") > 1
    jobs.unlearn_mapped(numbered, {"users": ["102"]}, tmp_path / "out")
    assert ids_of(jobs.check_mapped(tmp_path / "out", {"users": ["102"]})) == CLEAN


def with_tables(folder: Path, changed: dict) -> None:
    """Let a run have other tables."""
    own = run.read(folder)
    run.write_manifest(folder, own.manifest.model_copy(update={"rows": {**own.manifest.rows, **changed}}))


def test_an_id_or_a_hash_that_is_put_back_is_found(numbered: Path, tmp_path: Path):
    before = run.read(numbered)
    (row,) = before.find("users", ("102",))
    jobs.unlearn_mapped(numbered, {"users": ["102"]}, tmp_path / "out")
    after = run.read(tmp_path / "out")
    manifest = (tmp_path / "out" / run.MANIFEST).read_bytes()
    names = after.table("users.ids")
    elsewhere = np.array([(row + 1) % 300])  # over another id of the same chunk, since its own row is to be blank
    with_tables(
        tmp_path / "out",
        {"users.ids": names.edited(elsewhere, before.table("users.ids").rows(np.array([row])), after.chunks).spec},
    )
    assert not jobs.check_mapped(tmp_path / "out")["residue"]["bytes of ids in new chunks"]
    (tmp_path / "out" / run.MANIFEST).write_bytes(manifest)
    with_tables(tmp_path / "out", {"users.hashes": before.table("users.hashes").spec})
    after.chunks.share(before.chunks, before.table("users.hashes").spec.chunks)
    assert ids_of(jobs.check_mapped(tmp_path / "out")) == CLEAN | {"hashes of ids": False}


def test_no_hash_of_two_requests_in_a_row_is_left(numbered: Path, tmp_path: Path):
    """The second one erases the id whose hash the first one repeated in the place of the first id."""
    names, hashes, rows = run.read(numbered).index("users")
    last = names.rows(rows.chunk(0)[-1:].astype(np.int64))[0].tobytes().rstrip(b"\0").decode()
    first = names.rows(rows.chunk(0)[:1].astype(np.int64))[0].tobytes().rstrip(b"\0").decode()
    place = numbered
    for number, user in enumerate((first, last)):
        jobs.unlearn_mapped(place, {"users": [user]}, tmp_path / f"out{number}")
        place = tmp_path / f"out{number}"
        assert ids_of(jobs.check_mapped(place, {"users": [user]})) == CLEAN
    assert not np.isin(hashes.chunk(0)[[0, -1]], run.read(place).table("users.hashes").whole()).any()

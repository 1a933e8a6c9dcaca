"""Chunked tables and lists against arrays and lists in memory."""

import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmrecun.chunked import chunks, lists, patches
from mmrecun.chunked.chunks import ChunkFolder
from mmrecun.chunked.lists import ChunkedLists
from mmrecun.chunked.rows import ChunkedRows
from mmrecun.errors import ArtifactError, DiskError


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for module in (chunks, lists):
        monkeypatch.setattr(module, "CHUNK_BYTES", 64)


SHARED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 60), width=st.integers(1, 20), edits=st.integers(0, 4))
@SHARED
def test_a_table_is_an_array_and_what_it_was_before_stays(tmp_path_factory, seed, size, width, edits):
    rng, place = np.random.default_rng(seed), tmp_path_factory.mktemp("rows")
    array = rng.normal(size=(size, width)).astype(np.float32)
    table = ChunkedRows.write(array, ChunkFolder(place / "0"))
    for number in range(1, edits + 1):
        before, spec = array.copy(), table.spec
        at = rng.permutation(size)[: rng.integers(0, size + 1)]
        values = rng.normal(size=(len(at), width)).astype(np.float32)
        folder = ChunkFolder(place / str(number))
        folder.share(table.folder, spec.chunks)
        edited = table.edited(at, values, folder)
        np.testing.assert_array_equal(table.rows(np.arange(size)), before)
        kept = [old == new for old, new in zip(spec.chunks, edited.spec.chunks, strict=True)]
        touched = np.unique(at // spec.per_chunk)
        assert np.flatnonzero(~np.array(kept)).tolist() == touched.tolist()
        array[at], table = values, edited
    asked = rng.integers(0, size, 30)
    np.testing.assert_array_equal(table.rows(asked), array[asked])
    assert ChunkedRows.write(array, ChunkFolder(place / "again")).spec == table.spec


@given(seed=st.integers(0, 2**32 - 1), direct=st.integers(0, 6), most=st.integers(0, 400))
@SHARED
def test_rows_that_wait_are_read_and_folded_as_if_they_had_been_written(tmp_path_factory, seed, direct, most):
    """Five rounds on tables and lists: some rows are urgent, and none of those is left in a chunk or a patch."""
    rng, place = np.random.default_rng(seed), tmp_path_factory.mktemp("waiting")
    array = rng.integers(1, 2**31, (60, 3), dtype=np.int64).astype(np.int32)
    known = [rng.integers(0, 2**32, rng.integers(1, 9), dtype=np.uint32) for _ in range(60)]
    table = ChunkedRows.write(array, ChunkFolder(place / "0"))
    block = np.array([len(each) for each in known]), np.concatenate(known)
    made = ChunkedLists.write([block], ChunkFolder(place / "0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "DIRECT", direct)
        patch.setattr(patches, "PATCH_BYTES", most)
        for number in range(1, 6):
            at = rng.permutation(60)[: rng.integers(0, 20)]
            urgent = rng.random(len(at)) < 0.2
            array[at] = rng.integers(1, 2**31, (len(at), 3))
            changed = {int(row): rng.integers(0, 2**32, rng.integers(1, 9), dtype=np.uint32) for row in at}
            folder = ChunkFolder(place / str(number), behind=table.folder)
            table = table.edited(at, array[at], folder, urgent)
            made = made.edited(changed, folder, at[urgent].tolist())
            known = [changed.get(row, values) for row, values in enumerate(known)]
            asked = rng.integers(0, 60, 30)
            np.testing.assert_array_equal(table.rows(asked), array[asked])
            assert [each.tolist() for each in made.lists(asked)] == [known[row].tolist() for row in asked]
            for part in (table.spec.patch, made.spec.patch):
                waiting = [] if part is None else ChunkedRows(part[0], folder).whole().tolist()
                assert not set(waiting) & set(at[urgent].tolist())
                assert waiting == sorted(set(waiting))
            bare = ChunkedRows(table.spec.model_copy(update={"patch": None}), folder)
            np.testing.assert_array_equal(bare.rows(at[urgent]), array[at[urgent]])
        folder = ChunkFolder(place / "folded", behind=folder)
        flat, lists_of = table.folded(folder), made.folded(folder)
    assert (flat.spec.patch, lists_of.spec.patch) == (None, None)
    assert flat.spec == ChunkedRows.write(array, folder).spec
    assert [each.tolist() for each in lists_of.lists(np.arange(60))] == [each.tolist() for each in known]


def test_rows_wait_where_many_chunks_are_touched_until_they_are_many():
    everywhere, none = np.arange(100), np.zeros(100, dtype=bool)
    assert patches.written_now(everywhere[: patches.DIRECT], none[: patches.DIRECT], everywhere[: patches.DIRECT]).all()
    assert not patches.written_now(everywhere, none, everywhere).any()
    assert patches.written_now(everywhere, everywhere == 7, everywhere).sum() == 1
    assert patches.written_now(everywhere, none, np.full(100, patches.PATCH_BYTES // 99)).all()
    assert patches.written_now(np.full(100, 5), none, everywhere).all()


@given(
    seed=st.integers(0, 2**32 - 1),
    lengths=st.lists(st.integers(0, 25), min_size=1, max_size=40),
    block=st.integers(1, 50),
)
@SHARED
def test_lists_are_lists_and_what_they_were_before_stays(tmp_path_factory, seed, lengths, block):
    rng, place = np.random.default_rng(seed), tmp_path_factory.mktemp("lists")
    known = [rng.integers(0, 2**32, length, dtype=np.uint32) for length in lengths]
    parts = [known[start : start + block] for start in range(0, len(known), block)]
    made = ChunkedLists.write(
        ((np.array([len(each) for each in part]), np.concatenate(part)) for part in parts), ChunkFolder(place / "0")
    )
    assert len(made) == len(known)
    asked = rng.integers(0, len(known), 10)
    assert [each.tolist() for each in made.lists(asked)] == [known[row].tolist() for row in asked]
    folder = ChunkFolder(place / "1")
    folder.share(made.folder, made.spec.chunks)
    changed = {int(row): rng.integers(0, 9, rng.integers(0, 40), dtype=np.uint32) for row in asked[:4]}
    edited = made.edited(changed, folder)
    wanted = [changed.get(row, values).tolist() for row, values in enumerate(known)]
    everything = np.arange(len(known))
    assert [each.tolist() for each in edited.lists(everything)] == wanted
    differ = [row for row, values in enumerate(known) if wanted[row] != values.tolist()]
    if edited.spec.patch is None:
        assert np.concatenate(list(edited.candidates(made))).tolist() == differ
    assert set(differ) <= set(np.concatenate(list(made.candidates(edited))).tolist())
    assert [each.tolist() for each in made.lists(everything)] == [each.tolist() for each in known]


def test_a_chunk_is_gone_when_the_last_run_that_names_it_is_removed(tmp_path):
    first, second = ChunkFolder(tmp_path / "first"), ChunkFolder(tmp_path / "second")
    shared, own = first.put(b"shared"), first.put(b"own")
    second.share(first, [shared])
    assert (second.path / shared).stat().st_nlink == 2
    (first.path / shared).unlink()
    (first.path / own).unlink()
    assert bytes(second.get(shared)) == b"shared"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [shared]


def test_a_chunk_that_is_missing_or_changed_is_named(tmp_path):
    folder = ChunkFolder(tmp_path / "chunks")
    digest = folder.put(b"content")
    folder.refuse_changed([digest])
    (folder.path / digest).write_bytes(b"CONTENT")
    with pytest.raises(ArtifactError, match=f"{digest}: changed"):
        ChunkFolder(folder.path).refuse_changed([digest])
    with pytest.raises(ArtifactError, match="missing"):
        folder.get("0" * 64)
    with pytest.raises(ArtifactError, match="missing"):
        ChunkFolder(tmp_path / "other").share(folder, ["0" * 64])


def test_a_row_of_a_chunk_that_is_cut_short_or_missing_is_named(tmp_path):
    written = ChunkedRows.write(np.arange(12.0)[:, None], ChunkFolder(tmp_path / "chunks"))
    path = tmp_path / "chunks" / written.spec.chunks[-1]
    table = ChunkedRows(written.spec, ChunkFolder(tmp_path / "none", behind=ChunkFolder(path.parent)))
    assert table.rows(np.array([11, 3])).tolist() == [[11.0], [3.0]]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ArtifactError, match=f"{path.name}: cut short"):
        table.rows(np.array([11]))
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{path.name}: missing"):
        table.rows(np.array([11]))


def test_more_chunks_are_read_than_files_may_be_open(tmp_path):
    """Rows and lists of 200 chunks, read at once, with room for forty files more than are open."""
    folder = ChunkFolder(tmp_path / "chunks")
    array = np.arange(3200, dtype=np.float64)[:, None]
    table = ChunkedRows.write(array, folder)
    made = ChunkedLists.write([(np.full(3200, 8), np.arange(25600, dtype=np.uint32))], folder)
    assert len(table.spec.chunks) > 200
    assert len(made.spec.chunks) > 200
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + chunks._OPEN + 40, hard))
    try:
        np.testing.assert_array_equal(table.whole(), array)
        found = made.lists(np.arange(3200))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert np.concatenate(found).tolist() == list(range(25600))


def test_chunks_are_copied_where_files_cannot_have_two_names(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(1, "not permitted")

    first, second = ChunkFolder(tmp_path / "first"), ChunkFolder(tmp_path / "second")
    digest = first.put(b"content")
    monkeypatch.setattr(chunks.os, "link", refused)
    second.share(first, [digest])
    assert bytes(second.get(digest)) == b"content"
    assert (first.path / digest).stat().st_nlink == 1


def test_a_chunk_that_the_disk_does_not_take_is_a_full_disk(tmp_path: Path):
    """A limit on the size of files stands for it."""
    folder, before = ChunkFolder(tmp_path / "chunks"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(DiskError, match="cannot be written: File too large"):
            folder.put(bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "chunks").iterdir()) == []

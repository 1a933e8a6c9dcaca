"""A folder or a file is there whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from mmrecun.atomic import refuse_existing, replace_file, replacing, staged_folder, usual_permissions
from mmrecun.errors import ArtifactError, DiskError


def test_a_folder_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "run"
    with staged_folder(target) as staging:
        (staging / "a.txt").write_text("a", encoding="utf-8")
        assert not target.exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "a.txt"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there_before", [False, True])
def test_a_failure_leaves_nothing_new_behind(tmp_path, failure, there_before):
    target = tmp_path / "run"
    if there_before:
        target.mkdir()
    with pytest.raises(failure), staged_folder(target) as staging:  # noqa: PT012
        (staging / "deep").mkdir()
        (staging / "deep" / "a.txt").write_text("a", encoding="utf-8")
        raise failure
    assert list(tmp_path.rglob("*")) == ([target] if there_before else [])


def test_whoever_comes_second_is_refused_and_leaves_nothing(tmp_path):
    target = tmp_path / "run"
    with pytest.raises(ArtifactError, match="already exists"), staged_folder(target) as staging:  # noqa: PT012
        (staging / "a.txt").write_text("a", encoding="utf-8")
        target.mkdir()
        (target / "taken").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["run", "taken"]


def test_two_at_once_write_in_different_places(tmp_path):
    """Also two processes of one number, as two containers on a shared folder have them."""
    with staged_folder(tmp_path / "run") as first, pytest.raises(RuntimeError):  # noqa: PT012, SIM117
        with staged_folder(tmp_path / "run") as second:
            (second / "b.txt").touch()
            assert first != second
            assert not list(first.iterdir())
            raise RuntimeError
    assert list(tmp_path.rglob("*")) == [tmp_path / "run"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "run").mkdir()
    with staged_folder(tmp_path / "run") as staging:
        (staging / "a.txt").touch()
    assert (tmp_path / "run" / "a.txt").exists()


def test_missing_parents_are_made(tmp_path):
    with staged_folder(tmp_path / "a" / "b"):
        pass
    assert (tmp_path / "a" / "b").is_dir()


def test_what_stands_there_is_not_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old.txt").touch()
    (tmp_path / "file").touch()
    for name in ("run", "file"):
        with pytest.raises(ArtifactError, match="already exists"), staged_folder(tmp_path / name):
            pass
    assert (tmp_path / "run" / "old.txt").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot write"), staged_folder(tmp_path / "file" / "run"):
        pass


def test_a_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "a.bin"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(TypeError):
        replace_file(path, "text")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_whether_or_not_there_is_something(tmp_path):
    (tmp_path / "there").mkdir()
    for name in ("there", "not_yet"):
        link = tmp_path / f"link_to_{name}"
        link.symlink_to(tmp_path / name)
        with staged_folder(link) as staging:
            (staging / "a.txt").touch()
        assert link.is_symlink()
        assert [path.name for path in (tmp_path / name).iterdir()] == ["a.txt"]
    assert len(list(tmp_path.iterdir())) == 4


def test_what_cannot_be_written_is_said_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="file: Not a directory"):
        refuse_existing(tmp_path / "file" / "a" / "run")
    with pytest.raises(ArtifactError, match="'~' stands for no folder"):
        refuse_existing(Path("~") / "run")
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path)
    with pytest.raises(ArtifactError, match=f"{tmp_path}: Permission denied"):
        refuse_existing(tmp_path / "a" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_told_with_the_name_of_the_target(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    for block in (staged_folder, replacing):
        with pytest.raises(DiskError, match="run: cannot be written: No space left"), block(tmp_path / "run"):
            raise full
    assert not list(tmp_path.iterdir())


SAID_BY_LIBRARIES = [  # by the library of safetensors, polars, PyArrow, and NumPy's own words in ours
    RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ArtifactError("{}/a.parquet: cannot be written: underlying IO error: No space left on device (os error 28)"),
    OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"),
    OSError(errno.ENOSPC, "No space left on device", "{}/a.npy"),
]


@pytest.mark.parametrize("error", SAID_BY_LIBRARIES, ids=repr)
def test_a_full_disk_is_told_however_a_library_says_it(tmp_path, error):
    with pytest.raises(ArtifactError) as told, staged_folder(tmp_path / "run") as staging:  # noqa: PT012
        if isinstance(error, OSError) and error.filename:
            raise OSError(error.errno, error.strerror, error.filename.format(staging))
        raise type(error)(str(error).format(staging))
    assert str(told.value) == f"{tmp_path / 'run'}: cannot be written: No space left on device"


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "data/interactions.parquet"),
        ArtifactError("data/a.npy: no such file (os error 2)"),
        RuntimeError("no such file (os error 2)"),
        ValueError("3 rows"),
    ],
    ids=repr,
)
def test_other_errors_stay_what_they_are(tmp_path, error):
    with pytest.raises(type(error)) as told, staged_folder(tmp_path / "run"):
        raise error
    assert told.value is error


def test_an_error_names_the_target_and_not_what_stands_for_it(tmp_path):
    with pytest.raises(ArtifactError) as told, staged_folder(tmp_path / "run") as staging:
        raise ArtifactError(f"{staging / 'a.npy'}: cannot be written: 7 requested and 3 written")
    assert str(told.value) == f"{tmp_path / 'run' / 'a.npy'}: cannot be written: 7 requested and 3 written"


def test_weights_may_be_read_by_whoever_may_read_any_new_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    (tmp_path / "other").touch()
    with usual_permissions(path):
        path.unlink()
        path.touch(0o600)
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
